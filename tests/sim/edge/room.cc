// Checks of what an agent counts, and of what it turns away or drops since it has no room.
#include <algorithm>

#include "tests/sim/edge/agent_node.h"

namespace edgelog::sim::edge {

using namespace agent;

std::map<std::string, std::int64_t> AgentNode::accounts() const {
  std::map<std::string, std::int64_t> all;
  for (const StreamStatus& s : core_->status()) all[s.state.topic] = s.state.bytes;
  return all;
}

void AgentNode::judge_accounts() {
  if (!core_ || !core_->all_durable()) return;
  auto held = store_.accounts();
  for (const auto& [topic, bytes] : accounts())
    base_.check(Check::account_is_right, bytes == held[topic], [&, at = topic, counted = bytes] {
      return fmt::format("{}: {} counts {} bytes, and holds {}", name_, at, counted, held[at]);
    });
}

// Something is turned away or dropped only where there is no room, and no more than has to be.
void AgentNode::judge_room(const Taken& taken, Outcome outcome, const std::map<std::string, std::int64_t>& before) {
  const bool turned_away = outcome == Outcome::blocked || outcome == Outcome::later || outcome == Outcome::dropped;
  if (short_of_space_)
    return base_.check(Check::bound_is_kept, outcome != Outcome::taken && outcome != Outcome::dropped,
                       [&] { return name_ + " takes a message, and is short of space"; });
  bool full = false;
  for (const auto& [topic, bytes] : before.empty() ? before : accounts()) {
    if (topic == uplink::gaps_topic) continue;
    const StreamId stream = *core_->stream(topic);
    std::int64_t came = 0;
    for (const TakenEvent& event : taken.events)
      if (event.stream == stream) came += event.bytes + config_.event_overhead;
    const auto had = before.find(topic);
    const std::int64_t all = (had == before.end() ? 0 : had->second) + came;
    const std::int64_t most = config_.defaults.bytes_max, over = all - most;
    full = full || (came > 0 && over > 0);
    if (outcome != Outcome::taken) continue;
    const std::int64_t went = all - bytes;
    base_.check(
        Check::bound_is_kept, went <= (over > 0 ? std::max(over, most / 16) + config_.batch_bytes : 0),
        [&, at = topic] { return fmt::format("{}: {} bytes of {} were dropped, of {}", name_, went, at, all); });
    // But for what is published.
    base_.check(Check::bound_is_kept, bytes <= most + 5 * config_.batch_bytes,
                [&, at = topic, now = bytes] { return fmt::format("{}: {} holds {} bytes", name_, at, now); });
  }
  base_.check(Check::bound_is_kept, !turned_away || full,
              [&] { return name_ + " turns a message away, and its streams have room"; });
  base_.check(Check::bound_is_kept, outcome != Outcome::blocked || taken.can_wait,
              [&] { return name_ + " lets an input wait that cannot"; });
  if (outcome == Outcome::refused) base_.fail(name_ + ": refuses a message");
}

}  // namespace edgelog::sim::edge
