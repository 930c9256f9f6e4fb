#include "gateway/bridge/outbox.h"

#include "common/base/assert.h"
#include "common/uplink/names.h"

namespace edgelog::gateway {
namespace {
constexpr std::size_t answers_max = 32'768;       // waiting, in all
constexpr std::size_t message_answers_max = 128;  // in one message: below any packet limit
constexpr std::size_t message_looks_max = 1;      // each may carry thousands of sightings
}  // namespace

uplink::Answers& Outbox::of(const std::string& agent) {
  while (count_ >= answers_max && !order_.empty()) {
    const auto oldest = waiting_.find(order_.front());
    ASSERT(oldest != waiting_.end());
    for (const auto& answers : oldest->second) {
      const std::size_t lost = answers.batches.size() + answers.looks.size();
      count_ -= lost;
      metrics_.dropped.add(lost);
    }
    waiting_.erase(oldest);
    order_.pop_front();
  }
  auto& messages = waiting_[agent];
  if (messages.empty()) {
    order_.push_back(agent);
    messages.emplace_back();
  }
  ++count_;
  metrics_.waiting.set(static_cast<std::int64_t>(count_));
  return messages.back();
}

void Outbox::add(const std::string& agent, uplink::BatchAnswer answer) {
  uplink::Answers* message = &of(agent);
  if (message->batches.size() >= message_answers_max) message = &waiting_[agent].emplace_back();
  message->batches.push_back(std::move(answer));
}

void Outbox::add(const std::string& agent, uplink::LookAnswer answer) {
  uplink::Answers* message = &of(agent);
  if (message->looks.size() >= message_looks_max) message = &waiting_[agent].emplace_back();
  message->looks.push_back(std::move(answer));
}

void Outbox::flush(Instant now, WallMillis wall) {
  retry_at_ = {};
  while (!order_.empty()) {
    const auto next = waiting_.find(order_.front());
    ASSERT(next != waiting_.end() && !next->second.empty());
    uplink::Answers& message = next->second.front();
    message.gateway_time = wall;
    if (!uplink_.publish(uplink::ack_topic(next->first), uplink::encode(message), false)) {
      retry_at_ = now + no_place_pause;
      return;
    }
    metrics_.messages.add();
    count_ -= message.batches.size() + message.looks.size();
    next->second.pop_front();
    if (!next->second.empty()) continue;
    waiting_.erase(next);
    order_.pop_front();
  }
  ASSERT(count_ == 0);
  metrics_.waiting.set(static_cast<std::int64_t>(count_));
}

}  // namespace edgelog::gateway
