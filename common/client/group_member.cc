#include "common/client/group_member.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/base/log.h"
#include "common/wire/find_coordinator.h"
#include "common/wire/heartbeat.h"
#include "common/wire/join_group.h"
#include "common/wire/leave_group.h"
#include "common/wire/sync_group.h"

namespace edgelog::client {
using wire::ErrorCode;

namespace {

constexpr wire::Version one_key = 3;  // FindCoordinator: from 4 on it takes several
constexpr Duration answer_timeout = seconds(10);
constexpr Duration leave_timeout = seconds(2);

// The coordinator answers when all have come, or when it has waited for the rebalance timeout.
Duration wait_for_others(const GroupOptions& options) {
  return Duration{options.rebalance_timeout.value() + answer_timeout.value()};
}

wire::Millis millis(Duration d) { return wire::Millis{static_cast<std::int32_t>(to_millis(d))}; }

}  // namespace

GroupMember::GroupMember(GroupOptions options, Client& client, Timer& timer, Events events, std::uint64_t seed)
    : options_(std::move(options)), client_(client), timer_(timer), events_(std::move(events)), prng_(seed) {}

void GroupMember::start() {
  if (state_ == State::idle) look();
}

Instant GroupMember::deadline() const { return std::min(next_, session_end_); }

void GroupMember::tick() {
  const Instant now = timer_.now();
  if (now >= session_end_) session_ends();
  if (now < next_) return;
  next_ = never;
  if (state_ == State::pausing) return look();
  if (state_ == State::member) beat();
}

void GroupMember::session_ends() {
  session_end_ = never;
  events_.lost();
}

void GroupMember::look() {
  state_ = State::looking;
  wire::FindCoordinatorRequest request;
  request.key = options_.group;
  client_.ask<wire::FindCoordinatorResponse>(
      std::nullopt, Way::control, std::move(request), answer_timeout,
      [this, turn = ++turn_](ErrorCode error, wire::FindCoordinatorResponse& response) {
        if (!current(turn)) return;
        if (error == ErrorCode::none) error = response.error_code;
        if (error != ErrorCode::none) return failed(error);
        coordinator_ = response.node_id;
        if (client_.metadata().brokers().contains(coordinator_)) return join();
        client_.refresh_metadata();
        pause();
      },
      one_key);
}

void GroupMember::join() {
  state_ = State::joining;
  next_ = never;
  wire::JoinGroupRequest request;
  request.group_id = options_.group;
  request.session_timeout_ms = millis(options_.session_timeout);
  request.rebalance_timeout_ms = millis(options_.rebalance_timeout);
  request.member_id = member_id_;
  request.protocol_type = options_.protocol_type;
  // The callback owns what the request refers to: it may wait for its connection while another join is made.
  const auto metadata = std::make_shared<const Buffer>(events_.metadata());
  request.protocols.push_back({options_.protocol, Bytes(*metadata)});
  client_.ask<wire::JoinGroupResponse>(
      coordinator_, Way::group, std::move(request), wait_for_others(options_),
      [this, metadata, at = coordinator_, turn = ++turn_](ErrorCode error, wire::JoinGroupResponse& response) {
        if (current(turn)) return joined(error, response);
        if (error == ErrorCode::none && response.error_code == ErrorCode::none) take_back(at, response.member_id);
      });
}

// Of a join that was answered after leave(): nobody would serve what this member is given. Its own good-bye may
// have been dropped, or have gone out without an id.
void GroupMember::take_back(NodeId coordinator, const std::string& member_id) {
  if (member_id != member_id_) say_goodbye(coordinator, member_id, [] {});
}

void GroupMember::joined(ErrorCode error, wire::JoinGroupResponse& response) {
  if (error == ErrorCode::none) error = response.error_code;
  if (error == ErrorCode::member_id_required) {
    member_id_ = response.member_id;
    return join();
  }
  if (error != ErrorCode::none) return failed(error);
  member_id_ = response.member_id;
  generation_ = response.generation_id;
  protocol_name_ = response.protocol_name.value_or("");
  std::map<std::string, Buffer> assignments;
  if (response.leader == member_id_ && !response.skip_assignment) {
    std::vector<Member> members;
    for (const auto& member : response.members) members.push_back({member.member_id, member.metadata});
    assignments = events_.assign(members);
  }
  sync(std::move(assignments));
}

void GroupMember::sync(std::map<std::string, Buffer> assignments) {
  state_ = State::syncing;
  const auto owned = std::make_shared<const std::map<std::string, Buffer>>(std::move(assignments));
  wire::SyncGroupRequest request;
  request.group_id = options_.group;
  request.generation_id = generation_;
  request.member_id = member_id_;
  request.protocol_type = options_.protocol_type;
  request.protocol_name = protocol_name_;
  for (const auto& [id, bytes] : *owned) request.assignments.push_back({id, Bytes(bytes)});
  client_.ask<wire::SyncGroupResponse>(
      coordinator_, Way::group, std::move(request), wait_for_others(options_),
      [this, owned, turn = ++turn_](ErrorCode error, wire::SyncGroupResponse& response) {
        if (!current(turn)) return;
        if (error == ErrorCode::none) error = response.error_code;
        if (error != ErrorCode::none) return failed(error);
        state_ = State::member;
        failures_ = 0;
        next_ = timer_.now() + options_.heartbeat;
        session_end_ = timer_.now() + options_.session_timeout;
        events_.assigned(response.assignment);
      });
}

void GroupMember::beat() {
  wire::HeartbeatRequest request;
  request.group_id = options_.group;
  request.generation_id = generation_;
  request.member_id = member_id_;
  const Instant sent = timer_.now();
  client_.ask<wire::HeartbeatResponse>(
      coordinator_, Way::group, std::move(request), options_.session_timeout,
      [this, sent, turn = ++turn_](ErrorCode error, wire::HeartbeatResponse& response) {
        if (!current(turn)) return;
        if (error == ErrorCode::none) error = response.error_code;
        if (error != ErrorCode::none) return failed(error);
        next_ = sent + options_.heartbeat;
        session_end_ = sent + options_.session_timeout;
      });
}

void GroupMember::failed(ErrorCode error) {
  switch (error) {
    case ErrorCode::rebalance_in_progress: return join();
    case ErrorCode::unknown_member_id: member_id_.clear(); return rejoin();
    case ErrorCode::illegal_generation: return rejoin();
    case ErrorCode::coordinator_not_available:
    case ErrorCode::not_coordinator:
    case ErrorCode::coordinator_load_in_progress:
    case ErrorCode::network_exception:
    case ErrorCode::request_timed_out: return pause();
    default:
      LOG(warning, "group {}: {}", options_.group, wire::code(error));
      events_.refused(error);
      return pause();
  }
}

// At once the first time; what fails again and again pauses.
void GroupMember::rejoin() {
  if (failures_++ == 0) return join();
  pause();
}

void GroupMember::pause() {
  ++turn_;
  state_ = State::pausing;
  const std::int64_t doubled = options_.pause_min.value() << std::min<std::uint32_t>(failures_++, 8);
  const std::int64_t whole = std::min(options_.pause_max.value(), doubled);
  next_ = timer_.now() + Duration{prng_.between(whole / 2, whole)};
}

void GroupMember::leave(std::function<void()> done) {
  ++turn_;
  const bool known = !member_id_.empty() && coordinator_.value() >= 0;
  state_ = State::idle;
  next_ = session_end_ = never;
  if (!known) return done();
  failures_ = 0;
  // Who comes back comes as a new member.
  say_goodbye(coordinator_, std::exchange(member_id_, {}), std::move(done));
}

void GroupMember::say_goodbye(NodeId coordinator, const std::string& member_id, std::function<void()> done) {
  wire::LeaveGroupRequest request;
  request.group_id = options_.group;
  request.member_id = member_id;
  request.members.push_back({member_id, std::nullopt, std::nullopt});
  client_.ask<wire::LeaveGroupResponse>(coordinator, Way::group, std::move(request), leave_timeout,
                                        [done = std::move(done)](ErrorCode, wire::LeaveGroupResponse&) { done(); });
}

}  // namespace edgelog::client
