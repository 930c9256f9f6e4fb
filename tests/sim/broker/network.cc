// Connections: requests arrive in order, answers go back in order, and either may be lost with the connection.
#include <algorithm>

#include "common/base/assert.h"
#include "tests/sim/broker/world.h"

namespace edgelog::sim::shard {

wire::ProduceRequest produce_of(const Model::Where& at, Bytes batch) {
  wire::ProduceRequest request;
  request.timeout_ms = wire::Millis{10'000};
  auto& topic = request.topics.emplace_back();
  topic.name = at.first;
  topic.partitions.push_back({PartitionIndex{at.second}, batch});
  return request;
}

void World::respond(ConnectionId connection, Ticket ticket, Reply reply) {
  if (frozen_ || fatal_) return;  // the process is dead already
  for (auto& each : connections_) {
    if (each.id != connection || !each.open) continue;
    const auto asked =
        std::find_if(each.asked.begin(), each.asked.end(), [&](const auto& a) { return a.ticket == ticket; });
    if (asked == each.asked.end() || !asked->delivered || asked->reply) return fail("answered twice");
    Buffer whole;
    for (const Buffer& part : reply.parts) append(whole, part);
    say("answer {} of {}: {}, {} bytes", ticket.value(), connection.value(), asked->api->name, whole.size());
    asked->seen(whole);
    asked->reply = std::move(whole);
    return;
  }
}

void World::close(ConnectionId connection) {
  if (frozen_ || fatal_) return;
  fail(fmt::format("the broker closed connection {}", connection.value()));
}

void World::answered_within(std::size_t connection, Duration wait) {
  connections_[connection].asked.back().within = wait;
}

void World::nothing_overdue() {
  if (frozen_ || fatal_) return;
  for (const auto& connection : connections_)
    for (const auto& each : connection.asked)
      model_.expect(each.reply || each.until > at_.now, Check::answers,
                    fmt::format("{} waits beyond its time", each.api->name));
}

// One request reaches the broker.
bool World::deliver(Connection& to) {
  const auto next = std::find_if(to.asked.begin(), to.asked.end(), [](const auto& a) { return !a.delivered; });
  if (next == to.asked.end() || !shard_) return false;
  if (!to.open) {
    to.id = ConnectionId{++connection_ids_};
    to.open = true;
    shard_->opened(to.id, "10.0.0.1");
  }
  next->delivered = true;
  if (next->within) next->until = at_.now + *next->within;
  say("request {} of {}: {}", next->ticket.value(), to.id.value(), next->api->name);
  Buffer frame = std::move(next->frame);
  shard_->request(at_, to.id, next->ticket, frame);
  return true;
}

// One answer reaches the client.
bool World::answer(Connection& to) {
  if (to.asked.empty() || !to.asked.front().reply) return false;
  const Asked asked = std::move(to.asked.front());
  to.asked.pop_front();
  asked.done(asked.reply);
  return true;
}

void World::at_some_connection(bool (World::*what)(Connection&)) {
  const std::size_t first = random_.below(connections_.size());
  for (std::size_t i = 0; i < connections_.size(); ++i)
    if ((this->*what)(connections_[(first + i) % connections_.size()])) return;
}

void World::drop(Connection& connection) {
  if (connection.open && shard_) shard_->closed(connection.id);
  connection.open = false;
  auto lost = std::exchange(connection.asked, {});
  for (const Asked& each : lost) {
    if (each.reply) fault(Fault::answer_lost);
    each.done(std::nullopt);
  }
}

}  // namespace edgelog::sim::shard
