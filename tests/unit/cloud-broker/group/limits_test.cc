// What a client may repeat, make long or leave behind costs no more than the bounds say.
#include "tests/unit/cloud-broker/group/harness.h"

namespace edgelog::broker::group {
namespace {

class LimitsTest : public Harness {
 protected:
  using Places = std::vector<std::pair<std::string, PartitionIndex>>;

  static Places places(int from, int to) {
    Places all;
    for (int i = from; i < to; ++i) all.push_back({"t", PartitionIndex{i}});
    return all;
  }
  // The offset of each is its place in the list.
  std::vector<ErrorCode> commit_all(const Places& all) {
    CommitRequest wanted{group, {"", {}, -1}, {}};
    for (std::size_t i = 0; i < all.size(); ++i)
      wanted.partitions.push_back(
          {all[i].first, all[i].second, {Offset{static_cast<std::int64_t>(i)}, {}, "", at.wall, {}}});
    Effects effects;
    auto errors = coordinator->commit(at, wanted, effects);
    written = effects.records.size();
    take(effects);
    return errors;
  }
  std::vector<ErrorCode> remove_all(const Places& all) {
    Effects effects;
    auto errors = coordinator->remove_offsets(at, group, all, effects);
    written = effects.records.size();
    take(effects);
    return errors;
  }
  std::size_t held() const {
    const Offsets* offsets = coordinator->committed(group);
    return offsets != nullptr ? offsets->size() : 0;
  }
  static bool all_are(const std::vector<ErrorCode>& errors, ErrorCode error) {
    return std::all_of(errors.begin(), errors.end(), [&](ErrorCode each) { return each == error; });
  }
  static JoinRequest as_instance(const std::string& metadata) {
    JoinRequest wanted = request("", {{"range", bytes(metadata)}});
    wanted.who.instance_id = "i";
    return wanted;
  }

  std::size_t written = 0;
};

TEST_F(LimitsTest, ACommitThatIsTooLargeIsRefusedAndChangesNothing) {
  settings.step_bytes_max = 1000;
  start();
  EXPECT_TRUE(all_are(commit_all(places(0, 20)), ErrorCode::invalid_commit_offset_size));
  EXPECT_EQ(written, 0u);
  EXPECT_EQ(held(), 0u);
  EXPECT_TRUE(all_are(commit_all(places(0, 10)), ErrorCode::none));
  EXPECT_EQ(held(), 10u);
}

TEST_F(LimitsTest, OfARepeatedPartitionTheLastIsCommittedAndNoOther) {
  settings.step_bytes_max = 1000;
  start();
  EXPECT_TRUE(all_are(commit_all(Places(1000, {"t", PartitionIndex{0}})), ErrorCode::none));
  EXPECT_EQ(written, 1u);
  EXPECT_EQ(committed(), 999);
}

TEST_F(LimitsTest, ARepeatedPartitionTakesOnePlaceAmongTheOffsetsOfAGroup) {
  settings.offsets_max = 2;
  start();
  EXPECT_EQ(
      commit_all(
          {{"t", PartitionIndex{0}}, {"t", PartitionIndex{0}}, {"t", PartitionIndex{1}}, {"t", PartitionIndex{2}}}),
      (std::vector{ErrorCode::none, ErrorCode::none, ErrorCode::none, ErrorCode::coordinator_not_available}));
}

TEST_F(LimitsTest, ADeletionOfOffsetsThatIsTooLargeIsRefusedAndChangesNothing) {
  settings.step_bytes_max = 1000;
  start();
  commit_all(places(0, 10));
  commit_all(places(10, 20));
  EXPECT_TRUE(all_are(remove_all(places(0, 20)), ErrorCode::invalid_commit_offset_size));
  EXPECT_EQ(held(), 20u);
  EXPECT_TRUE(all_are(remove_all(Places(1000, {"t", PartitionIndex{3}})), ErrorCode::none));
  EXPECT_EQ(written, 1u);
  EXPECT_EQ(held(), 19u);
}

TEST_F(LimitsTest, AGroupWithManyOffsetsIsDeletedInSeveralRequests) {
  settings.step_bytes_max = 1000;
  start();
  commit_all(places(0, 10));
  commit_all(places(10, 20));
  ErrorCode last = ErrorCode::coordinator_not_available;
  int requests = 0;
  for (; requests < 10 && last == ErrorCode::coordinator_not_available; ++requests) {
    Effects effects;
    last = coordinator->remove(at, group, effects);
    EXPECT_LE(effects.records.size(), 12u);
    take(effects);
  }
  EXPECT_EQ(last, ErrorCode::none);
  EXPECT_EQ(requests, 2);
  EXPECT_EQ(coordinator->groups(), 0u);
}

TEST_F(LimitsTest, RebalancesLeaveNoTimersBehind) {
  const std::string id = settle_one();
  const std::size_t before = coordinator->timers();
  for (int i = 0; i < 100; ++i) {
    const Token again = join(request(id, {{"range", bytes(i % 2 == 0 ? "x" : "y")}}));
    EXPECT_EQ(joined(again).generation, 2 + i);
  }
  EXPECT_LE(coordinator->timers(), before + 1);
}

TEST_F(LimitsTest, AGivenIdThatLeavesTakesItsTimerAlong) {
  const std::string first = settle_one();
  const std::size_t before = coordinator->timers();
  for (int i = 0; i < 100; ++i) {
    const std::string id = joined(join(request(""))).member_id;
    EXPECT_EQ(leave({{id, {}}}).front(), ErrorCode::none);
  }
  EXPECT_EQ(coordinator->timers(), before);
}

TEST_F(LimitsTest, AMemberThatLeavesTakesItsTimersAlong) {
  const std::size_t before = coordinator->timers();
  for (int i = 0; i < 100; ++i) {
    std::string id;
    enter(id);
    leave({{id, {}}});
    EXPECT_EQ(state(), "Empty");
  }
  EXPECT_EQ(coordinator->timers(), before);
}

TEST_F(LimitsTest, ASessionThatBecomesShorterMovesItsTimer) {
  const std::string id = settle_one();
  const std::size_t before = coordinator->timers();
  for (int i = 0; i < 100; ++i) {
    JoinRequest wanted = request(id, {{"range", bytes(i % 2 == 0 ? "x" : "y")}});
    wanted.session_timeout = seconds(i % 2 == 0 ? 1800 : 10);
    join(wanted);
  }
  EXPECT_LE(coordinator->timers(), before + 1);
  later(seconds(11));
  EXPECT_EQ(beat(id, 101), ErrorCode::unknown_member_id);
}

TEST_F(LimitsTest, AStaticMemberComesBackWithNoMoreThanThereIsRoomFor) {
  settings.member_bytes_max = 1000;
  start();
  const JoinResponse in = joined(join(as_instance(std::string(500, 'm'))));
  ASSERT_EQ(in.error, ErrorCode::none);
  EXPECT_EQ(joined(join(as_instance(std::string(1001, 'm')))).error, ErrorCode::group_max_size_reached);
  EXPECT_EQ(coordinator->heartbeat(at, group, {in.member_id, "i", in.generation}), ErrorCode::none);
  // What it had before is not counted against it.
  EXPECT_EQ(joined(join(as_instance(std::string(900, 'm')))).error, ErrorCode::none);
}

TEST_F(LimitsTest, AMemberIsNotChargedForTheMetadataThatItReplaces) {
  settings.member_bytes_max = 1000;
  start();
  std::string id;
  enter(id, request("", {{"range", bytes(std::string(700, 'm'))}}));
  EXPECT_EQ(joined(join(request(id, {{"range", bytes(std::string(701, 'n'))}}))).error, ErrorCode::none);
  EXPECT_EQ(joined(join(request(id, {{"range", bytes(std::string(1001, 'n'))}}))).error,
            ErrorCode::group_max_size_reached);
}

TEST_F(LimitsTest, SharesBeyondTheBoundAreRefusedAndTheLeaderMayHandInLess) {
  settings.member_bytes_max = 1000;
  start();
  std::string id;
  enter(id);
  EXPECT_EQ(synced(sync(id, 1, {{id, Buffer(1001)}})).error, ErrorCode::group_max_size_reached);
  EXPECT_EQ(state(), "CompletingRebalance");
  EXPECT_EQ(beat(id, 1), ErrorCode::none);
  // What is for nobody is not kept, and so not counted.
  EXPECT_EQ(synced(sync(id, 1, {{id, bytes("all")}, {"stranger", Buffer(5000)}})).assignment, bytes("all"));
  EXPECT_EQ(state(), "Stable");
}

TEST_F(LimitsTest, ALeaderWhoseSharesAreTooManyIsDroppedAsIfItHadNotSynced) {
  settings.member_bytes_max = 1000;
  start();
  const std::string first = settle_one();
  std::string second;
  enter(second);
  join(request(first));
  const Token waiting = sync(second, 2);
  sync(first, 2, {{first, Buffer(600)}, {second, Buffer(600)}});
  for (int i = 0; i < 8; ++i) {
    beat(first, 2);
    later(seconds(8));
  }
  EXPECT_EQ(synced(waiting).error, ErrorCode::rebalance_in_progress);
  EXPECT_EQ(beat(first, 2), ErrorCode::unknown_member_id);
  EXPECT_EQ(joined(join(request(second))).leader, second);
}

TEST_F(LimitsTest, SharesCountAmongTheBytesOfAllGroups) {
  settings.bytes_max = 1000;
  start();
  std::string id;
  enter(id);
  ASSERT_EQ(synced(sync(id, 1, {{id, Buffer(800)}})).error, ErrorCode::none);
  JoinRequest other = request("", {{"range", Buffer(300)}});
  other.group = "others";
  EXPECT_EQ(joined(join(other)).error, ErrorCode::group_max_size_reached);
  restart();  // what the log holds counts from the start
  EXPECT_EQ(joined(join(other)).error, ErrorCode::group_max_size_reached);
  leave({{id, {}}});
  EXPECT_EQ(joined(join(other)).error, ErrorCode::member_id_required);
}

TEST_F(LimitsTest, AnOffsetOfTheEndOfTimeIsNotOld) {
  CommittedOffset value{Offset{5}, LeaderEpoch{-1}, "", WallMillis{INT64_MAX - 1}, {}};
  Effects effects;
  coordinator->commit(at, {group, {"", {}, -1}, {{"t", PartitionIndex{0}, value}}}, effects);
  take(effects);
  later(seconds(1300));
  EXPECT_EQ(committed(), 5);
}

TEST_F(LimitsTest, OldOffsetsGoInPartsAndAllAtOnce) {
  settings.expiry_bytes_max = 1000;
  start();
  commit_all(places(0, 95));
  at = {at.now + seconds(8 * 86'400), at.wall + seconds(8 * 86'400)};
  int parts = 0;
  for (; parts < 50 && coordinator->deadline() <= at.now; ++parts) {
    Effects effects;
    coordinator->expire(at, effects);
    EXPECT_LE(effects.records.size(), 12u);
    take(effects);
  }
  EXPECT_GE(parts, 8);
  EXPECT_LT(parts, 12);
  EXPECT_EQ(coordinator->groups(), 0u);
}

TEST_F(LimitsTest, APartThatTheLogRefusesWaitsForTheNextLook) {
  settings.expiry_bytes_max = 1000;
  start();
  commit_all(places(0, 95));
  at = {at.now + seconds(8 * 86'400), at.wall + seconds(8 * 86'400)};
  Effects refused;
  coordinator->expire(at, refused);
  EXPECT_FALSE(refused.records.empty());
  Effects next;
  coordinator->expire(at, next);
  EXPECT_TRUE(next.records.empty());
  EXPECT_EQ(coordinator->deadline(), at.now + settings.expiry_check_period);
  later(settings.expiry_check_period);
  EXPECT_EQ(coordinator->groups(), 0u);
}

}  // namespace
}  // namespace edgelog::broker::group
