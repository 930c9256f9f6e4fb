// JoinGroup: who may come in, and what a join means in each state of the group.
#include <algorithm>
#include <utility>

#include "cloud-broker/group/coordinator.h"
#include "common/base/assert.h"

namespace edgelog::broker::group {

namespace {

void refuse(Effects& effects, Token token, const std::string& member_id, ErrorCode why) {
  JoinResponse response;
  response.error = why;
  response.member_id = member_id;
  effects.answers.push_back({token, std::move(response)});
}

void take_over(Member& member, const JoinRequest& request) {
  member.client_id = request.client_id;
  member.client_host = request.client_host;
  member.session_timeout = request.session_timeout;
  member.rebalance_timeout = request.rebalance_timeout;
  member.protocols = request.protocols;
}

}  // namespace

void Coordinator::join(At at, Token token, const JoinRequest& request, Effects& effects) {
  const std::string& id = request.who.member_id;
  if (request.session_timeout < settings_.session_timeout_min ||
      request.session_timeout > settings_.session_timeout_max) {
    return refuse(effects, token, id, ErrorCode::invalid_session_timeout);
  }
  Group* group = find(request.group);
  if (group == nullptr) {
    if (!id.empty()) return refuse(effects, token, id, ErrorCode::unknown_member_id);
    group = find_or_create(request.group);
    if (group == nullptr) return refuse(effects, token, id, ErrorCode::coordinator_not_available);
  }
  // A group whose log does not yet carry it and which nobody entered is not kept for a refused join.
  const bool refused = !group->supports(request.protocol_type, request.protocols);
  if (refused) {
    refuse(effects, token, id, ErrorCode::inconsistent_group_protocol);
  } else if (id.empty()) {
    join_new(at, *group, token, request, effects);
  } else {
    join_known(at, *group, token, request, effects);
  }
  if (group->size() == 0 && group->offsets.empty() && group->generation == 0 && group->is<Empty>()) {
    groups_.erase(request.group);
  }
}

// The count of all groups' bytes only grows; when it is beyond the bound it is taken anew. What does not grow is never
// refused, so that a group which the log holds beyond the bound can go on.
bool Coordinator::room_for(const Group& group, std::size_t bytes, std::size_t replaced) {
  if (bytes <= replaced) return true;
  if (group.held_bytes() - replaced + bytes > settings_.member_bytes_max) return false;
  if (held_bytes_ + bytes > settings_.bytes_max) {
    held_bytes_ = 0;
    for (const auto& [id, each] : groups_) held_bytes_ += each.held_bytes();
    if (held_bytes_ - replaced + bytes > settings_.bytes_max) return false;
  }
  held_bytes_ += bytes;
  return true;
}

bool Coordinator::room_for(const Group& group, const JoinRequest& request, const Member* replaced) {
  const std::size_t bytes =
      metadata_bytes(request.client_id, request.client_host, request.who.instance_id, request.protocols);
  return room_for(group, bytes, replaced != nullptr ? replaced->metadata_bytes() : 0);
}

void Coordinator::join_new(At at, Group& group, Token token, const JoinRequest& request, Effects& effects) {
  const auto& instance = request.who.instance_id;
  if (instance && group.instances.contains(*instance)) return join_static(at, group, token, request, effects);
  if (group.size() >= settings_.members_max || !room_for(group, request, nullptr)) {
    return refuse(effects, token, {}, ErrorCode::group_max_size_reached);
  }
  const std::string id = fresh_member_id(instance ? *instance : request.client_id);
  if (!instance && request.knows_member_id_required) {
    // KIP-394: the id is given first, so that a client that repeats its join is not two members.
    const Instant until = at.now + request.session_timeout;
    const auto given = group.pending.try_emplace(id).first;
    timers_.set(given->second, until, Timers::Pending{&group, &given->first});
    return refuse(effects, token, id, ErrorCode::member_id_required);
  }
  add_member(at, group, token, request, id, effects);
}

void Coordinator::join_known(At at, Group& group, Token token, const JoinRequest& request, Effects& effects) {
  const std::string& id = request.who.member_id;
  if (!request.who.instance_id && group.pending.contains(id)) {
    if (group.members.size() >= settings_.members_max || !room_for(group, request, nullptr)) {
      group.pending.erase(id);
      return refuse(effects, token, {}, ErrorCode::group_max_size_reached);
    }
    return add_member(at, group, token, request, id, effects);
  }
  if (const ErrorCode error = check_member(group, request.who); error != ErrorCode::none) {
    return refuse(effects, token, id, error);
  }
  Member& member = group.members.at(id);
  const bool same = member.protocols == request.protocols;
  if (!room_for(group, request, &member)) return refuse(effects, token, id, ErrorCode::group_max_size_reached);
  if (group.is<CompletingRebalance>() && same) {
    // Its answer was lost. The leader needs the members once more.
    touch(at, group, member);
    effects.answers.push_back({token, current_generation(group, member, group.is_leader(member))});
    return;
  }
  if (group.is<Stable>() && same && !group.is_leader(member)) {
    touch(at, group, member);
    effects.answers.push_back({token, current_generation(group, member, false)});
    return;
  }
  if (group.is<Empty>()) return refuse(effects, token, id, ErrorCode::unknown_member_id);
  // A leader that joins again in Stable wants a rebalance, also with the same metadata (Kafka Streams).
  rejoin(at, group, member, token, request, effects);
}

void Coordinator::add_member(At at, Group& group, Token token, const JoinRequest& request, const std::string& id,
                             Effects& effects) {
  if (group.members.empty()) group.protocol_type = request.protocol_type;
  Member& member = group.members[id];
  member.id = id;
  member.instance_id = request.who.instance_id;
  member.order = group.next_order++;
  member.is_new = true;
  member.joining = token;
  member.skips_assignment = request.knows_skip_assignment;
  take_over(member, request);
  group.pending.erase(id);
  if (member.instance_id) group.instances[*member.instance_id] = id;
  keep_until(group, member, at.now + settings_.new_member_join_timeout);
  if (!group.leader) group.leader = id;
  if (auto* preparing = std::get_if<PreparingRebalance>(&group.state)) {
    preparing->member_added = true;
    try_complete_join(at, group, effects);
  } else {
    begin_rebalance(at, group, effects);
  }
}

void Coordinator::rejoin(At at, Group& group, Member& member, Token token, const JoinRequest& request,
                         Effects& effects) {
  take_over(member, request);
  // A second JoinGroup takes the place of the first; who still reads the first may only join again.
  if (member.joining) refuse(effects, *member.joining, member.id, ErrorCode::rebalance_in_progress);
  member.joining = token;
  member.skips_assignment = request.knows_skip_assignment;
  if (group.is<PreparingRebalance>()) {
    try_complete_join(at, group, effects);
  } else {
    begin_rebalance(at, group, effects);
  }
}

// KIP-345: a known instance comes back without its member id, so with none of its memory. It gets a new id
// and the old one is fenced.
void Coordinator::join_static(At at, Group& group, Token token, const JoinRequest& request, Effects& effects) {
  const std::string old_id = group.instances.at(*request.who.instance_id);
  if (group.is<Empty>()) return refuse(effects, token, {}, ErrorCode::unknown_member_id);
  if (!room_for(group, request, &group.members.at(old_id)))
    return refuse(effects, token, {}, ErrorCode::group_max_size_reached);
  const bool same = group.members.at(old_id).protocols == request.protocols ||
                    (group.protocol && request.protocols.front().name == *group.protocol &&
                     group.members.at(old_id).metadata_for(*group.protocol) != nullptr &&
                     request.protocols.front().metadata == *group.members.at(old_id).metadata_for(*group.protocol));
  const bool was_stable = group.is<Stable>();
  const std::string old_leader = group.leader.value_or("");
  replace_static(at, group, old_id, request, effects);
  Member& member = group.members.at(group.instances.at(*request.who.instance_id));
  if (!was_stable || !same || group.choose_protocol() != group.protocol) {
    rejoin(at, group, member, token, request, effects);
    return;
  }
  // Nothing has changed but the id: no rebalance. Only a client that knows KIP-814 may be told that it
  // leads, since an older leader would assign anew; it is told of its predecessor instead.
  effects.records.push_back(GroupRecord{group.id, group.snapshot()});
  const bool leads = group.is_leader(member);
  JoinResponse response = current_generation(group, member, leads && request.knows_skip_assignment);
  response.skip_assignment = leads && request.knows_skip_assignment;
  if (leads && !request.knows_skip_assignment) response.leader = old_leader;
  effects.answers.push_back({token, std::move(response)});
}

void Coordinator::replace_static(At at, Group& group, const std::string& old_id, const JoinRequest& request,
                                 Effects& effects) {
  auto node = group.members.extract(old_id);
  Member& member = node.mapped();
  if (member.joining) refuse(effects, *member.joining, old_id, ErrorCode::fenced_instance_id);
  if (member.syncing)
    effects.answers.push_back({*member.syncing, SyncResponse{ErrorCode::fenced_instance_id, {}, {}, {}}});
  member.joining.reset();
  member.syncing.reset();
  member.must_sync = false;
  member.id = fresh_member_id(*request.who.instance_id);
  member.order = group.next_order++;
  take_over(member, request);
  if (group.leader == old_id) group.leader = member.id;
  group.instances[*request.who.instance_id] = member.id;
  node.key() = member.id;
  const auto placed = group.members.insert(std::move(node));
  ASSERT(placed.inserted);
  touch(at, group, placed.position->second);
}

JoinResponse Coordinator::current_generation(const Group& group, const Member& member, bool with_members) const {
  JoinResponse response;
  response.generation = group.generation;
  response.protocol_type = group.protocol_type;
  response.protocol = group.protocol;
  response.leader = group.leader.value_or("");
  response.member_id = member.id;
  if (!with_members) return response;
  for (const auto& [id, each] : group.members) {
    const Buffer* metadata = each.metadata_for(group.protocol.value_or(""));
    response.members.push_back({id, each.instance_id, metadata != nullptr ? *metadata : Buffer()});
  }
  return response;
}

}  // namespace edgelog::broker::group
