// Static members (KIP-345, KIP-814).
#include "tests/unit/cloud-broker/group/harness.h"

namespace edgelog::broker::group {
namespace {

class StaticTest : public Harness {
 protected:
  static JoinRequest as_instance(const std::string& instance, const std::string& id = "",
                                 std::vector<Protocol> protocols = {{"range", bytes("m")}}) {
    JoinRequest wanted = request(id, std::move(protocols));
    wanted.who.instance_id = instance;
    return wanted;
  }
  std::string settle_static() {
    const JoinResponse in = joined(join(as_instance("i1")));
    EXPECT_EQ(in.error, ErrorCode::none);
    sync(in.member_id, in.generation, {{in.member_id, bytes("all")}}, "i1");
    EXPECT_EQ(state(), "Stable");
    return in.member_id;
  }
};

TEST_F(StaticTest, AStaticMemberIsNotAskedBack) {
  const JoinResponse in = joined(join(as_instance("i1")));
  EXPECT_EQ(in.error, ErrorCode::none);
  EXPECT_EQ(in.member_id.rfind("i1-", 0), 0u);
}

TEST_F(StaticTest, ComingBackUnchangedGivesANewIdAndNoRebalance) {
  const std::string old_id = settle_static();
  const JoinResponse back = joined(join(as_instance("i1")));
  EXPECT_EQ(back.error, ErrorCode::none);
  EXPECT_EQ(back.generation, 1);
  EXPECT_NE(back.member_id, old_id);
  EXPECT_EQ(state(), "Stable");
  EXPECT_EQ(synced(sync(back.member_id, 1, {}, "i1")).assignment, bytes("all"));
}

TEST_F(StaticTest, AnOldClientIsNotToldThatItLeads) {
  const std::string old_id = settle_static();
  const JoinResponse back = joined(join(as_instance("i1")));
  EXPECT_EQ(back.leader, old_id);
  EXPECT_TRUE(back.members.empty());
  EXPECT_FALSE(back.skip_assignment);
}

TEST_F(StaticTest, ANewClientLeadsButSkipsTheAssignment) {
  settle_static();
  JoinRequest wanted = as_instance("i1");
  wanted.knows_skip_assignment = true;
  const JoinResponse back = joined(join(wanted));
  EXPECT_EQ(back.leader, back.member_id);
  EXPECT_TRUE(back.skip_assignment);
  EXPECT_EQ(back.members.size(), 1u);
}

TEST_F(StaticTest, TheOldIdIsFencedEverywhere) {
  const std::string old_id = settle_static();
  join(as_instance("i1"));
  EXPECT_EQ(coordinator->heartbeat(at, group, {old_id, "i1", 1}), ErrorCode::fenced_instance_id);
  EXPECT_EQ(joined(join(as_instance("i1", old_id))).error, ErrorCode::fenced_instance_id);
  EXPECT_EQ(synced(sync(old_id, 1, {}, "i1")).error, ErrorCode::fenced_instance_id);
  EXPECT_EQ(commit({old_id, "i1", 1}, 5), ErrorCode::fenced_instance_id);
  EXPECT_EQ(leave({{old_id, "i1"}}).front(), ErrorCode::fenced_instance_id);
}

TEST_F(StaticTest, ComingBackWithOtherMetadataRebalances) {
  settle_static();
  const JoinResponse back = joined(join(as_instance("i1", "", {{"range", bytes("other")}})));
  EXPECT_EQ(back.generation, 2);
  EXPECT_EQ(back.leader, back.member_id);
}

TEST_F(StaticTest, AWaitingJoinOfTheOldIdIsFenced) {
  const std::string old_id = settle_static();
  std::string dynamic;
  enter(dynamic);  // a rebalance begins, which waits for i1
  const Token waiting = join(as_instance("i1", old_id));
  EXPECT_EQ(joined(waiting).generation, 2);
  std::string third;
  enter(third);
  const Token held = join(as_instance("i1", old_id));
  const Token newer = join(as_instance("i1"));
  EXPECT_EQ(joined(held).error, ErrorCode::fenced_instance_id);
  EXPECT_FALSE(answered(newer));
}

TEST_F(StaticTest, AnAbsentStaticMemberKeepsItsPlaceOverARebalance) {
  const std::string id = settle_static();
  std::string dynamic;
  JoinRequest patient = request("");
  patient.session_timeout = seconds(100);
  const Token waiting = enter(dynamic, patient);
  for (int i = 0; i < 8; ++i) {
    later(seconds(8));
    coordinator->heartbeat(at, group, {id, "i1", 1});
  }
  const JoinResponse in = joined(waiting);
  EXPECT_EQ(in.generation, 2);
  EXPECT_EQ(in.leader, dynamic);
  EXPECT_EQ(in.members.size(), 2u);
}

TEST_F(StaticTest, AnAdministratorRemovesByInstanceAlone) {
  settle_static();
  EXPECT_EQ(leave({{"", "i1"}, {"", "i2"}}), (std::vector{ErrorCode::none, ErrorCode::unknown_member_id}));
  EXPECT_EQ(state(), "Empty");
}

TEST_F(StaticTest, TheNewIdOutlivesARestart) {
  settle_static();
  const std::string id = joined(join(as_instance("i1"))).member_id;
  restart();
  EXPECT_EQ(coordinator->heartbeat(at, group, {id, "i1", 1}), ErrorCode::none);
}

}  // namespace
}  // namespace edgelog::broker::group
