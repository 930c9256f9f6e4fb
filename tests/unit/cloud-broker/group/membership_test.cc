// SyncGroup, Heartbeat, LeaveGroup, sessions; what outlives a restart; listing and describing.
#include "tests/unit/cloud-broker/group/harness.h"

namespace edgelog::broker::group {
namespace {

class MembershipTest : public Harness {};

TEST_F(MembershipTest, SyncWaitsForTheLeaders) {
  const std::string first = settle_one();
  std::string second;
  enter(second);
  join(request(first));
  const Token early = sync(second, 2);
  EXPECT_FALSE(answered(early));
  sync(first, 2, {{second, bytes("yours")}});
  EXPECT_EQ(synced(early).assignment, bytes("yours"));
}

TEST_F(MembershipTest, WhoTheLeaderLeftOutGetsAnEmptyAssignment) {
  const std::string first = settle_one();
  std::string second;
  enter(second);
  join(request(first));
  sync(first, 2, {{first, bytes("all")}});
  const SyncResponse nothing = synced(sync(second, 2));
  EXPECT_EQ(nothing.error, ErrorCode::none);
  EXPECT_TRUE(nothing.assignment.empty());
}

TEST_F(MembershipTest, SyncRefusesByState) {
  EXPECT_EQ(synced(sync("x", 1)).error, ErrorCode::unknown_member_id);
  const auto [first, second] = settle_two();
  EXPECT_EQ(synced(sync(first, 1)).error, ErrorCode::illegal_generation);
  EXPECT_EQ(synced(sync("x", 2)).error, ErrorCode::unknown_member_id);
  EXPECT_EQ(synced(sync(second, 2)).assignment, bytes("b"));  // Stable: the present one again
  join(request(first));
  EXPECT_EQ(synced(sync(second, 2)).error, ErrorCode::rebalance_in_progress);
}

TEST_F(MembershipTest, SyncWithAnotherProtocolIsInconsistent) {
  const std::string id = settle_one();
  Effects effects;
  coordinator->sync(at, Token{900}, {group, {id, {}, 1}, "connect", "range", {}}, effects);
  coordinator->sync(at, Token{901}, {group, {id, {}, 1}, "consumer", "sticky", {}}, effects);
  coordinator->sync(at, Token{902}, {group, {id, {}, 1}, "consumer", "range", {}}, effects);
  take(effects);
  EXPECT_EQ(synced(Token{900}).error, ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(synced(Token{901}).error, ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(synced(Token{902}).error, ErrorCode::none);
}

TEST_F(MembershipTest, AWaitingSyncLearnsOfANewRebalance) {
  const std::string first = settle_one();
  std::string second, third;
  enter(second);
  join(request(first));
  const Token waiting = sync(second, 2);
  enter(third);
  EXPECT_EQ(synced(waiting).error, ErrorCode::rebalance_in_progress);
}

TEST_F(MembershipTest, WhoNeverSyncsIsDroppedAndTheRestJoinsAgain) {
  const std::string first = settle_one();
  std::string second;
  enter(second);
  join(request(first));
  sync(first, 2, {{first, bytes("a")}, {second, bytes("b")}});
  for (int i = 0; i < 7; ++i) {
    EXPECT_EQ(beat(first, 2), ErrorCode::none);
    EXPECT_EQ(beat(second, 2), ErrorCode::none);  // lives, but does not take its assignment
    later(seconds(8));
  }
  beat(first, 2);
  beat(second, 2);
  later(seconds(5));
  EXPECT_EQ(beat(second, 2), ErrorCode::unknown_member_id);
  EXPECT_EQ(beat(first, 2), ErrorCode::rebalance_in_progress);
}

TEST_F(MembershipTest, HeartbeatByState) {
  EXPECT_EQ(beat("x", 1), ErrorCode::unknown_member_id);
  std::string id;
  enter(id);
  EXPECT_EQ(beat(id, 1), ErrorCode::none);  // Completing
  sync(id, 1, {{id, {}}});
  EXPECT_EQ(beat(id, 1), ErrorCode::none);
  EXPECT_EQ(beat(id, 0), ErrorCode::illegal_generation);
  EXPECT_EQ(beat("x", 1), ErrorCode::unknown_member_id);
  std::string second;
  enter(second);
  EXPECT_EQ(beat(id, 1), ErrorCode::rebalance_in_progress);
  EXPECT_EQ(beat(id, 1), ErrorCode::rebalance_in_progress);  // as often as it asks
}

TEST_F(MembershipTest, ASessionEndsWithoutHeartbeats) {
  const auto [first, second] = settle_two();
  later(seconds(9));
  EXPECT_EQ(beat(first, 2), ErrorCode::none);
  later(seconds(2));
  EXPECT_EQ(beat(second, 2), ErrorCode::unknown_member_id);
  EXPECT_EQ(beat(first, 2), ErrorCode::rebalance_in_progress);
  later(seconds(20));
  EXPECT_EQ(state(), "Empty");
}

TEST_F(MembershipTest, ACommitIsASignOfLife) {
  const std::string id = settle_one();
  later(seconds(9));
  EXPECT_EQ(commit({id, {}, 1}, 5), ErrorCode::none);
  later(seconds(9));
  EXPECT_EQ(beat(id, 1), ErrorCode::none);
}

TEST_F(MembershipTest, LeavingRebalancesTheOthers) {
  const auto [first, second] = settle_two();
  EXPECT_EQ(leave({{second, {}}, {"x", {}}}), (std::vector{ErrorCode::none, ErrorCode::unknown_member_id}));
  EXPECT_EQ(beat(first, 2), ErrorCode::rebalance_in_progress);
  EXPECT_EQ(joined(join(request(first))).generation, 3);
}

TEST_F(MembershipTest, LeavingAnswersTheLeaversOwnJoin) {
  const auto [first, second] = settle_two();
  const Token waiting = join(request(second, {{"range", bytes("other")}}));
  leave({{second, {}}});
  EXPECT_EQ(joined(waiting).error, ErrorCode::unknown_member_id);
}

TEST_F(MembershipTest, LeavingCompletesARebalanceThatWaitedForTheLeaver) {
  const auto [first, second] = settle_two();
  const Token waiting = join(request(second, {{"range", bytes("other")}}));
  leave({{first, {}}});
  EXPECT_EQ(joined(waiting).generation, 3);
}

TEST_F(MembershipTest, APendingMemberMayLeave) {
  const std::string id = joined(join(request(""))).member_id;
  EXPECT_EQ(leave({{id, {}}}).front(), ErrorCode::none);
  EXPECT_EQ(joined(join(request(id))).error, ErrorCode::unknown_member_id);
}

TEST_F(MembershipTest, MembersKeepIdAndGenerationOverARestartAndSessionsBeginAnew) {
  const auto [first, second] = settle_two();
  later(seconds(9));
  restart();
  later(seconds(9));
  EXPECT_EQ(beat(first, 2), ErrorCode::none);
  EXPECT_EQ(beat(second, 2), ErrorCode::none);
  EXPECT_EQ(synced(sync(second, 2)).assignment, bytes("b"));
  later(seconds(11));
  EXPECT_EQ(beat(first, 2), ErrorCode::unknown_member_id);
}

TEST_F(MembershipTest, ARebalanceThatWasNotCompletedIsNotRemembered) {
  const std::string first = settle_one();
  std::string second;
  enter(second);
  join(request(first));  // generation 2, not yet synced
  restart();
  EXPECT_EQ(beat(first, 1), ErrorCode::none);
  EXPECT_EQ(beat(second, 2), ErrorCode::unknown_member_id);
  EXPECT_EQ(beat(first, 2), ErrorCode::illegal_generation);
}

TEST_F(MembershipTest, DescribeShowsStableMembersWithTheirBytes) {
  EXPECT_EQ(coordinator->describe("nobody").state, "Dead");
  const auto [first, second] = settle_two();
  const Described stable = coordinator->describe(group);
  EXPECT_EQ(stable.state, "Stable");
  EXPECT_EQ(stable.protocol_type, "consumer");
  EXPECT_EQ(stable.protocol, "range");
  ASSERT_EQ(stable.members.size(), 2u);
  for (const auto& member : stable.members) {
    EXPECT_EQ(member.metadata, bytes("m"));
    EXPECT_FALSE(member.assignment.empty());
    EXPECT_EQ(member.client_host, "/127.0.0.1");
  }
  join(request(first));
  const Described preparing = coordinator->describe(group);
  EXPECT_EQ(preparing.state, "PreparingRebalance");
  EXPECT_TRUE(preparing.members.front().assignment.empty());
}

TEST_F(MembershipTest, ListNamesGroupsWithTheirStates) {
  settle_one();
  commit({"", {}, -1}, 1);  // refused: the group has members
  const auto all = coordinator->list();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all.front().group, group);
  EXPECT_EQ(all.front().state, "Stable");
  EXPECT_EQ(all.front().protocol_type, "consumer");
}

TEST_F(MembershipTest, OnlyAnEmptyGroupIsDeleted) {
  Effects effects;
  EXPECT_EQ(coordinator->remove(at, group, effects), ErrorCode::group_id_not_found);
  const std::string id = settle_one();
  commit({id, {}, 1}, 5);
  EXPECT_EQ(coordinator->remove(at, group, effects), ErrorCode::non_empty_group);
  leave({{id, {}}});
  EXPECT_EQ(coordinator->remove(at, group, effects), ErrorCode::none);
  take(effects);
  EXPECT_EQ(coordinator->groups(), 0u);
  restart();
  EXPECT_EQ(coordinator->groups(), 0u);
  EXPECT_EQ(committed(), -1);
}

}  // namespace
}  // namespace edgelog::broker::group
