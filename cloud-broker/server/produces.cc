#include "cloud-broker/server/produces.h"

#include <utility>
#include <vector>

namespace edgelog::broker {

using wire::ErrorCode;

void Produces::hold(const Context& context, wire::ProduceResponse response, const std::vector<Await>& awaited,
                    Instant deadline) {
  const auto held = std::make_shared<Held>(Held{context, std::move(response), {}, {deadline, next_++}});
  held->context.frame = {};
  for (const Await& each : awaited) held->open[{each.topic, each.index}] = true;
  deadlines_.emplace(held->key, held);
  if (held->open.empty()) return send(*held);
  for (const Await& each : awaited) {
    waits_.when(*each.partition, each.commit_at,
                [this, held, topic = each.topic, index = each.index](bool still_there) {
                  committed(held, topic, index, still_there);
                });
  }
}

void Produces::committed(const std::shared_ptr<Held>& held, std::size_t topic, std::size_t index, bool still_there) {
  if (held->sent) return;
  if (!still_there) fail(*held, topic, index, ErrorCode::unknown_topic_or_partition);
  held->open.erase({topic, index});
  if (held->open.empty()) send(*held);
}

void Produces::fail(Held& held, std::size_t topic, std::size_t index, ErrorCode error) {
  auto& answer = held.response.topics[topic].partitions[index];
  answer.error_code = error;
  answer.base_offset = Offset{-1};
  answer.log_start_offset = Offset{-1};
  answer.log_append_time_ms = -1;
}

void Produces::send(Held& held) {
  held.sent = true;
  replies_.send(held.context, held.response);
  deadlines_.erase(held.key);
}

void Produces::tick(Instant now) {
  while (deadline() <= now) {
    const auto held = deadlines_.begin()->second;
    for (const auto& [where, open] : held->open) fail(*held, where.first, where.second, ErrorCode::request_timed_out);
    send(*held);
  }
}

}  // namespace edgelog::broker
