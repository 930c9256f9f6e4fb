// The group APIs over the wire; the rules themselves are tested in cloud-broker/group.
#include "tests/unit/cloud-broker/server/handlers/shard_world.h"

namespace edgelog::broker {
namespace {

class Groups : public ShardWorld {
 protected:
  const Buffer metadata = Buffer(3, std::byte{1});
  const Buffer assignment = Buffer(5, std::byte{2});

  wire::JoinGroupRequest join_request(const std::string& member) {
    wire::JoinGroupRequest request;
    request.group_id = "g";
    request.session_timeout_ms = wire::Millis{10'000};
    request.rebalance_timeout_ms = wire::Millis{30'000};
    request.member_id = member;
    request.protocol_type = "consumer";
    request.protocols.push_back({"range", metadata});
    return request;
  }
  wire::SyncGroupRequest sync_request(const wire::JoinGroupResponse& in) {
    wire::SyncGroupRequest sync;
    sync.group_id = "g";
    sync.generation_id = in.generation_id;
    sync.member_id = in.member_id;
    sync.protocol_type = "consumer";
    sync.protocol_name = "range";
    sync.assignments.push_back({in.member_id, assignment});
    return sync;
  }
  std::string settle_one() {
    const auto asked = ask<wire::JoinGroupResponse>(join_request(""));
    EXPECT_EQ(asked.error_code, ErrorCode::member_id_required);
    const auto in = ask<wire::JoinGroupResponse>(join_request(asked.member_id));
    EXPECT_EQ(in.error_code, ErrorCode::none);
    EXPECT_EQ(in.members.size(), 1u);
    const Ticket ticket = send(sync_request(in), 5);
    EXPECT_FALSE(answered(ticket));  // not before it is durable
    settle();
    const auto synced = response<wire::SyncGroupResponse>(ticket, 5);
    EXPECT_EQ(synced.error_code, ErrorCode::none);
    EXPECT_EQ(Buffer(synced.assignment.begin(), synced.assignment.end()), assignment);
    return in.member_id;
  }
  wire::OffsetCommitRequest commit_request(const std::string& member, std::int32_t generation, std::int64_t offset) {
    wire::OffsetCommitRequest request;
    request.group_id = "g";
    request.member_id = member;
    request.generation_id = generation;
    auto& topic = request.topics.emplace_back();
    topic.name = "a";
    topic.partitions.emplace_back();
    topic.partitions[0].committed_offset = Offset{offset};
    topic.partitions[0].committed_metadata = "note";
    return request;
  }
  // Topic "a", for which an offset was committed: answered, and the turn in which the offset goes has not ended.
  void delete_with_an_offset() {
    ask<wire::OffsetCommitResponse>(commit_request("", -1, 5));
    wire::DeleteTopicsRequest gone;
    gone.topics.push_back({"a", {}});
    const Ticket ticket = send(gone, wire::DeleteTopicsRequest::api.last);
    shard->end_of_turn(at);
    disk.complete_all();
    ASSERT_TRUE(answered(ticket));
  }
  // First in large steps, then in such as a tombstone takes: no room is left for one.
  void fill_disk() {
    disk.set_capacity(disk.used_bytes());
    for (const std::size_t note : {4096u, 0u}) {
      auto error = ErrorCode::none;
      for (int i = 0; i < 20'000 && error == ErrorCode::none; ++i) {
        auto request = commit_request("", -1, i);
        request.topics[0].name = "b";
        request.topics[0].partitions[0].committed_metadata = std::string(note, 'm');
        const Ticket refused = send(request, 9);
        if (answered(refused))
          error = response<wire::OffsetCommitResponse>(refused, 9).topics.at(0).partitions.at(0).error_code;
      }
      ASSERT_EQ(error, ErrorCode::coordinator_not_available);
    }
  }
  static wire::CreateTopicsRequest create_again() {
    wire::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = "a";
    topic.num_partitions = topic.replication_factor = 1;
    return request;
  }
  // At once, one after the other; the ticket is that of the creation.
  Ticket delete_and_create() {
    wire::DeleteTopicsRequest gone;
    gone.topics.push_back({"a", {}});
    send(gone, wire::DeleteTopicsRequest::api.last);
    return send(create_again(), wire::CreateTopicsRequest::api.last);
  }
  std::int64_t fetched(wire::Version version) {
    wire::OffsetFetchRequest request;
    if (version >= 8) {
      auto& group = request.groups.emplace_back();
      group.group_id = "g";
      group.topics.emplace().push_back({"a", {PartitionIndex{0}}});
      return ask<wire::OffsetFetchResponse>(request, version)
          .groups.at(0)
          .topics.at(0)
          .partitions.at(0)
          .committed_offset.value();
    }
    request.group_id = "g";
    request.topics.emplace().push_back({"a", {PartitionIndex{0}}});
    return ask<wire::OffsetFetchResponse>(request, version).topics.at(0).partitions.at(0).committed_offset.value();
  }
};

TEST_F(Groups, FindCoordinatorMakesTheOffsetsTopicAndNamesThisBroker) {
  for (wire::Version version = 0; version <= 6; ++version) {
    wire::FindCoordinatorRequest request{"g", 0, {"g", ""}};
    const auto got = ask<wire::FindCoordinatorResponse>(request, version);
    if (version < 4) {
      EXPECT_EQ(got.error_code, ErrorCode::none);
      EXPECT_EQ(got.node_id, NodeId{1});
    } else {
      EXPECT_EQ(got.coordinators.at(0).port, 9092);
      EXPECT_EQ(got.coordinators.at(1).error_code, ErrorCode::none);  // as Kafka; JoinGroup refuses it
    }
  }
  const auto all = ask<wire::MetadataResponse>(wire::MetadataRequest{});
  ASSERT_EQ(all.topics.size(), 1u);
  EXPECT_EQ(all.topics[0].name, "__consumer_offsets");
  EXPECT_TRUE(all.topics[0].is_internal);
  wire::FindCoordinatorRequest transaction{"t", 1, {"t"}};
  EXPECT_EQ(ask<wire::FindCoordinatorResponse>(transaction).coordinators.at(0).error_code,
            ErrorCode::transactional_id_authorization_failed);
}

TEST_F(Groups, AMemberWithItsWholeLife) {
  create_topic("a");
  const std::string id = settle_one();
  wire::HeartbeatRequest beat{"g", 1, id, {}};
  EXPECT_EQ(ask<wire::HeartbeatResponse>(beat).error_code, ErrorCode::none);
  const Ticket commit = send(commit_request(id, 1, 42), 9);
  EXPECT_FALSE(answered(commit));  // not before it is durable
  settle();
  EXPECT_EQ(response<wire::OffsetCommitResponse>(commit, 9).topics[0].partitions[0].error_code, ErrorCode::none);
  for (wire::Version version = 1; version <= 9; ++version) EXPECT_EQ(fetched(version), 42);

  restart();  // kill -9: the member lives on
  EXPECT_EQ(ask<wire::HeartbeatResponse>(beat).error_code, ErrorCode::none);
  EXPECT_EQ(fetched(9), 42);

  wire::DescribeGroupsRequest describe{{"g", "nobody"}, true};
  const auto described = ask<wire::DescribeGroupsResponse>(describe).groups;
  EXPECT_EQ(described.at(0).group_state, "Stable");
  EXPECT_EQ(described.at(0).members.at(0).client_host, "/10.0.0.9");
  EXPECT_EQ(described.at(0).members.at(0).member_assignment.size(), assignment.size());
  EXPECT_EQ(described.at(1).group_state, "Dead");
  const auto listed = ask<wire::ListGroupsResponse>(wire::ListGroupsRequest{{"stable"}, {}}).groups;
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].group_type, "classic");
  EXPECT_TRUE(ask<wire::ListGroupsResponse>(wire::ListGroupsRequest{{"Empty"}, {}}).groups.empty());

  EXPECT_EQ(ask<wire::DeleteGroupsResponse>(wire::DeleteGroupsRequest{{"g"}}).results.at(0).error_code,
            ErrorCode::non_empty_group);
  wire::LeaveGroupRequest leave;
  leave.group_id = "g";
  leave.members.push_back({id, {}, "bye"});
  leave.members.push_back({"stranger", {}, {}});
  const auto left = ask<wire::LeaveGroupResponse>(leave);
  EXPECT_EQ(left.members.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(left.members.at(1).error_code, ErrorCode::unknown_member_id);
  EXPECT_EQ(ask<wire::DeleteGroupsResponse>(wire::DeleteGroupsRequest{{"g"}}).results.at(0).error_code,
            ErrorCode::none);
  EXPECT_EQ(ask<wire::DeleteGroupsResponse>(wire::DeleteGroupsRequest{{"g"}}).results.at(0).error_code,
            ErrorCode::group_id_not_found);
  EXPECT_EQ(fetched(9), -1);
}

TEST_F(Groups, AnOldClientJoinsAtOnce) {
  for (wire::Version version = 0; version <= 3; ++version) {
    auto request = join_request("");
    request.group_id = "old" + std::to_string(version);
    const auto in = ask<wire::JoinGroupResponse>(request, version);
    EXPECT_EQ(in.error_code, ErrorCode::none);
    EXPECT_EQ(in.leader, in.member_id);
    wire::LeaveGroupRequest leave;
    leave.group_id = request.group_id;
    leave.member_id = in.member_id;
    EXPECT_EQ(ask<wire::LeaveGroupResponse>(leave, 1).error_code, ErrorCode::none);
    EXPECT_EQ(ask<wire::LeaveGroupResponse>(leave, 1).error_code, ErrorCode::unknown_member_id);
  }
}

TEST_F(Groups, AnUncommittedOffsetIsShownToNobody) {
  create_topic("a");
  ask<wire::OffsetCommitResponse>(commit_request("", -1, 5));
  send(commit_request("", -1, 6), 9);
  wire::OffsetFetchRequest request;
  request.groups.emplace_back().group_id = "g";
  const Ticket early = send(request, 8);
  EXPECT_FALSE(answered(early));
  settle();
  EXPECT_EQ(response<wire::OffsetFetchResponse>(early, 8).groups.at(0).topics.at(0).partitions.at(0).committed_offset,
            Offset{6});
}

// Seed 993 of the broker's simulator: what waited for one commit to be durable showed the next one, which was not.
TEST_F(Groups, WhatIsCommittedWhileAnOffsetIsAwaitedIsNotShown) {
  create_topic("a");
  send(commit_request("", -1, 6), 9);
  wire::OffsetFetchRequest request;
  request.groups.emplace_back().group_id = "g";
  const Ticket early = send(request, 8);
  shard->end_of_turn(at);
  send(commit_request("", -1, 7), 9);
  disk.complete_all();
  ASSERT_TRUE(answered(early));
  EXPECT_EQ(response<wire::OffsetFetchResponse>(early, 8).groups.at(0).topics.at(0).partitions.at(0).committed_offset,
            Offset{6});
  settle();
  EXPECT_EQ(fetched(9), 7);
}

TEST_F(Groups, CommitsToUnknownPartitionsAreRefusedOneByOne) {
  create_topic("a");
  auto request = commit_request("", -1, 5);
  request.topics[0].partitions.push_back(request.topics[0].partitions[0]);
  request.topics[0].partitions[1].partition_index = PartitionIndex{7};
  for (wire::Version version = 1; version <= 9; ++version) {
    const auto got = ask<wire::OffsetCommitResponse>(request, version).topics.at(0).partitions;
    EXPECT_EQ(got.at(0).error_code, ErrorCode::none);
    EXPECT_EQ(got.at(1).error_code, ErrorCode::unknown_topic_or_partition);
  }
}

TEST_F(Groups, ADeletedTopicTakesItsOffsetsAlong) {
  create_topic("a");
  ask<wire::OffsetCommitResponse>(commit_request("", -1, 5));
  wire::DeleteTopicsRequest gone;
  gone.topics.push_back({"a", {}});
  ask<wire::DeleteTopicsResponse>(gone);
  settle();
  EXPECT_EQ(fetched(9), -1);
}

// Seed 1119 of the broker's simulator: the deletion was durable and answered, the process died before that of the
// offsets was.
TEST_F(Groups, OffsetsOfADeletedTopicDoNotOutliveACrash) {
  create_topic("a");
  delete_with_an_offset();
  restart();
  create_topic("a");
  EXPECT_EQ(fetched(9), -1);
}

// Seed 65547 of the broker's simulator: a topic of the same name was made before the deletion was durable, and the
// process died before the deletion of the offsets was.
TEST_F(Groups, ATopicIsMadeAgainAfterTheOffsetsOfItsPredecessorWent) {
  create_topic("a");
  ask<wire::OffsetCommitResponse>(commit_request("", -1, 5));
  const Ticket again = delete_and_create();
  shard->end_of_turn(at);
  disk.complete_all();
  EXPECT_FALSE(answered(again)) << "the offsets of its predecessor are there still";
  restart();
  create_topic("a");
  EXPECT_EQ(fetched(9), -1);
}

// A start may keep what stands in a segment and no round tells of: the topic's record and not the tombstones, where
// both were written at once.
TEST_F(Groups, ATopicIsMadeAgainOnceItIsDurableThatTheOffsetsWent) {
  int made = 0;
  for (std::uint64_t cut = 1; cut <= 40; ++cut) {
    create_topic("a");
    ask<wire::OffsetCommitResponse>(commit_request("", -1, 5));
    delete_and_create();
    for (int round = 0; round < 2; ++round) {
      shard->end_of_turn(at);
      if (round == 0) disk.complete_all();
    }
    Prng random(cut);
    shard.reset();
    disk.power_cut(random, edgelog::testing::Survival::mixed);
    start();
    if (create_topic("a") == ErrorCode::topic_already_exists) ++made;
    EXPECT_EQ(fetched(9), -1) << cut;
    wire::DeleteTopicsRequest gone;
    gone.topics.push_back({"a", {}});
    ask<wire::DeleteTopicsResponse>(gone);
    settle();
  }
  EXPECT_EQ(made, 0);
}

TEST_F(Groups, AFullDiskForgetsNoGroupThatItCannotDelete) {
  store_config.free_bytes_min = 1 << 20;
  store_config.journal_file_bytes = 64 << 10;
  create_topic("a");
  create_topic("b");
  ask<wire::OffsetCommitResponse>(commit_request("", -1, 5));
  fill_disk();
  wire::DeleteGroupsRequest gone;
  gone.groups.push_back("g");
  EXPECT_EQ(ask<wire::DeleteGroupsResponse>(gone).results.at(0).error_code, ErrorCode::coordinator_not_available);
  EXPECT_EQ(fetched(9), 5);
  disk.set_capacity(std::uint64_t{1} << 40);
  restart();
  EXPECT_EQ(fetched(9), 5);
}

TEST_F(Groups, AGroupIsListedOnceItIsDurable) {
  create_topic("a");
  ask<wire::OffsetCommitResponse>(commit_request("", -1, 5));
  wire::DeleteGroupsRequest gone;
  gone.groups.push_back("g");
  send(gone, wire::DeleteGroupsRequest::api.last);
  const Ticket listed = send(wire::ListGroupsRequest{}, wire::ListGroupsRequest::api.last);
  EXPECT_FALSE(answered(listed)) << "a crash now would bring the group back";
  settle();
  EXPECT_TRUE(response<wire::ListGroupsResponse>(listed, wire::ListGroupsRequest::api.last).groups.empty());
}

TEST_F(Groups, WhatWaitsForADiskThatStandsStillIsBounded) {
  create_topic("a");
  const Ticket commit = send(commit_request("", -1, 5), 9);
  wire::OffsetFetchRequest request;
  request.groups.emplace_back().group_id = "g";
  int held = 0;
  for (; held < 200'000 && closed_.empty(); ++held) send(request, 8);
  EXPECT_LE(held, 100'000);
  settle();
  EXPECT_TRUE(answered(commit));
  EXPECT_EQ(fetched(9), 5);
}

TEST_F(Groups, NothingIsCommittedForATopicThatWaitsForItsPredecessor) {
  create_topic("a");
  ask<wire::OffsetCommitResponse>(commit_request("", -1, 5));
  const Ticket first = delete_and_create(), second = send(create_again(), wire::CreateTopicsRequest::api.last);
  const Ticket commit = send(commit_request("", -1, 7), 9);
  settle();
  EXPECT_EQ(response<wire::CreateTopicsResponse>(first, wire::CreateTopicsRequest::api.last).topics.at(0).error_code,
            ErrorCode::none);
  EXPECT_EQ(response<wire::CreateTopicsResponse>(second, wire::CreateTopicsRequest::api.last).topics.at(0).error_code,
            ErrorCode::topic_already_exists);
  // Else it would go with those of the predecessor, and had been acknowledged.
  EXPECT_EQ(response<wire::OffsetCommitResponse>(commit, 9).topics.at(0).partitions.at(0).error_code,
            ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(fetched(9), -1);
}

// Seed 1997 of the broker's simulator: the disk became full between the deletion and that of the offsets.
TEST_F(Groups, OffsetsOfADeletedTopicDoNotOutliveAFullDisk) {
  store_config.free_bytes_min = 1 << 20;
  store_config.journal_file_bytes = 64 << 10;
  create_topic("a");
  create_topic("b");
  delete_with_an_offset();
  fill_disk();
  shard->end_of_turn(at);
  EXPECT_EQ(create_topic("a"), ErrorCode::kafka_storage_error) << "a start would bring them back into it";
  disk.set_capacity(std::uint64_t{1} << 40);
  later(seconds(9));
  settle();
  EXPECT_EQ(create_topic("a"), ErrorCode::none);
  EXPECT_EQ(fetched(9), -1);
  restart();
  EXPECT_EQ(fetched(9), -1);
}

TEST_F(Groups, OffsetsAreDeletedOneByOne) {
  create_topic("a");
  ask<wire::OffsetCommitResponse>(commit_request("", -1, 5));
  wire::OffsetDeleteRequest request;
  request.group_id = "g";
  request.topics.push_back({"a", {{PartitionIndex{0}}, {PartitionIndex{3}}}});
  const auto got = ask<wire::OffsetDeleteResponse>(request);
  EXPECT_EQ(got.error_code, ErrorCode::none);
  EXPECT_EQ(got.topics.at(0).partitions.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(got.topics.at(0).partitions.at(1).error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(fetched(9), -1);
  request.group_id = "nobody";
  EXPECT_EQ(ask<wire::OffsetDeleteResponse>(request).error_code, ErrorCode::group_id_not_found);
}

// Seed 3142 of the broker's simulator: the group was stable in memory alone, so the next to ask got a share that a
// crash took back.
TEST_F(Groups, AFullDiskHandsOutNoShareThatIsNotKept) {
  store_config.free_bytes_min = 1 << 20;
  store_config.journal_file_bytes = 64 << 10;
  create_topic("a");
  const auto asked = ask<wire::JoinGroupResponse>(join_request(""));
  const auto in = ask<wire::JoinGroupResponse>(join_request(asked.member_id));
  ASSERT_EQ(in.error_code, ErrorCode::none);
  disk.set_capacity(disk.used_bytes() + (4 << 20));
  for (int i = 0; i < 5'000 && !shard->store().full(); ++i) {
    auto request = commit_request("", -1, i);
    request.group_id = "another";
    request.topics[0].partitions[0].committed_metadata = std::string(4096, 'm');
    send(request, 9);
    settle();
  }
  ASSERT_TRUE(shard->store().full());
  const auto sync = sync_request(in);
  for (int i = 0; i < 2; ++i) {
    const Ticket ticket = send(sync, 5);
    settle();
    ASSERT_TRUE(answered(ticket));
    EXPECT_EQ(response<wire::SyncGroupResponse>(ticket, 5).error_code, ErrorCode::coordinator_not_available);
  }
  disk.set_capacity(std::uint64_t{1} << 40);
  later(seconds(9));
  const auto synced = ask<wire::SyncGroupResponse>(sync);
  EXPECT_EQ(synced.error_code, ErrorCode::none);
  EXPECT_EQ(Buffer(synced.assignment.begin(), synced.assignment.end()), assignment);
}

// On a full disk a commit is refused, or waits until there is space; it is never confirmed and lost.
TEST_F(Groups, AFullDiskConfirmsNoCommitThatIsNotKept) {
  store_config.free_bytes_min = 1 << 20;
  store_config.journal_file_bytes = 64 << 10;
  create_topic("a");
  ask<wire::OffsetCommitResponse>(commit_request("", -1, 0));
  restart();
  disk.set_capacity(disk.used_bytes() + (4 << 20));
  std::int64_t confirmed = 0;
  Ticket last{};
  const auto commit = [&](std::int64_t offset) {
    auto request = commit_request("", -1, offset);
    request.topics[0].partitions[0].committed_metadata = std::string(4096, 'm');
    last = send(request, 9);
    settle();
    if (!answered(last)) return ErrorCode::request_timed_out;
    return response<wire::OffsetCommitResponse>(last, 9).topics.at(0).partitions.at(0).error_code;
  };
  while (confirmed < 5'000 && commit(confirmed + 1) == ErrorCode::none) ++confirmed;
  EXPECT_GT(confirmed, 0);
  EXPECT_LT(confirmed, 5'000);
  EXPECT_TRUE(fatal.empty());
  EXPECT_TRUE(shard->store().full());
  disk.set_capacity(std::uint64_t{1} << 40);
  later(seconds(60));
  EXPECT_TRUE(answered(last));
  EXPECT_EQ(commit(confirmed + 7), ErrorCode::none);
  restart();
  EXPECT_EQ(fetched(9), confirmed + 7);
}

TEST_F(Groups, AGroupIsPlacedAsKafkaPlacesIt) {
  EXPECT_EQ(group_partition("a", 50), 97 % 50);
  EXPECT_EQ(group_partition("ab", 50), (97 * 31 + 98) % 50);
}

}  // namespace
}  // namespace edgelog::broker
