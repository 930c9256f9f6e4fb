#include "tests/sim/edge/cloud.h"

#include <algorithm>

#include "common/base/assert.h"

namespace edgelog::sim::edge {

namespace {

// As it comes out at the other end.
template <class Message>
Message carried(const Message& message) {
  Message out;
  ASSERT(uplink::decode(uplink::encode(message), out));
  return out;
}

}  // namespace

void Cloud::subscribe(std::size_t gateway, std::uint32_t shard, bool on) {
  auto& shards = gateways_[gateway].shards;
  std::erase(shards, shard);
  if (on) shards.push_back(shard);
}

void Cloud::connect(const std::string& agent, AgentLink link) {
  agents_[agent] = std::move(link);
  if (!retained_) return;
  // As with a gateway's clock: an older one says nothing about what the log may have forgotten.
  const Duration most{plan_.rules.memory.value() / 2 - copy_lives.value()};
  const bool old = !healed && plan_.old_list > 0 && base_.wall() - saved_->gateway_time < most &&
                   base_.forger.chance(plan_.old_list, 100);
  if (old) base_.injected(Fault::old_list);
  deliver_topics(agent, old ? *saved_ : *retained_);
}

std::optional<Instant> Cloud::arrival(Instant& last) {
  if (!healed && base_.chance(plan_.uplink_loss)) {
    base_.injected(Fault::uplink_loss);
    return std::nullopt;
  }
  Duration way = base_.between(microseconds(300), milliseconds(20));
  if (!healed && base_.chance(plan_.uplink_delay)) {
    base_.injected(Fault::uplink_delay);
    way = base_.between(milliseconds(20), seconds(20));
  }
  Instant at = base_.now + way;
  if (!healed && base_.chance(plan_.uplink_reorder)) {
    // It alone is late: whatever was sent after it overtakes it.
    base_.injected(Fault::uplink_reorder);
    return at + base_.between(Duration{0}, base_.random.chance(1, 4) ? seconds(20) : milliseconds(300));
  }
  last = at = std::max(last, at);
  return at;
}

void Cloud::publish_up(UpMessage message) {
  if (message.look) message.look = carried(*message.look);
  const int copies = !healed && base_.chance(plan_.uplink_repeat) ? 2 : 1;
  if (copies == 2) base_.injected(Fault::uplink_repeat);
  for (int copy = 0; copy < copies; ++copy) {
    const auto at = arrival(last_up_[message.agent]);
    if (!at) continue;
    base_.at(*at, [this, message] {
      const std::uint32_t shard = uplink::shard_of(message.agent);
      for (Gateway& gateway : gateways_)
        if (std::find(gateway.shards.begin(), gateway.shards.end(), shard) != gateway.shards.end())
          gateway.receive(message);
    });
  }
}

void Cloud::answer(const std::string& agent, uplink::Answers answers) {
  const auto link = agents_.find(agent);
  if (link == agents_.end()) return;
  answers = carried(answers);
  const int copies = !healed && base_.chance(plan_.uplink_repeat) ? 2 : 1;
  if (copies == 2) base_.injected(Fault::uplink_repeat);
  for (int copy = 0; copy < copies; ++copy) {
    const auto at = arrival(last_down_[agent]);
    if (!at) continue;
    base_.at(*at, [this, agent, answers, session = link->second.session] {
      const auto now_linked = agents_.find(agent);
      if (now_linked != agents_.end() && now_linked->second.session == session) now_linked->second.answers(answers);
    });
  }
}

void Cloud::publish_topics(const uplink::TopicList& list) {
  retained_ = carried(list);
  if (!saved_) saved_ = retained_;
  for (const auto& [agent, link] : agents_) deliver_topics(agent, *retained_);
}

void Cloud::deliver_topics(const std::string& agent, const uplink::TopicList& list) {
  const auto at = arrival(last_down_[agent]);
  if (!at) return;
  base_.at(*at, [this, agent, list, session = agents_.at(agent).session] {
    const auto link = agents_.find(agent);
    if (link != agents_.end() && link->second.session == session) link->second.topics(list);
  });
}

}  // namespace edgelog::sim::edge
