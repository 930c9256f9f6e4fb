// Committed offsets.
#include "tests/unit/cloud-broker/group/harness.h"

namespace edgelog::broker::group {
namespace {

class OffsetsTest : public Harness {
 protected:
  static Buffer subscription(const std::string& topic) {
    Buffer out(2 + 4 + 2);
    store_big<std::int16_t>(out.data(), 1);
    store_big<std::int32_t>(out.data() + 2, 1);
    store_big<std::int16_t>(out.data() + 6, static_cast<std::int16_t>(topic.size()));
    append(out, as_bytes(topic));
    return out;
  }
};

TEST_F(OffsetsTest, ASimpleConsumerCommitsToAnUnknownGroup) {
  EXPECT_EQ(commit({"", {}, -1}, 5), ErrorCode::none);
  EXPECT_EQ(committed(), 5);
  EXPECT_EQ(coordinator->describe(group).state, "Empty");
  EXPECT_EQ(coordinator->describe(group).protocol_type, "");
}

TEST_F(OffsetsTest, AGenerationOfAnUnknownGroupIsIllegal) {
  EXPECT_EQ(commit({"m", {}, 3}, 5), ErrorCode::group_id_not_found);
}

TEST_F(OffsetsTest, WithMembersOnlyMembersCommit) {
  const std::string id = settle_one();
  EXPECT_EQ(commit({"", {}, -1}, 5), ErrorCode::unknown_member_id);
  EXPECT_EQ(commit({"x", {}, 1}, 5), ErrorCode::unknown_member_id);
  EXPECT_EQ(commit({id, {}, 0}, 5), ErrorCode::illegal_generation);
  EXPECT_EQ(commit({id, {}, 1}, 5), ErrorCode::none);
  EXPECT_EQ(committed(), 5);
}

TEST_F(OffsetsTest, WhileCompletingNobodyCommitsAndWhilePreparingMembersDo) {
  std::string id;
  enter(id);
  EXPECT_EQ(commit({id, {}, 1}, 5), ErrorCode::rebalance_in_progress);
  sync(id, 1, {{id, {}}});
  std::string second;
  enter(second);
  EXPECT_EQ(state(), "PreparingRebalance");
  EXPECT_EQ(commit({id, {}, 1}, 6), ErrorCode::none);
}

TEST_F(OffsetsTest, AnEmptyGroupTakesAnAdministratorsCommit) {
  const std::string id = settle_one();
  leave({{id, {}}});
  EXPECT_EQ(commit({"", {}, -1}, 9), ErrorCode::none);
  EXPECT_EQ(commit({id, {}, 1}, 9), ErrorCode::unknown_member_id);
}

TEST_F(OffsetsTest, LongMetadataIsRefused) {
  EXPECT_EQ(commit({"", {}, -1}, 5, "t", std::string(4096, 'm')), ErrorCode::none);
  EXPECT_EQ(commit({"", {}, -1}, 6, "t", std::string(4097, 'm')), ErrorCode::offset_metadata_too_large);
  EXPECT_EQ(committed(), 5);
}

TEST_F(OffsetsTest, NothingIsChangedBeforeTheRecordIsReplayed) {
  Effects effects;
  coordinator->commit(at, {group, {"", {}, -1}, {{"t", PartitionIndex{0}, {Offset{5}, {}, "", at.wall, {}}}}}, effects);
  EXPECT_EQ(committed(), -1);
  take(effects);
  EXPECT_EQ(committed(), 5);
}

TEST_F(OffsetsTest, OffsetsOutliveARestartWithAllTheirFields) {
  commit({"", {}, -1}, 5, "t", "note");
  restart();
  const auto* found = coordinator->committed(group, "t", PartitionIndex{0});
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->offset, Offset{5});
  EXPECT_EQ(found->leader_epoch, LeaderEpoch{3});
  EXPECT_EQ(found->metadata, "note");
}

TEST_F(OffsetsTest, OffsetsOfASimpleGroupExpireAfterTheirCommit) {
  commit({"", {}, -1}, 5);
  later(seconds(7 * 86'400 - 700));
  EXPECT_EQ(committed(), 5);
  later(seconds(1400));
  EXPECT_EQ(committed(), -1);
  EXPECT_EQ(coordinator->groups(), 0u);
}

TEST_F(OffsetsTest, OffsetsOfAGroupExpireAfterItBecameEmpty) {
  const std::string id = settle_one();
  commit({id, {}, 1}, 5);
  for (int day = 0; day < 9; ++day) {
    for (int i = 0; i < 86'400 / 9; ++i) {
      later(seconds(9));
      ASSERT_EQ(beat(id, 1), ErrorCode::none);
    }
  }
  EXPECT_EQ(committed(), 5);
  leave({{id, {}}});
  later(seconds(6 * 86'400));
  EXPECT_EQ(committed(), 5);
  restart();
  later(seconds(86'400 + 700));
  EXPECT_EQ(committed(), -1);
}

TEST_F(OffsetsTest, ARetentionOfTheClientsOwnCounts) {
  CommittedOffset value{Offset{5}, LeaderEpoch{-1}, "", at.wall, at.wall + seconds(60)};
  Effects effects;
  coordinator->commit(at, {group, {"", {}, -1}, {{"t", PartitionIndex{0}, value}}}, effects);
  take(effects);
  later(seconds(1300));
  EXPECT_EQ(committed(), -1);
}

TEST_F(OffsetsTest, OffsetsOfTopicsNobodySubscribesToExpireInALiveGroup) {
  std::string id;
  enter(id, request("", {{"range", subscription("kept")}}));
  sync(id, 1, {{id, {}}});
  commit({id, {}, 1}, 5, "kept");
  commit({id, {}, 1}, 6, "left");
  for (int i = 0; i < (7 * 86'400 + 1400) / 9; ++i) {
    later(seconds(9));
    ASSERT_EQ(beat(id, 1), ErrorCode::none);
  }
  EXPECT_EQ(committed("kept"), 5);
  EXPECT_EQ(committed("left"), -1);
}

TEST_F(OffsetsTest, ADeletedTopicTakesItsOffsetsAlong) {
  commit({"", {}, -1}, 5, "gone");
  commit({"", {}, -1}, 6, "stays");
  Effects effects;
  coordinator->topic_removed("gone", effects);
  take(effects);
  EXPECT_EQ(committed("gone"), -1);
  EXPECT_EQ(committed("stays"), 6);
}

TEST_F(OffsetsTest, OffsetsOfASubscribedTopicAreNotDeleted) {
  std::string id;
  enter(id, request("", {{"range", subscription("t")}}));
  sync(id, 1, {{id, {}}});
  commit({id, {}, 1}, 5, "t");
  commit({id, {}, 1}, 5, "u");
  Effects effects;
  EXPECT_EQ(coordinator->remove_offsets(at, group, {{"t", PartitionIndex{0}}, {"u", PartitionIndex{0}}}, effects),
            (std::vector{ErrorCode::group_subscribed_to_topic, ErrorCode::none}));
  take(effects);
  EXPECT_EQ(committed("t"), 5);
  EXPECT_EQ(committed("u"), -1);
}

TEST_F(OffsetsTest, TheBoundOnOffsetsOfAGroupHolds) {
  settings.offsets_max = 2;
  start();
  EXPECT_EQ(commit({"", {}, -1}, 1, "a"), ErrorCode::none);
  EXPECT_EQ(commit({"", {}, -1}, 1, "b"), ErrorCode::none);
  EXPECT_EQ(commit({"", {}, -1}, 1, "c"), ErrorCode::coordinator_not_available);
  EXPECT_EQ(commit({"", {}, -1}, 2, "b"), ErrorCode::none);
}

}  // namespace
}  // namespace edgelog::broker::group
