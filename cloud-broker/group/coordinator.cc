#include "cloud-broker/group/coordinator.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/assert.h"

namespace edgelog::broker::group {

Coordinator::Coordinator(Settings settings, std::uint64_t seed) : settings_(settings), prng_(seed) {}

Group* Coordinator::find(const std::string& id) {
  const auto at = groups_.find(id);
  return at == groups_.end() ? nullptr : &at->second;
}

const Group* Coordinator::find(const std::string& id) const {
  const auto at = groups_.find(id);
  return at == groups_.end() ? nullptr : &at->second;
}

Group* Coordinator::find_or_create(const std::string& id) {
  if (Group* known = find(id)) return known;
  if (groups_.size() >= settings_.groups_max) return nullptr;
  Group& made = groups_[id];
  made.id = id;
  return &made;
}

std::size_t Coordinator::members() const {
  std::size_t sum = 0;
  for (const auto& [id, group] : groups_) sum += group.members.size();
  return sum;
}

// Kafka's shape: the client's id or the instance id, a dash, a UUID (version 4).
std::string Coordinator::fresh_member_id(const std::string& prefix) {
  const std::array<std::uint64_t, 2> words{(prng_.next() & ~0xf000ULL) | 0x4000ULL,
                                           (prng_.next() & ~(3ULL << 62)) | (2ULL << 62)};
  constexpr const char* digits = "0123456789abcdef";
  constexpr std::size_t prefix_max = 255;  // it came from the client, and the id must fit a string of the protocol
  std::string id = prefix.substr(0, prefix_max) + "-";
  for (unsigned nibble = 0; nibble < 32; ++nibble) {
    if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20) id += '-';
    id += digits[words[nibble / 16] >> (60 - 4 * (nibble % 16)) & 15];
  }
  return id;
}

Instant Coordinator::deadline() const { return timers_.first(); }

void Coordinator::expire(At at, Effects& effects) {
  // A timer that fires may set one for this same instant; those wait for the next call, so that this ends.
  const std::uint64_t until = timers_.next_number();
  Timers::About about;
  while (timers_.take_due(at.now, until, about)) {
    fire(at, about, effects);
    // A record must be replayed before the next decision: the caller comes back for what is still due.
    if (!effects.records.empty()) return;
  }
}

void Coordinator::fire(At at, const Timers::About& about, Effects& effects) {
  if (const auto* session = std::get_if<Timers::Session>(&about)) {
    session_expired(at, *session->group, *session->member, effects);
  } else if (const auto* pending = std::get_if<Timers::Pending>(&about)) {
    Group& group = *pending->group;
    const auto given = group.pending.find(*pending->id);
    ASSERT(given != group.pending.end());  // G7
    group.pending.erase(given);
    try_complete_join(at, group, effects);
  } else if (const auto* phase = std::get_if<Timers::Phase>(&about)) {
    phase_expired(at, *phase->group, effects);
  } else {
    expire_offsets(at, effects);
  }
}

void Coordinator::session_expired(At at, Group& group, Member& member, Effects& effects) {
  // Who waits for our answer is alive, but for a new member whose join nobody seems to wait for any more.
  const bool waiting = !member.is_new && (member.joining || member.syncing);
  if (member.expires_at > at.now) return keep_until(group, member, member.expires_at);
  if (waiting) return keep_until(group, member, at.now + member.session_timeout);
  remove_member(at, group, member.id, ErrorCode::unknown_member_id, effects);
  member_gone(at, group, effects);
}

void Coordinator::phase_expired(At at, Group& group, Effects& effects) {
  if (auto* preparing = std::get_if<PreparingRebalance>(&group.state)) {
    if (preparing->initial && preparing->member_added && preparing->initial_until < preparing->deadline) {
      // Members are still arriving: wait once more, but not beyond the rebalance time-out.
      preparing->member_added = false;
      preparing->initial_until = std::min(at.now + settings_.initial_rebalance_delay, preparing->deadline);
      return timers_.set(group.phase_timer, preparing->initial_until, Timers::Phase{&group});
    }
    return complete_join(at, group, effects);
  }
  // Those who were told to sync and did not are dropped, and the rest joins again.
  std::vector<std::string> silent;
  for (const auto& [id, member] : group.members) {
    if (member.must_sync) silent.push_back(id);
  }
  if (silent.empty()) return;
  for (const std::string& id : silent) remove_member(at, group, id, ErrorCode::unknown_member_id, effects);
  member_gone(at, group, effects);
}

void Coordinator::replay(const Record& record) {
  tombstones_ += std::visit([](const auto& each) { return each.value ? 0U : 1U; }, record);
  if (const auto* offset = std::get_if<OffsetRecord>(&record)) return replay_offset(*offset);
  replay_group(std::get<GroupRecord>(record));
}

void Coordinator::replay_offset(const OffsetRecord& record) {
  const auto& [name, topic, partition] = record.key;
  if (!record.value) {
    if (Group* group = find(name)) group->offsets.erase({topic, partition});
    return;
  }
  Group& group = groups_[name];  // what is in the log is taken, beyond the limit too
  group.id = name;
  group.offsets[{topic, partition}] = *record.value;
}

// Sets the group to what the record says, and keeps of its members what lives in memory only.
void Coordinator::replay_group(const GroupRecord& record) {
  if (!record.value) {
    groups_.erase(record.group);
    return;
  }
  Group& group = groups_[record.group];
  group.id = record.group;
  const GroupSnapshot& says = *record.value;
  group.protocol_type = says.protocol_type;
  group.generation = says.generation;
  group.protocol = says.protocol;
  group.leader = says.leader;
  group.state_since = says.state_since;
  std::erase_if(group.members, [&](const auto& entry) {
    return std::none_of(says.members.begin(), says.members.end(),
                        [&](const GroupMember& each) { return each.member_id == entry.first; });
  });
  group.instances.clear();
  for (const GroupMember& each : says.members) {
    const bool known = group.members.contains(each.member_id);
    Member& member = group.members[each.member_id];
    member.assignment = each.assignment;
    if (each.instance_id) group.instances[*each.instance_id] = each.member_id;
    if (known) continue;
    member.id = each.member_id;
    member.order = group.next_order++;
    member.instance_id = each.instance_id;
    member.client_id = each.client_id;
    member.client_host = each.client_host;
    member.rebalance_timeout = milliseconds(each.rebalance_timeout_ms);
    member.session_timeout = milliseconds(each.session_timeout_ms);
    if (says.protocol) member.protocols = {{*says.protocol, each.subscription}};
  }
  // The timer stays: it looks in Stable too for members that have not synced.
  if (group.members.empty()) {
    group.state = Empty{};
  } else {
    group.state = Stable{};
  }
}

void Coordinator::loaded(At at) {
  for (auto& [id, group] : groups_) {
    for (auto& [member_id, member] : group.members) touch(at, group, member);
    held_bytes_ += group.held_bytes();
  }
  timers_.set(offsets_timer_, at.now + settings_.expiry_check_period, Timers::Offsets{});
}

std::vector<Listed> Coordinator::list() const {
  std::vector<Listed> all;
  for (const auto& [id, group] : groups_) all.push_back({id, group.protocol_type, group.state_name()});
  return all;
}

Described Coordinator::describe(const std::string& id) const {
  const Group* group = find(id);
  if (group == nullptr) return {id, "Dead", {}, {}, {}};
  Described made{id, group->state_name(), group->protocol_type, {}, {}};
  const bool stable = group->is<Stable>();
  if (stable) made.protocol = group->protocol.value_or("");
  for (const auto& [member_id, member] : group->members) {
    const Buffer* metadata = stable ? member.metadata_for(made.protocol) : nullptr;
    made.members.push_back({member_id, member.instance_id, member.client_id, member.client_host,
                            metadata != nullptr ? *metadata : Buffer(), stable ? member.assignment : Buffer()});
  }
  return made;
}

// A group with more offsets than one step may write goes in several: the client is told to ask again.
ErrorCode Coordinator::remove(At, const std::string& id, Effects& effects) {
  const Group* group = find(id);
  if (group == nullptr) return ErrorCode::group_id_not_found;
  if (!group->members.empty() || !group->is<Empty>()) return ErrorCode::non_empty_group;
  std::size_t bytes = 0;
  for (const auto& [key, offset] : group->offsets) {
    bytes += offset_record_bytes(id, key.first);
    if (bytes > settings_.step_bytes_max) return ErrorCode::coordinator_not_available;
    effects.records.push_back(OffsetRecord{{id, key.first, key.second}, std::nullopt});
  }
  effects.records.push_back(GroupRecord{id, std::nullopt});
  return ErrorCode::none;
}

}  // namespace edgelog::broker::group
