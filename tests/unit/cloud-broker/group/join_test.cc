// JoinGroup, rule by rule.
#include "tests/unit/cloud-broker/group/harness.h"

namespace edgelog::broker::group {
namespace {

class JoinTest : public Harness {};

TEST_F(JoinTest, SessionTimeoutOutsideTheBoundsIsRefused) {
  JoinRequest wanted = request("");
  wanted.session_timeout = milliseconds(5'999);
  EXPECT_EQ(joined(join(wanted)).error, ErrorCode::invalid_session_timeout);
  wanted.session_timeout = milliseconds(1'800'001);
  EXPECT_EQ(joined(join(wanted)).error, ErrorCode::invalid_session_timeout);
  EXPECT_EQ(coordinator->groups(), 0u);
}

TEST_F(JoinTest, ANewDynamicMemberGetsItsIdFirst) {
  const JoinResponse asked = joined(join(request("")));
  EXPECT_EQ(asked.error, ErrorCode::member_id_required);
  EXPECT_EQ(asked.member_id.rfind("client-", 0), 0u);
  EXPECT_EQ(asked.member_id.size(), std::string("client-").size() + 36);
}

TEST_F(JoinTest, AnOldClientGetsItsIdAtOnce) {
  JoinRequest wanted = request("");
  wanted.knows_member_id_required = false;
  const JoinResponse in = joined(join(wanted));
  EXPECT_EQ(in.error, ErrorCode::none);
  EXPECT_EQ(in.generation, 1);
  EXPECT_EQ(in.leader, in.member_id);
}

TEST_F(JoinTest, APendingIdExpiresWithTheSession) {
  const std::string id = joined(join(request(""))).member_id;
  later(seconds(11));
  EXPECT_EQ(joined(join(request(id))).error, ErrorCode::unknown_member_id);
}

TEST_F(JoinTest, APendingMemberHoldsUpTheRebalanceUntilItExpires) {
  const std::string first = settle_one();
  join(request(""));  // asks for an id and never comes back
  const Token rejoin = join(request(first, {{"range", bytes("changed")}}));
  EXPECT_FALSE(answered(rejoin));
  later(seconds(11));
  EXPECT_EQ(joined(rejoin).generation, 2);
}

TEST_F(JoinTest, AnUnknownIdIsRefused) {
  EXPECT_EQ(joined(join(request("stranger"))).error, ErrorCode::unknown_member_id);
  settle_one();
  EXPECT_EQ(joined(join(request("stranger"))).error, ErrorCode::unknown_member_id);
}

TEST_F(JoinTest, NoProtocolsOrNoTypeIsInconsistent) {
  EXPECT_EQ(joined(join(request("", {}))).error, ErrorCode::inconsistent_group_protocol);
  JoinRequest untyped = request("");
  untyped.protocol_type.clear();
  EXPECT_EQ(joined(join(untyped)).error, ErrorCode::inconsistent_group_protocol);
}

TEST_F(JoinTest, AnotherTypeOrNoCommonProtocolIsInconsistent) {
  settle_one();
  JoinRequest other = request("");
  other.protocol_type = "connect";
  EXPECT_EQ(joined(join(other)).error, ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(joined(join(request("", {{"sticky", bytes("m")}}))).error, ErrorCode::inconsistent_group_protocol);
  EXPECT_EQ(state(), "Stable");
}

TEST_F(JoinTest, TooManyMembersAreRefused) {
  settings.members_max = 1;
  start();
  settle_one();
  EXPECT_EQ(joined(join(request(""))).error, ErrorCode::group_max_size_reached);
}

TEST_F(JoinTest, TheFirstMemberLeadsAndOnlyTheLeaderSeesTheMembers) {
  const std::string first = settle_one();
  std::string second;
  const Token waiting = enter(second);
  EXPECT_FALSE(answered(waiting));
  const JoinResponse leader = joined(join(request(first)));
  const JoinResponse follower = joined(waiting);
  EXPECT_EQ(leader.leader, first);
  EXPECT_EQ(follower.leader, first);
  EXPECT_EQ(leader.members.size(), 2u);
  EXPECT_TRUE(follower.members.empty());
  EXPECT_EQ(leader.generation, 2);
  EXPECT_EQ(follower.generation, 2);
}

TEST_F(JoinTest, TheProtocolWithMostVotesAmongTheCommonOnesIsChosen) {
  std::string a, b, c;
  settings.initial_rebalance_delay = seconds(3);
  start();
  const Token first = enter(a, request("", {{"x", bytes("1")}, {"y", bytes("2")}, {"z", bytes("3")}}));
  enter(b, request("", {{"only-b", bytes("0")}, {"y", bytes("2")}, {"x", bytes("1")}}));
  enter(c, request("", {{"y", bytes("2")}, {"x", bytes("1")}}));
  later(seconds(7));
  EXPECT_EQ(joined(first).protocol, "y");
}

TEST_F(JoinTest, AnEmptyGroupWaitsForMoreMembers) {
  settings.initial_rebalance_delay = seconds(3);
  start();
  std::string a, b;
  const Token first = enter(a);
  later(seconds(2));
  EXPECT_FALSE(answered(first));
  const Token second = enter(b);
  later(seconds(2));
  EXPECT_FALSE(answered(first));  // extended, since a member came
  later(seconds(2));
  EXPECT_EQ(joined(first).generation, 1);
  EXPECT_EQ(joined(second).generation, 1);
}

TEST_F(JoinTest, TheWaitOfAnEmptyGroupEndsWithTheRebalanceTimeout) {
  settings.initial_rebalance_delay = seconds(3);
  start();
  JoinRequest hasty = request("");
  hasty.rebalance_timeout = seconds(5);
  std::string id;
  const Token first = enter(id, hasty);
  for (int i = 0; i < 3; ++i) {
    later(seconds(1));
    std::string more;
    JoinRequest another = hasty;
    enter(more, another);
  }
  later(seconds(2));
  EXPECT_EQ(joined(first).generation, 1);
}

TEST_F(JoinTest, WhoDoesNotRejoinInTimeIsDropped) {
  const auto [first, second] = settle_two();
  const Token again = join(request(second, {{"range", bytes("changed")}}));
  for (int i = 0; i < 8; ++i) {
    later(seconds(7));
    EXPECT_EQ(beat(first, 2), ErrorCode::rebalance_in_progress);  // lives, but does not join
  }
  EXPECT_FALSE(answered(again));
  later(seconds(5));
  const JoinResponse alone = joined(again);
  EXPECT_EQ(alone.generation, 3);
  EXPECT_EQ(alone.leader, second);  // the old leader is gone
  EXPECT_EQ(beat(first, 2), ErrorCode::unknown_member_id);
}

TEST_F(JoinTest, ALeaderThatJoinsAgainAlwaysStartsARebalance) {
  const auto [first, second] = settle_two();
  const Token again = join(request(first));
  EXPECT_FALSE(answered(again));
  EXPECT_EQ(state(), "PreparingRebalance");
  EXPECT_EQ(beat(second, 2), ErrorCode::rebalance_in_progress);
}

TEST_F(JoinTest, AFollowerThatJoinsAgainUnchangedGetsThePresentGeneration) {
  const auto [first, second] = settle_two();
  const JoinResponse same = joined(join(request(second)));
  EXPECT_EQ(same.error, ErrorCode::none);
  EXPECT_EQ(same.generation, 2);
  EXPECT_TRUE(same.members.empty());
  EXPECT_EQ(state(), "Stable");
}

TEST_F(JoinTest, AFollowerWithOtherMetadataStartsARebalance) {
  const auto [first, second] = settle_two();
  EXPECT_FALSE(answered(join(request(second, {{"range", bytes("other")}}))));
  EXPECT_EQ(state(), "PreparingRebalance");
}

TEST_F(JoinTest, WhileCompletingTheSameJoinGetsTheSameAnswer) {
  std::string id;
  const Token token = enter(id);
  const JoinResponse again = joined(join(request(id)));
  EXPECT_EQ(again.generation, joined(token).generation);
  EXPECT_EQ(again.members.size(), 1u);  // the leader needs them once more
  EXPECT_EQ(state(), "CompletingRebalance");
}

TEST_F(JoinTest, WhileCompletingAChangedJoinStartsOver) {
  std::string id;
  enter(id);
  const JoinResponse next = joined(join(request(id, {{"range", bytes("changed")}})));
  EXPECT_EQ(next.generation, 2);
}

TEST_F(JoinTest, ASecondJoinTakesThePlaceOfTheFirst) {
  const auto [first, second] = settle_two();
  const Token old = join(request(second, {{"range", bytes("other")}}));
  const Token now = join(request(second, {{"range", bytes("other")}}));
  EXPECT_EQ(joined(old).error, ErrorCode::rebalance_in_progress);
  EXPECT_FALSE(answered(now));
}

TEST_F(JoinTest, WhoWaitsForTheRebalanceLivesWithoutHeartbeats) {
  const auto [first, second] = settle_two();
  const Token waiting = join(request(second, {{"range", bytes("other")}}));
  for (int i = 0; i < 5; ++i) {
    later(seconds(8));
    beat(first, 2);
  }
  EXPECT_FALSE(answered(waiting));
  EXPECT_EQ(joined(join(request(first))).generation, 3);
  EXPECT_EQ(joined(waiting).generation, 3);
}

TEST_F(JoinTest, TheGenerationGoesOnAfterAllHaveLeft) {
  const std::string id = settle_one();
  leave({{id, {}}});
  EXPECT_EQ(state(), "Empty");
  std::string next;
  EXPECT_EQ(joined(enter(next)).generation, 3);  // 2 was the empty one
}

TEST_F(JoinTest, ARefusedJoinLeavesNoGroupBehind) {
  join(request("", {}));
  EXPECT_EQ(coordinator->groups(), 0u);
}

}  // namespace
}  // namespace edgelog::broker::group
