#pragma once
// Drives a Coordinator as the broker's GroupService does: replays what each step records, and keeps the
// answers by token. Every record goes through its bytes, so that each test proves the formats too.
#include <gtest/gtest.h>
#include <algorithm>

#include <map>
#include <string>
#include <vector>

#include "cloud-broker/group/coordinator.h"

namespace edgelog::broker::group {

inline Buffer bytes(std::string_view text) {
  const Bytes view = as_bytes(text);
  return {view.begin(), view.end()};
}

class Harness : public ::testing::Test {
 protected:
  static constexpr const char* group = "readers";

  void SetUp() override {
    settings.initial_rebalance_delay = Duration{0};
    start();
  }
  void start() {
    coordinator = std::make_unique<Coordinator>(settings, 7);
    coordinator->loaded(at);
  }
  // As after kill -9: only what was recorded is left.
  void restart() {
    coordinator = std::make_unique<Coordinator>(settings, 8);
    for (const Record& record : log) coordinator->replay(record);
    coordinator->loaded(at);
    answers.clear();
  }
  void later(Duration by) {
    const Instant until = at.now + by;
    while (coordinator->deadline() <= until) {
      const Instant next = std::max(at.now, coordinator->deadline());
      at.wall = at.wall + (next - at.now);
      at.now = next;
      Effects effects;
      coordinator->expire(at, effects);
      take(effects);
    }
    at.wall = at.wall + (until - at.now);
    at.now = until;
  }

  static JoinRequest request(const std::string& member_id, std::vector<Protocol> protocols = {{"range", bytes("m")}}) {
    JoinRequest join;
    join.group = group;
    join.who.member_id = member_id;
    join.client_id = "client";
    join.client_host = "/127.0.0.1";
    join.protocol_type = "consumer";
    join.protocols = std::move(protocols);
    join.session_timeout = seconds(10);
    join.rebalance_timeout = seconds(60);
    return join;
  }
  Token join(const JoinRequest& wanted) {
    const Token token{next_token++};
    Effects effects;
    coordinator->join(at, token, wanted, effects);
    take(effects);
    return token;
  }
  // Two steps of KIP-394: the id, then the join itself, whose token is given.
  Token enter(std::string& id, JoinRequest wanted = request("")) {
    const Token first = join(wanted);
    const JoinResponse asked = joined(first);
    EXPECT_EQ(asked.error, ErrorCode::member_id_required);
    id = asked.member_id;
    wanted.who.member_id = id;
    return join(wanted);
  }
  Token sync(const std::string& id, std::int32_t generation, std::map<std::string, Buffer> assignments = {},
             std::optional<std::string> instance = {}) {
    const Token token{next_token++};
    SyncRequest wanted{group, {id, std::move(instance), generation}, {}, {}, std::move(assignments)};
    Effects effects;
    coordinator->sync(at, token, wanted, effects);
    take(effects);
    return token;
  }
  ErrorCode beat(const std::string& id, std::int32_t generation) {
    return coordinator->heartbeat(at, group, {id, {}, generation});
  }
  std::vector<ErrorCode> leave(std::vector<LeaveMember> members) {
    Effects effects;
    auto errors = coordinator->leave(at, group, members, effects);
    take(effects);
    return errors;
  }
  ErrorCode commit(const Who& who, std::int64_t offset, const std::string& topic = "t",
                   const std::string& metadata = "") {
    CommittedOffset value{Offset{offset}, LeaderEpoch{3}, metadata, at.wall, {}};
    Effects effects;
    const auto errors = coordinator->commit(at, {group, who, {{topic, PartitionIndex{0}, value}}}, effects);
    take(effects);
    return errors.front();
  }
  std::int64_t committed(const std::string& topic = "t") const {
    const auto* found = coordinator->committed(group, topic, PartitionIndex{0});
    return found != nullptr ? found->offset.value() : -1;
  }
  bool answered(Token token) const { return answers.contains(token); }
  JoinResponse joined(Token token) const {
    EXPECT_TRUE(answered(token));
    return answered(token) ? std::get<JoinResponse>(answers.at(token)) : JoinResponse{};
  }
  SyncResponse synced(Token token) const {
    EXPECT_TRUE(answered(token));
    return answered(token) ? std::get<SyncResponse>(answers.at(token)) : SyncResponse{};
  }
  std::string state() const { return coordinator->describe(group).state; }

  // One member, alone and Stable in generation 1.
  std::string settle_one() {
    std::string id;
    const Token token = enter(id);
    EXPECT_EQ(joined(token).generation, 1);
    EXPECT_EQ(synced(sync(id, 1, {{id, bytes("all")}})).assignment, bytes("all"));
    EXPECT_EQ(state(), "Stable");
    return id;
  }
  // Two members, Stable in generation 2; the first leads.
  std::pair<std::string, std::string> settle_two() {
    const std::string first = settle_one();
    std::string second;
    const Token waiting = enter(second);
    const Token again = join(request(first));
    EXPECT_EQ(joined(again).generation, 2);
    EXPECT_EQ(joined(waiting).leader, first);
    const Token half = sync(second, 2);
    sync(first, 2, {{first, bytes("a")}, {second, bytes("b")}});
    EXPECT_EQ(synced(half).assignment, bytes("b"));
    return {first, second};
  }

  void take(const Effects& effects) {
    for (const Record& record : effects.records) {
      const EncodedRecord encoded = encode(record);
      const char* why = "";
      const auto value = encoded.value ? std::optional<Bytes>(*encoded.value) : std::nullopt;
      const auto decoded = decode(encoded.key, value, why);
      ASSERT_TRUE(decoded.has_value()) << why;
      EXPECT_EQ(*decoded, record);
      log.push_back(*decoded);
      coordinator->replay(*decoded);
    }
    for (const Answer& answer : effects.answers) {
      EXPECT_TRUE(answers.emplace(answer.token, answer.response).second) << "answered twice";
    }
  }

  Settings settings;
  std::unique_ptr<Coordinator> coordinator;
  At at{Instant{1'000'000'000}, WallMillis{1'700'000'000'000}};
  std::vector<Record> log;
  std::map<Token, std::variant<JoinResponse, SyncResponse>> answers;
  std::uint64_t next_token = 0;
};

}  // namespace edgelog::broker::group
