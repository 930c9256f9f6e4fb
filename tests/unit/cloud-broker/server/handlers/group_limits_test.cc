// A small request to the group APIs that names one thing many times ends neither the process nor its memory.
#include "tests/unit/cloud-broker/server/handlers/shard_world.h"

namespace edgelog::broker {
namespace {

class GroupLimits : public ShardWorld {
 protected:
  const std::string longest = std::string(32767, 'g');  // of a string in the protocol

  static wire::OffsetCommitRequest commit_request(const std::string& group, const std::vector<std::int32_t>& partitions,
                                                  const std::string& metadata = "") {
    wire::OffsetCommitRequest request;
    request.group_id = group;
    request.generation_id = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = "a";
    for (std::size_t i = 0; i < partitions.size(); ++i) {
      auto& each = topic.partitions.emplace_back();
      each.partition_index = PartitionIndex{partitions[i]};
      each.committed_offset = Offset{static_cast<std::int64_t>(i)};
      each.committed_metadata = metadata;
    }
    return request;
  }
  static std::vector<std::int32_t> first(std::int32_t count) {
    std::vector<std::int32_t> all;
    for (std::int32_t i = 0; i < count; ++i) all.push_back(i);
    return all;
  }
  static wire::OffsetFetchRequest::Group::Topic repeated(std::size_t times) {
    return {"a", std::vector<PartitionIndex>(times, PartitionIndex{0})};
  }
  wire::OffsetFetchResponse fetch(std::size_t times, wire::Version version) {
    wire::OffsetFetchRequest request;
    if (version >= 8) {
      auto& group = request.groups.emplace_back();
      group.group_id = "g";
      group.topics.emplace().push_back(repeated(times));
    } else {
      request.group_id = "g";
      request.topics.emplace().push_back({"a", repeated(times).partition_indexes});
    }
    return ask<wire::OffsetFetchResponse>(request, version);
  }
};

TEST_F(GroupLimits, ACommitThatRepeatsAPartitionWritesItOnce) {
  create_topic("a");
  const auto request = commit_request(longest, std::vector<std::int32_t>(66'000, 0));
  const auto got = ask<wire::OffsetCommitResponse>(request).topics.at(0).partitions;
  EXPECT_EQ(got.size(), 66'000u);
  EXPECT_EQ(got.back().error_code, ErrorCode::none);
  wire::OffsetFetchRequest fetch;
  fetch.groups.emplace_back().group_id = longest;
  const auto all = ask<wire::OffsetFetchResponse>(fetch).groups.at(0).topics.at(0).partitions;
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].committed_offset, Offset{65'999});
}

TEST_F(GroupLimits, ACommitWhoseRecordsAreTooLargeTogetherIsRefused) {
  create_topic("a", 200);
  const auto refused = ask<wire::OffsetCommitResponse>(commit_request(longest, first(200)));
  for (const auto& each : refused.topics.at(0).partitions)
    EXPECT_EQ(each.error_code, ErrorCode::invalid_commit_offset_size);
  EXPECT_EQ(
      ask<wire::OffsetCommitResponse>(commit_request(longest, first(100))).topics.at(0).partitions.at(0).error_code,
      ErrorCode::none);
}

TEST_F(GroupLimits, AFetchOfOffsetsIsBoundedWithinAGroup) {
  create_topic("a");
  ask<wire::OffsetCommitResponse>(commit_request("g", {0}, std::string(4096, 'm')));
  EXPECT_EQ(fetch(20'000, 7).error_code, ErrorCode::coordinator_not_available);
  EXPECT_TRUE(fetch(20'000, 7).topics.empty());
  EXPECT_EQ(fetch(20'000, 9).groups.at(0).error_code, ErrorCode::coordinator_not_available);
  const auto old = fetch(20'000, 1).topics.at(0).partitions;
  ASSERT_FALSE(old.empty());
  EXPECT_EQ(old.front().error_code, ErrorCode::coordinator_not_available);
  EXPECT_EQ(fetch(10, 7).topics.at(0).partitions.size(), 10u);
}

TEST_F(GroupLimits, WhatNeverWasCommittedIsNotToldWithoutEndEither) {
  create_topic("a");
  EXPECT_EQ(fetch(400'001, 7).error_code, ErrorCode::coordinator_not_available);
  EXPECT_EQ(fetch(400'000, 7).topics.at(0).partitions.size(), 400'000u);
}

TEST_F(GroupLimits, AfterAGroupThatIsTooLargeNoOtherIsToldOf) {
  create_topic("a");
  ask<wire::OffsetCommitResponse>(commit_request("g", {0}, std::string(4096, 'm')));
  wire::OffsetFetchRequest request;
  for (const std::size_t times : {std::size_t{1}, std::size_t{20'000}, std::size_t{1}}) {
    auto& group = request.groups.emplace_back();
    group.group_id = "g";
    group.topics.emplace().push_back(repeated(times));
  }
  const auto groups = ask<wire::OffsetFetchResponse>(request).groups;
  EXPECT_EQ(groups.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(groups.at(1).error_code, ErrorCode::coordinator_not_available);
  EXPECT_EQ(groups.at(2).error_code, ErrorCode::coordinator_not_available);
}

// In more than one batch of tombstones: together they are larger than a segment.
TEST_F(GroupLimits, ADeletedTopicTakesAnyNumberOfOffsetsAlong) {
  create_topic("a", 100);
  const std::vector<std::int32_t> all = first(100);
  for (auto next = all.begin(); next != all.end(); next += 25) {
    const auto got =
        ask<wire::OffsetCommitResponse>(commit_request(longest, {next, next + 25})).topics.at(0).partitions;
    ASSERT_EQ(got.back().error_code, ErrorCode::none);
  }
  wire::AlterConfigsRequest smaller;
  smaller.resources.push_back({2, "__consumer_offsets", {{"cleanup.policy", "compact"}, {"segment.bytes", "2000000"}}});
  ASSERT_EQ(ask<wire::AlterConfigsResponse>(smaller).topics.at(0).error_code, ErrorCode::none);
  wire::DeleteTopicsRequest gone;
  gone.topics.push_back({"a", {}});
  ask<wire::DeleteTopicsResponse>(gone);
  settle();
  EXPECT_EQ(create_topic("a"), ErrorCode::none);
  restart();
  wire::OffsetFetchRequest fetch;
  fetch.groups.emplace_back().group_id = longest;
  EXPECT_TRUE(ask<wire::OffsetFetchResponse>(fetch).groups.at(0).topics.empty());
}

TEST_F(GroupLimits, AnInternalLogRefusesWhatItsPartitionDoesNotTake) {
  create_topic("a", 1, {{"segment.bytes", "1048576"}});
  const auto described = ask<wire::MetadataResponse>(wire::MetadataRequest{});
  Partition* partition = shard->store().find({described.topics.at(0).topic_id, PartitionIndex{0}});
  ASSERT_NE(partition, nullptr);
  InternalLog log;
  const std::vector<LogRecord> few(4, LogRecord{Buffer(200'000), std::nullopt}), many(6, few.front());
  EXPECT_EQ(log.append(*partition, many, at.wall).error, 18);
  EXPECT_EQ(partition->end(), Offset{0});
  EXPECT_EQ(log.append(*partition, few, at.wall).error, 0);
  EXPECT_EQ(partition->end(), Offset{4});
}

}  // namespace
}  // namespace edgelog::broker
