// Committed offsets: who may commit, and when they are forgotten (KIP-211).
#include <algorithm>
#include <string_view>
#include <utility>

#include "cloud-broker/group/coordinator.h"

namespace edgelog::broker::group {

namespace {

// What Kafka answers where its log finds a commit too large: no client asks for the same again.
void refuse_too_large(std::vector<ErrorCode>& errors) {
  std::replace(errors.begin(), errors.end(), ErrorCode::none, ErrorCode::invalid_commit_offset_size);
}

}  // namespace

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
  std::vector<ErrorCode> errors(request.partitions.size(), check_commit(at, group, request));
  if (errors.empty() || errors.front() != ErrorCode::none) return errors;
  const bool room_for_group = group != nullptr || groups_.size() < settings_.groups_max;
  const std::size_t held = group != nullptr ? group->offsets.size() : 0;
  std::map<std::pair<std::string_view, PartitionIndex>, const CommittedOffset*> last;  // of each partition
  std::size_t fresh = 0;
  for (std::size_t i = 0; i < errors.size(); ++i) {
    const CommitPartition& each = request.partitions[i];
    const bool known = last.contains({each.topic, each.partition}) ||
                       (group != nullptr && group->offsets.contains({each.topic, each.partition}));
    if (each.offset.metadata.size() > settings_.offset_metadata_max) {
      errors[i] = ErrorCode::offset_metadata_too_large;
    } else if (!known && (!room_for_group || held + fresh >= settings_.offsets_max)) {
      errors[i] = ErrorCode::coordinator_not_available;
    } else {
      fresh += known ? 0 : 1;
      last[{each.topic, each.partition}] = &each.offset;
    }
  }
  std::size_t bytes = 0;
  for (const auto& [place, offset] : last) bytes += offset_record_bytes(request.group, place.first, offset->metadata);
  if (bytes > settings_.step_bytes_max) {
    refuse_too_large(errors);
    return errors;
  }
  for (const auto& [place, offset] : last)
    effects.records.push_back(OffsetRecord{{request.group, std::string(place.first), place.second}, *offset});
  return errors;
}

const CommittedOffset* Coordinator::committed(const std::string& group, const std::string& topic,
                                              PartitionIndex partition) const {
  const Group* known = find(group);
  if (known == nullptr) return nullptr;
  const auto at = known->offsets.find({topic, partition});
  return at == known->offsets.end() ? nullptr : &at->second;
}

const Offsets* Coordinator::committed(const std::string& group) const {
  const Group* known = find(group);
  return known == nullptr ? nullptr : &known->offsets;
}

std::vector<ErrorCode> Coordinator::remove_offsets(
    At, const std::string& id, const std::vector<std::pair<std::string, PartitionIndex>>& partitions,
    Effects& effects) {
  const Group* group = find(id);
  if (group == nullptr) return std::vector<ErrorCode>(partitions.size(), ErrorCode::group_id_not_found);
  std::vector<ErrorCode> errors;
  const auto subscribed = group->subscribed_topics();
  std::set<std::pair<std::string_view, PartitionIndex>> removed;
  std::size_t bytes = 0;
  for (const auto& [topic, partition] : partitions) {
    const bool in_use = !group->members.empty() && (!subscribed || subscribed->contains(topic));
    errors.push_back(in_use ? ErrorCode::group_subscribed_to_topic : ErrorCode::none);
    if (in_use || !group->offsets.contains({topic, partition})) continue;
    if (removed.emplace(topic, partition).second) bytes += offset_record_bytes(id, topic);
  }
  if (bytes > settings_.step_bytes_max) {
    refuse_too_large(errors);
    return errors;
  }
  for (const auto& [topic, partition] : removed)
    effects.records.push_back(OffsetRecord{{id, std::string(topic), partition}, std::nullopt});
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
  // OffsetCommit v1 lets a client say when it committed, up to the end of time: nothing is added to that.
  return since.value() <= wall.value() - to_millis(settings_.offsets_retention);
}

// In parts, since a batch that is larger than the partition takes would be refused for ever. The rest follows at once;
// where the log refused the last part, which only a full disk does, with the next look.
void Coordinator::expire_offsets(At at, Effects& effects) {
  const std::map<std::string, Group>& groups = groups_;
  const bool refused = tombstones_ < tombstones_awaited_;
  auto next = refused ? groups.end() : groups.lower_bound(expire_from_);
  std::size_t bytes = 0;
  while (next != groups.end() && expire_offsets_of(at, next->second, bytes, effects)) ++next;
  const bool more = next != groups.end();
  expire_from_ = more ? next->first : std::string();
  tombstones_awaited_ = more ? tombstones_ + effects.records.size() : 0;
  timers_.set(offsets_timer_, more ? at.now : at.now + settings_.expiry_check_period, Timers::Offsets{});
}

// False: there is no room for the rest.
bool Coordinator::expire_offsets_of(At at, const Group& group, std::size_t& bytes, Effects& effects) const {
  const auto subscribed = group.subscribed_topics();
  std::size_t left = group.offsets.size();
  const auto forget = [&](Record record, std::size_t size) {
    if (bytes > 0 && bytes + size > settings_.expiry_bytes_max) return false;
    bytes += size;
    effects.records.push_back(std::move(record));
    return true;
  };
  for (const auto& [key, offset] : group.offsets) {
    if (!offset_expired(group, key.first, offset, at.wall, subscribed)) continue;
    const std::size_t size = offset_record_bytes(group.id, key.first);
    if (!forget(OffsetRecord{{group.id, key.first, key.second}, std::nullopt}, size)) return false;
    --left;
  }
  // A group without members and offsets is forgotten too (Dead).
  if (left > 0 || !group.is<Empty>() || !group.pending.empty()) return true;
  return forget(GroupRecord{group.id, std::nullopt}, offset_record_bytes(group.id, {}));
}

}  // namespace edgelog::broker::group
