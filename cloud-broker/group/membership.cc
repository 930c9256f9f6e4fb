// SyncGroup, Heartbeat and LeaveGroup: what those do who are in.
#include <utility>

#include "cloud-broker/group/coordinator.h"
#include "common/base/assert.h"

namespace edgelog::broker::group {

ErrorCode Coordinator::check_member(const Group& group, const Who& who) const {
  if (who.instance_id) {
    const auto at = group.instances.find(*who.instance_id);
    if (at == group.instances.end()) return ErrorCode::unknown_member_id;
    return at->second == who.member_id ? ErrorCode::none : ErrorCode::fenced_instance_id;
  }
  return group.members.contains(who.member_id) ? ErrorCode::none : ErrorCode::unknown_member_id;
}

void Coordinator::sync(At at, Token token, const SyncRequest& request, Effects& effects) {
  const auto answer = [&](ErrorCode error) { effects.answers.push_back({token, SyncResponse{error, {}, {}, {}}}); };
  Group* group = find(request.group);
  if (group == nullptr) return answer(ErrorCode::unknown_member_id);
  if (const ErrorCode error = check_member(*group, request.who); error != ErrorCode::none) return answer(error);
  if (request.who.generation != group->generation) return answer(ErrorCode::illegal_generation);
  if ((request.protocol_type && *request.protocol_type != group->protocol_type) ||
      (request.protocol && request.protocol != group->protocol)) {
    return answer(ErrorCode::inconsistent_group_protocol);
  }
  if (group->is<Empty>()) return answer(ErrorCode::unknown_member_id);
  if (group->is<PreparingRebalance>()) return answer(ErrorCode::rebalance_in_progress);

  Member& member = group->members.at(request.who.member_id);
  touch(at, *group, member);
  // The generation stays: its leader may hand in less. If it does not in time it goes, as if it had been silent.
  if (group->is<CompletingRebalance>() && group->is_leader(member) && !room_for_shares(*group, request))
    return answer(ErrorCode::group_max_size_reached);
  member.must_sync = false;
  if (group->is<Stable>()) {
    effects.answers.push_back(
        {token, SyncResponse{ErrorCode::none, group->protocol_type, group->protocol, member.assignment}});
    return;
  }
  if (member.syncing) {  // the newer one takes its place
    effects.answers.push_back({*member.syncing, SyncResponse{ErrorCode::rebalance_in_progress, {}, {}, {}}});
  }
  member.syncing = token;
  if (!group->is_leader(member)) return;
  // G5: the assignment is durable before anybody learns of it.
  GroupSnapshot snapshot = group->snapshot();
  snapshot.state_since = at.wall;
  for (GroupMember& each : snapshot.members) {
    const auto assigned = request.assignments.find(each.member_id);
    each.assignment = assigned == request.assignments.end() ? Buffer() : assigned->second;
    Member& waiting = group->members.at(each.member_id);
    if (!waiting.syncing) continue;
    touch(at, *group, waiting);
    effects.answers.push_back({*std::exchange(waiting.syncing, {}),
                               SyncResponse{ErrorCode::none, group->protocol_type, group->protocol, each.assignment}});
  }
  effects.records.push_back(GroupRecord{group->id, std::move(snapshot)});
}

bool Coordinator::room_for_shares(const Group& group, const SyncRequest& request) {
  std::size_t bytes = 0;
  for (const auto& [id, share] : request.assignments) bytes += group.members.contains(id) ? share.size() : 0;
  return room_for(group, bytes, group.assigned_bytes());
}

ErrorCode Coordinator::heartbeat(At at, const std::string& id, const Who& who) {
  Group* group = find(id);
  if (group == nullptr) return ErrorCode::unknown_member_id;
  if (const ErrorCode error = check_member(*group, who); error != ErrorCode::none) return error;
  if (who.generation != group->generation) return ErrorCode::illegal_generation;
  if (group->is<Empty>()) return ErrorCode::unknown_member_id;
  touch(at, *group, group->members.at(who.member_id));
  return group->is<PreparingRebalance>() ? ErrorCode::rebalance_in_progress : ErrorCode::none;
}

std::vector<ErrorCode> Coordinator::leave(At at, const std::string& id, const std::vector<LeaveMember>& members,
                                          Effects& effects) {
  Group* group = find(id);
  if (group == nullptr) return std::vector<ErrorCode>(members.size(), ErrorCode::unknown_member_id);
  std::vector<ErrorCode> errors;
  errors.reserve(members.size());
  const std::size_t before = group->members.size();
  for (const LeaveMember& leaving : members) errors.push_back(leave_one(*group, leaving, effects, at));
  if (group->members.size() < before) {
    member_gone(at, *group, effects);
  } else {
    try_complete_join(at, *group, effects);  // one that was only pending may have been waited for
  }
  return errors;
}

ErrorCode Coordinator::leave_one(Group& group, const LeaveMember& leaving, Effects& effects, At at) {
  std::string id = leaving.member_id;
  if (leaving.instance_id) {
    const auto known = group.instances.find(*leaving.instance_id);
    if (known == group.instances.end()) return ErrorCode::unknown_member_id;
    // An administrator removes a static member by its instance id alone.
    if (!id.empty() && id != known->second) return ErrorCode::fenced_instance_id;
    id = known->second;
  }
  if (group.pending.erase(id) > 0) return ErrorCode::none;
  if (!group.members.contains(id)) return ErrorCode::unknown_member_id;
  remove_member(at, group, id, ErrorCode::unknown_member_id, effects);
  return ErrorCode::none;
}

}  // namespace edgelog::broker::group
