// Committed offsets: who may commit, and when they are forgotten (KIP-211).
#include <algorithm>
#include <utility>

#include "cloud-broker/group/coordinator.h"

namespace edgelog::broker::group {

ErrorCode Coordinator::check_commit(At at, Group* group, const CommitRequest& request) {
  const Who& who = request.who;
  if (group == nullptr) return who.generation < 0 ? ErrorCode::none : ErrorCode::group_id_not_found;
  // A consumer that assigns its own partitions, or an administrator: only where no member could be overruled.
  const bool simple = who.generation < 0 && who.member_id.empty() && !who.instance_id;
  if (simple) return group->is<Empty>() ? ErrorCode::none : ErrorCode::unknown_member_id;
  if (who.generation < 0 && group->is<Empty>()) return ErrorCode::none;
  if (const ErrorCode error = check_member(*group, who); error != ErrorCode::none) return error;
  if (who.generation != group->generation) return ErrorCode::illegal_generation;
  touch(at, *group, group->members.at(who.member_id));
  // In PreparingRebalance members still bring home what they have done.
  return group->is<CompletingRebalance>() ? ErrorCode::rebalance_in_progress : ErrorCode::none;
}

std::vector<ErrorCode> Coordinator::commit(At at, const CommitRequest& request, Effects& effects) {
  Group* group = find(request.group);
  const ErrorCode all = check_commit(at, group, request);
  std::vector<ErrorCode> errors(request.partitions.size(), all);
  if (all != ErrorCode::none) return errors;
  const bool room_for_group = group != nullptr || groups_.size() < settings_.groups_max;
  const std::size_t held = group != nullptr ? group->offsets.size() : 0;
  for (std::size_t i = 0; i < errors.size(); ++i) {
    const CommitPartition& each = request.partitions[i];
    const bool known = group != nullptr && group->offsets.contains({each.topic, each.partition});
    if (each.offset.metadata.size() > settings_.offset_metadata_max) {
      errors[i] = ErrorCode::offset_metadata_too_large;
    } else if (!known && (!room_for_group || held + i >= settings_.offsets_max)) {
      errors[i] = ErrorCode::coordinator_not_available;
    } else {
      effects.records.push_back(OffsetRecord{{request.group, each.topic, each.partition}, each.offset});
    }
  }
  return errors;
}

const CommittedOffset* Coordinator::committed(const std::string& group, const std::string& topic,
                                              PartitionIndex partition) const {
  const Group* known = find(group);
  if (known == nullptr) return nullptr;
  const auto at = known->offsets.find({topic, partition});
  return at == known->offsets.end() ? nullptr : &at->second;
}

std::vector<std::pair<std::pair<std::string, PartitionIndex>, CommittedOffset>> Coordinator::committed(
    const std::string& group) const {
  const Group* known = find(group);
  if (known == nullptr) return {};
  return {known->offsets.begin(), known->offsets.end()};
}

std::vector<ErrorCode> Coordinator::remove_offsets(
    At, const std::string& id, const std::vector<std::pair<std::string, PartitionIndex>>& partitions,
    Effects& effects) {
  const Group* group = find(id);
  if (group == nullptr) return std::vector<ErrorCode>(partitions.size(), ErrorCode::group_id_not_found);
  std::vector<ErrorCode> errors;
  const auto subscribed = group->subscribed_topics();
  for (const auto& [topic, partition] : partitions) {
    const bool in_use = !group->members.empty() && (!subscribed || subscribed->contains(topic));
    errors.push_back(in_use ? ErrorCode::group_subscribed_to_topic : ErrorCode::none);
    if (!in_use && group->offsets.contains({topic, partition})) {
      effects.records.push_back(OffsetRecord{{id, topic, partition}, std::nullopt});
    }
  }
  return errors;
}

std::set<std::string> Coordinator::topics() const {
  std::set<std::string> out;
  for (const auto& [id, group] : groups_)
    for (const auto& [key, offset] : group.offsets) out.insert(key.first);
  return out;
}

void Coordinator::topic_removed(const std::string& topic, Effects& effects) {
  for (const auto& [id, group] : groups_) {
    for (auto at = group.offsets.lower_bound({topic, PartitionIndex{INT32_MIN}});
         at != group.offsets.end() && at->first.first == topic; ++at) {
      effects.records.push_back(OffsetRecord{{id, topic, at->first.second}, std::nullopt});
    }
  }
}

bool Coordinator::offset_expired(const Group& group, const std::string& topic, const CommittedOffset& offset,
                                 WallMillis wall, const std::optional<std::set<std::string>>& subscribed) const {
  if (!group.is<Empty>() && !(group.is<Stable>() && subscribed && !subscribed->contains(topic))) return false;
  if (offset.expires_at) return *offset.expires_at <= wall;
  const bool by_state = group.is<Empty>() && !group.protocol_type.empty() && group.state_since.value() >= 0;
  const WallMillis since = by_state ? std::max(group.state_since, offset.committed_at) : offset.committed_at;
  return since + settings_.offsets_retention <= wall;
}

void Coordinator::expire_offsets(At at, Effects& effects) {
  for (const auto& [id, group] : groups_) {
    const auto subscribed = group.subscribed_topics();
    std::size_t left = group.offsets.size();
    for (const auto& [key, offset] : group.offsets) {
      if (!offset_expired(group, key.first, offset, at.wall, subscribed)) continue;
      effects.records.push_back(OffsetRecord{{id, key.first, key.second}, std::nullopt});
      --left;
    }
    // A group without members and offsets is forgotten too (Dead).
    if (left == 0 && group.is<Empty>() && group.pending.empty())
      effects.records.push_back(GroupRecord{id, std::nullopt});
  }
  schedule(at.now + settings_.expiry_check_period, TimerKind::offsets, {}, {}, 0);
}

}  // namespace edgelog::broker::group
