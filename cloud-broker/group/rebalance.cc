// A rebalance from its beginning to the next generation, and the lives of members.
#include <algorithm>
#include <utility>

#include "cloud-broker/group/coordinator.h"
#include "common/base/assert.h"

namespace edgelog::broker::group {

void Coordinator::enter(At at, Group& group, State state) {
  group.state = std::move(state);
  group.state_since = at.wall;
  group.phase_timer.cancel();
}

void Coordinator::begin_rebalance(At at, Group& group, Effects& effects) {
  ASSERT(!group.is<PreparingRebalance>());
  const bool from_empty = group.is<Empty>();
  for (auto& [id, member] : group.members) {
    member.must_sync = false;
    if (!member.syncing) continue;
    effects.answers.push_back(
        {*std::exchange(member.syncing, {}), SyncResponse{ErrorCode::rebalance_in_progress, {}, {}, {}}});
    touch(at, group, member);  // its session was not counted down while it waited
  }
  PreparingRebalance preparing{at.now + group.rebalance_timeout()};
  const Duration delay = settings_.initial_rebalance_delay;
  if (from_empty && delay.value() > 0) {
    preparing.initial = true;
    preparing.initial_until = std::min(at.now + delay, preparing.deadline);
  }
  const Instant first_look = preparing.initial ? preparing.initial_until : preparing.deadline;
  enter(at, group, preparing);
  timers_.set(group.phase_timer, first_look, Timers::Phase{&group});
  try_complete_join(at, group, effects);
}

void Coordinator::try_complete_join(At at, Group& group, Effects& effects) {
  const auto* preparing = std::get_if<PreparingRebalance>(&group.state);
  if (preparing == nullptr || !group.all_joined()) return;
  if (preparing->initial && !group.members.empty()) return;  // its timer completes it
  complete_join(at, group, effects);
}

// All have joined, or the time for it is over.
void Coordinator::complete_join(At at, Group& group, Effects& effects) {
  drop_absent(at, group, effects);
  if (!group.members.empty() && !elect_leader(group)) {
    // Only static members that are away: they keep their place until their sessions end.
    auto& preparing = std::get<PreparingRebalance>(group.state);
    preparing = PreparingRebalance{at.now + group.rebalance_timeout()};
    return timers_.set(group.phase_timer, preparing.deadline, Timers::Phase{&group});
  }
  next_generation(at, group, effects);
}

void Coordinator::drop_absent(At at, Group& group, Effects& effects) {
  std::vector<std::string> absent;
  for (const auto& [id, member] : group.members) {
    if (!member.joining && !member.instance_id) absent.push_back(id);
  }
  for (const std::string& id : absent) remove_member(at, group, id, ErrorCode::unknown_member_id, effects);
}

// The leader stays while it has joined; else the longest-serving member that has. False: nobody has.
bool Coordinator::elect_leader(Group& group) {
  const Member* leader = group.leader ? group.find(*group.leader) : nullptr;
  if (leader != nullptr && leader->joining) return true;
  const Member* oldest = nullptr;
  for (const auto& [id, member] : group.members) {
    if (member.joining && (oldest == nullptr || member.order < oldest->order)) oldest = &member;
  }
  if (oldest == nullptr) return false;
  group.leader = oldest->id;
  return true;
}

void Coordinator::next_generation(At at, Group& group, Effects& effects) {
  ++group.generation;  // G2: by one, never back
  if (group.members.empty()) {
    group.protocol.reset();
    group.leader.reset();
    enter(at, group, Empty{});
    effects.records.push_back(GroupRecord{group.id, group.snapshot()});
    return;
  }
  group.protocol = group.choose_protocol();
  enter(at, group, CompletingRebalance{});
  timers_.set(group.phase_timer, at.now + group.rebalance_timeout(), Timers::Phase{&group});
  for (auto& [id, member] : group.members) {
    member.assignment.clear();
    if (!member.joining) continue;  // static, and away
    member.is_new = false;
    member.must_sync = true;
    const Token token = *std::exchange(member.joining, {});
    touch(at, group, member);
    effects.answers.push_back({token, current_generation(group, member, group.is_leader(member))});  // G3
  }
}

void Coordinator::remove_member(At, Group& group, const std::string& id, ErrorCode why, Effects& effects) {
  const auto at = group.members.find(id);
  ASSERT(at != group.members.end());
  Member& member = at->second;
  if (member.joining) {
    JoinResponse response;
    response.error = why;
    effects.answers.push_back({*member.joining, std::move(response)});
  }
  if (member.syncing) effects.answers.push_back({*member.syncing, SyncResponse{why, {}, {}, {}}});
  if (member.instance_id) group.instances.erase(*member.instance_id);
  if (group.leader == id) group.leader.reset();
  group.members.erase(at);
}

void Coordinator::member_gone(At at, Group& group, Effects& effects) {
  if (group.is<PreparingRebalance>()) {
    try_complete_join(at, group, effects);
  } else if (!group.is<Empty>()) {
    begin_rebalance(at, group, effects);
  }
}

void Coordinator::touch(At at, Group& group, Member& member) {
  keep_until(group, member, at.now + member.session_timeout);
}

// A member's timer looks when it fires whether the member has been heard of since, so that a heartbeat costs
// nothing; only an earlier end moves it.
void Coordinator::keep_until(Group& group, Member& member, Instant when) {
  const bool earlier = when < member.expires_at;
  member.expires_at = when;
  if (member.timer.set() && !earlier) return;
  timers_.set(member.timer, when, Timers::Session{&group, &member});
}

}  // namespace edgelog::broker::group
