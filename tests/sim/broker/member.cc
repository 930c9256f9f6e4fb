// Members of one group: they join, share slots out, show that they live, commit what they own, leave, and fall silent.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/wire/all.h"
#include "tests/sim/broker/world.h"

namespace edgelog::sim::shard {

using wire::ErrorCode;

namespace {
constexpr int slots = 4;                              // shared out among the members; each stands for a partition
const std::string crew = "crew", protocol = "range";  // the one that all know
constexpr Duration rebalance_takes = seconds(40);
constexpr Duration in_good_time = seconds(50);
constexpr Duration idles = seconds(70);
}  // namespace

// What a member may be told at any time: what it believed is not so any more. False: that is no excuse.
bool World::out_of_group(Member& member, ErrorCode error) {
  const bool storage = error == ErrorCode::coordinator_not_available && (was_full_ || model_.flips > 0);
  const bool unknown = error == ErrorCode::unknown_member_id || error == ErrorCode::group_id_not_found;
  if (unknown) member.id.clear();
  if (error == ErrorCode::member_id_required || error == ErrorCode::rebalance_in_progress ||
      error == ErrorCode::illegal_generation || unknown)
    member.generation = -1;
  return storage || member.generation < 0;
}

// At the moment of the answer.
void World::told(const Member& member, const std::string& id, ErrorCode error) {
  if (error == ErrorCode::unknown_member_id && member.id == id) group_.not_in(model_, id, at_.now);
}

void World::member_acts(Member& member) {
  if (member.asking || member.dead || at_.now < member.silent_until) return;
  if (!ending_ && chance(1, 60)) {
    fault(Fault::silent_member);
    member.silent_until = at_.now + seconds(30);
    return;
  }
  // A start knows of who was alone the protocol that it went by, and nobody else comes in.
  if (member.protocol != protocol && member.in_start != starts_) member.generation = -1;
  if (member.generation < 0) return join(member);
  if (!ending_ && chance(1, 12)) return of_another_time(member);
  if (!member.synced) return !ending_ && at_.now < member.idle_until ? heartbeat(member) : sync(member);
  if (!ending_ && chance(1, 12)) return leave(member);
  if (!ending_ && !member.owned.empty() && chance(1, 2)) return commit_as(member, member.generation);
  heartbeat(member);
}

void World::join(Member& member) {
  wire::JoinGroupRequest request;
  request.group_id = crew;
  request.session_timeout_ms = wire::Millis{static_cast<std::int32_t>(to_millis(session_))};
  request.rebalance_timeout_ms = wire::Millis{static_cast<std::int32_t>(to_millis(rebalance_takes))};
  request.member_id = member.id;
  request.protocol_type = "consumer";
  const auto number = static_cast<std::size_t>(&member - members_.data());
  const std::string own = fmt::format("own {}", number);  // that nobody else knows, and it likes better
  if (number % 2 == 0) request.protocols.push_back({own, as_bytes(own)});
  request.protocols.push_back({protocol, as_bytes(crew)});
  member.asking = true;
  const wire::Version version = version_of<wire::JoinGroupRequest>();
  const bool unnamed = member.id.empty() && version >= 4;  // KIP-394: it is given an id first
  ask<wire::JoinGroupResponse>(
      member.connection, request, version,
      [this, number, unnamed, own, id = member.id](const auto& response) {
        say("  member {}: error {}, generation {} of {}", number, static_cast<int>(response.error_code),
            response.generation_id, response.leader);
        told(members_[number], id, response.error_code);
        if (response.error_code != ErrorCode::none) return;
        model_.expect(!unnamed, Check::generations,
                      "a member came in without an id, in a version that gives one first");
        model_.expect(id.empty() || response.member_id == id || model_.flips > 0, Check::generations,
                      fmt::format("{} joined again and is {} now", id, response.member_id));
        group_.joined(model_, number, response.generation_id, response.member_id, response.leader, at_.now);
        // One that is alone with what an earlier life of it left may have what it likes best.
        const auto of_it = [&](const auto& each) {
          return as_text(each.metadata) == (response.protocol_name == protocol ? crew : own);
        };
        model_.expect((response.protocol_name == protocol || response.protocol_name == own) &&
                          std::all_of(response.members.begin(), response.members.end(), of_it),
                      Check::generations,
                      fmt::format("generation {} goes by {}, which not all know", response.generation_id,
                                  response.protocol_name.value_or("nothing")));
        std::vector<std::string> list;
        for (const auto& each : response.members) list.push_back(each.member_id);
        group_.listed(model_, response.generation_id, list);
      },
      [this, number](const auto* response) {
        Member& asked = members_[number];
        asked.asking = false;
        if (response == nullptr) return;
        if (!response->member_id.empty()) asked.id = response->member_id;
        if (response->error_code != ErrorCode::none) {
          model_.expect(out_of_group(asked, response->error_code), Check::answers,
                        fmt::format("error {} for a join", static_cast<int>(response->error_code)));
          return;
        }
        asked.generation = response->generation_id;
        asked.protocol = response->protocol_name.value_or("");
        asked.in_since = at_.now;
        asked.asks_for_share = false;
        asked.in_start = starts_;
        if (!ending_ && chance(1, 12)) asked.idle_until = at_.now + idles;
        asked.synced = false;
        asked.owned.clear();
        asked.others.clear();
        for (const auto& each : response->members) asked.others.push_back(each.member_id);
      });
}

// The leader shares the slots out.
void World::sync(Member& member) {
  wire::SyncGroupRequest request;
  request.group_id = crew;
  request.generation_id = member.generation;
  request.member_id = member.id;
  request.protocol_type = "consumer";
  request.protocol_name = member.protocol;
  std::vector<std::string> shares(member.others.size());
  const auto first = random_.below(slots);
  for (std::uint64_t slot = 0; slot < slots && !shares.empty(); ++slot)
    shares[(first + slot) % shares.size()].push_back(static_cast<char>('0' + slot));
  GroupModel::Shares handed_in;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    request.assignments.push_back({member.others[i], as_bytes(shares[i])});
    handed_in[member.others[i]] = shares[i];
  }
  if (!handed_in.empty()) group_.handed_in(member.generation, std::move(handed_in));
  member.asks_for_share = true;
  static const std::string everything = "0123";
  if (member.others.empty() && chance(1, 3))
    request.assignments.push_back({member.id, as_bytes(everything)});  // in vain
  member.asking = true;
  const auto number = static_cast<std::size_t>(&member - members_.data());
  ask<wire::SyncGroupResponse>(
      member.connection, request, version_of<wire::SyncGroupRequest>(),
      [this, number, generation = member.generation, id = member.id](const auto& response) {
        say("  member {}: sync of {}: error {}, {}", number, generation, static_cast<int>(response.error_code),
            as_text(response.assignment));
        told(members_[number], id, response.error_code);
        if (response.error_code == ErrorCode::none)
          group_.synced(model_, generation, id, std::string(as_text(response.assignment)));
      },
      [this, number](const auto* response) {
        Member& asked = members_[number];
        asked.asking = false;
        if (response == nullptr) return;
        asked.synced = response->error_code == ErrorCode::none;
        if (asked.synced) {
          asked.owned = std::string(as_text(response->assignment));
          return;
        }
        model_.expect(out_of_group(asked, response->error_code), Check::answers,
                      fmt::format("error {} for a sync", static_cast<int>(response->error_code)));
      });
}

void World::heartbeat(Member& member) {
  wire::HeartbeatRequest request;
  request.group_id = crew;
  request.generation_id = member.generation;
  request.member_id = member.id;
  member.asking = true;
  const auto number = static_cast<std::size_t>(&member - members_.data());
  ask<wire::HeartbeatResponse>(
      member.connection, request, version_of<wire::HeartbeatRequest>(),
      [this, number, generation = member.generation, id = member.id](const auto& response) {
        told(members_[number], id, response.error_code);
        if (response.error_code != ErrorCode::none) return;
        group_.accepted(model_, generation, "a heartbeat");
        const Member& asked = members_[number];
        if (asked.synced) return group_.alive(id, at_.now);
        const bool in_time =
            asked.asks_for_share || asked.in_start != starts_ || at_.now - asked.in_since <= in_good_time;
        model_.expect(in_time || model_.flips > 0, Check::generations,
                      fmt::format("{} never asked for its share of generation {}, and is in still", id, generation));
      },
      [this, number](const auto* response) {
        Member& asked = members_[number];
        asked.asking = false;
        if (response == nullptr || response->error_code == ErrorCode::none) return;
        model_.expect(out_of_group(asked, response->error_code), Check::answers,
                      fmt::format("error {} for a heartbeat", static_cast<int>(response->error_code)));
      });
}

void World::leave(Member& member) {
  fault(Fault::member_leaves);
  group_.leaves(member.id);
  wire::LeaveGroupRequest request;
  request.group_id = crew;
  request.member_id = member.id;
  request.members.push_back({member.id, std::nullopt, std::nullopt});
  member.asking = true;
  const auto number = static_cast<std::size_t>(&member - members_.data());
  const auto good = [](const wire::LeaveGroupResponse& response) {
    return response.error_code == ErrorCode::none &&
           std::all_of(response.members.begin(), response.members.end(),
                       [](const auto& each) { return each.error_code == ErrorCode::none; });
  };
  ask<wire::LeaveGroupResponse>(
      member.connection, request, version_of<wire::LeaveGroupRequest>(),
      [this, good, id = member.id](const auto& response) {
        if (good(response)) group_.left(id);
      },
      [this, number, good](const auto* response) {
        Member& asked = members_[number];
        const auto id = std::exchange(asked.id, {});
        const auto generation = std::exchange(asked.generation, -1);
        asked.asking = false;
        if (response != nullptr && good(*response) && chance(1, 2)) heartbeat_of_one_that_left(asked, id, generation);
      });
}

void World::heartbeat_of_one_that_left(Member& member, const std::string& id, std::int32_t generation) {
  wire::HeartbeatRequest request;
  request.group_id = crew;
  request.generation_id = generation;
  request.member_id = id;
  member.asking = true;
  const auto number = static_cast<std::size_t>(&member - members_.data());
  ask<wire::HeartbeatResponse>(
      member.connection, request, version_of<wire::HeartbeatRequest>(),
      [this, id](const auto& response) {
        if (response.error_code == ErrorCode::none || response.error_code == ErrorCode::rebalance_in_progress)
          group_.still_in(model_, id);
      },
      [this, number](const auto*) { members_[number].asking = false; });
}

// A request that was on its way for long, with a generation that is over: it must be refused.
void World::of_another_time(Member& member) {
  const std::int32_t generation = member.generation - 1;
  const auto which = random_.below(4);
  if (which == 3) return of_a_stranger(member);
  if (generation < 1 || (which == 0 && member.owned.empty())) return heartbeat(member);
  if (which == 0) return commit_as(member, generation);
  member.asking = true;
  const auto number = static_cast<std::size_t>(&member - members_.data());
  const auto told = [this, generation](std::string_view what) {
    return [this, generation, what](const auto& response) {
      if (response.error_code == ErrorCode::none) group_.accepted(model_, generation, what);
    };
  };
  const auto over = [this, number](const auto*) { members_[number].asking = false; };
  if (which == 1) {
    wire::HeartbeatRequest request;
    request.group_id = crew;
    request.generation_id = generation;
    request.member_id = member.id;
    return ask<wire::HeartbeatResponse>(member.connection, request, version_of<wire::HeartbeatRequest>(),
                                        told("a heartbeat"), over);
  }
  wire::SyncGroupRequest request;
  request.group_id = crew;
  request.generation_id = generation;
  request.member_id = member.id;
  request.protocol_type = "consumer";
  request.protocol_name = member.protocol;
  ask<wire::SyncGroupResponse>(member.connection, request, version_of<wire::SyncGroupRequest>(), told("a sync"), over);
}

// A commit of somebody who is no member, or of no member at all where there are some: it must be refused. It is for a
// place for which no member commits.
void World::of_a_stranger(Member& member) {
  const Committer& crews = committers_.back();
  std::vector<Model::Where> free;
  for (const auto& [at, partition] : model_.partitions)
    if (std::find(crews.at.begin(), crews.at.end(), at) == crews.at.end()) free.push_back(at);
  if (free.empty() || crews.at.size() < slots) return heartbeat(member);
  const bool simple = member.synced && group_.surely_in(member.id, at_.now) && chance(1, 2);
  const Model::Where at = any(free);
  wire::OffsetCommitRequest request;
  request.group_id = crew;
  request.generation_id = simple ? -1 : member.generation;
  request.member_id = simple ? "" : "nobody";
  auto& topic = request.topics.emplace_back();
  topic.name = at.first;
  topic.partitions.push_back({PartitionIndex{at.second}, Offset{1}, LeaderEpoch{-1}, -1, "of a stranger"});
  member.asking = true;
  const auto number = static_cast<std::size_t>(&member - members_.data());
  ask<wire::OffsetCommitResponse>(
      member.connection, request, version_of<wire::OffsetCommitRequest>(),
      [this, simple, id = member.id](const auto& response) {
        const bool good = response.topics.at(0).partitions.at(0).error_code == ErrorCode::none;
        if (model_.flips == 0 && (!simple || group_.surely_in(id, at_.now)))
          model_.expect(!good, Check::refused,
                        fmt::format("a commit of {} was accepted", simple ? "no member" : "a stranger"));
      },
      [this, number](const auto*) { members_[number].asking = false; });
}

// What comes from an older generation than the last one that anybody was told of is refused.
void World::commit_as(Member& member, std::int32_t generation) {
  Committer& crews = committers_.back();
  const auto slot = static_cast<std::size_t>(member.owned[random_.below(member.owned.size())] - '0');
  if (slot >= crews.at.size()) return heartbeat(member);
  const Model::Where at = crews.at[slot];
  const std::int64_t offset = ++crews.next;
  const wire::Version version = version_of<wire::OffsetCommitRequest>();
  const std::int32_t epoch = epoch_of_commit(offset, version);
  wire::OffsetCommitRequest request;
  request.group_id = crew;
  request.generation_id = generation;
  request.member_id = member.id;
  auto& topic = request.topics.emplace_back();
  topic.name = at.first;
  topic.partitions.push_back(
      {PartitionIndex{at.second}, Offset{offset}, LeaderEpoch{epoch}, -1, metadata_of_commit(offset, epoch)});
  model_.offsets[{crew, at}].asked = offset;
  member.asking = true;
  const auto number = static_cast<std::size_t>(&member - members_.data());
  ask<wire::OffsetCommitResponse>(
      member.connection, request, version,
      [this, number, at, offset, generation, id = member.id](const auto& response) {
        told(members_[number], id, response.topics.at(0).partitions.at(0).error_code);
        if (response.topics.at(0).partitions.at(0).error_code != ErrorCode::none) return;
        group_.accepted(model_, generation, "a commit");
        model_.committed(crew, at, offset);
      },
      [this, number, generation](const auto* response) {
        Member& asked = members_[number];
        asked.asking = false;
        if (response == nullptr) return;
        const ErrorCode error = response->topics.at(0).partitions.at(0).error_code;
        if (error == ErrorCode::none || generation != asked.generation) return;
        model_.expect(out_of_group(asked, error) || model_.flips > 0, Check::answers,
                      fmt::format("error {} for a member's commit", static_cast<int>(error)));
      });
}

}  // namespace edgelog::sim::shard
