// A gateway's session with the MQTT server, and whether it takes part in the group that shares the shards.
#include <utility>

#include "tests/sim/edge/gateway_node.h"

namespace edgelog::sim::edge {

void GatewayNode::cut(Duration wait) {
  if (!core_ || !connected_) return;
  base_.injected(Fault::gateway_cut);
  base_.say("gateway {}: its MQTT session is cut for {} ms", index_, to_millis(wait));
  connected_ = false;
  ++session_;
  cloud_.unsubscribe_all(index_);
  attendance_->disconnected(base_.now);
  attend();
  base_.after(wait, [this, life = life_] { when_awake(life, [this] { connect(); }); });
}

// As the driver does: all that is wanted is subscribed to, and the list told again.
void GatewayNode::connect() {
  if (connected_) return;
  base_.say("gateway {}: its MQTT session is there again", index_);
  connected_ = true;
  refused_ = false;
  able_since_ = base_.now;
  attendance_->connected();
  for (const std::uint32_t shard : subscribed_) cloud_.subscribe(index_, shard, true);
  feed(gateway::SessionStarted{});
  tell_topics(hidden);
}

void GatewayNode::refuse_subscriptions(bool refused) {
  if (!core_ || !connected_ || refused == refused_) return;
  if (refused) base_.injected(Fault::subscriptions_refused);
  base_.say("gateway {}: its subscriptions are {}", index_, refused ? "refused" : "taken again");
  refused_ = refused;
  able_since_ = base_.now;
  cloud_.unsubscribe_all(index_);
  if (!refused)
    for (const std::uint32_t shard : subscribed_) cloud_.subscribe(index_, shard, true);
  attendance_->filters_refused(refused);
  attend();
}

// Who can serve takes part: the list is told every ten seconds.
void GatewayNode::judge_attendance() {
  const Instant able = std::max(able_since_, awake_at_);
  if (!core_ || !connected_ || refused_ || base_.now - able < seconds(20)) return;
  base_.check(Check::able_attends, attends_, [&] { return fmt::format("gateway {} stays away", index_); });
}

void GatewayNode::subscribe(std::uint32_t shard, bool on) {
  if (on)
    subscribed_.insert(shard);
  else
    subscribed_.erase(shard);
  if (connected_ && !refused_) cloud_.subscribe(index_, shard, on);
}

void GatewayNode::attend() {
  const bool before = std::exchange(attends_, attendance_->wanted(base_.now));
  if (const Instant due = attendance_->deadline(); due != never)
    base_.at(due, [this, life = life_] {
      if (life == life_ && core_) attend();
    });
  if (attends_ == before) return;
  base_.say("gateway {}: {} the group", index_, attends_ ? "joins" : "leaves");
  if (attendance_changed) attendance_changed();
}

}  // namespace edgelog::sim::edge
