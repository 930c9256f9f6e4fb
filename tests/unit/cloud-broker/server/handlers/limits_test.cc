// What a client may make long is cut or refused, and never ends the process.
#include "tests/unit/cloud-broker/server/handlers/shard_world.h"

namespace edgelog::broker {
namespace {

class LimitsTest : public ShardWorld {
 protected:
  const std::string longest = std::string(32767, 'x');  // of a string in the protocol
};

TEST_F(LimitsTest, TheLongestClientIdGetsAMemberId) {
  wire::JoinGroupRequest request;
  request.group_id = longest;
  request.session_timeout_ms = wire::Millis{10'000};
  request.protocol_type = "consumer";
  request.protocols.push_back({"range", {}});
  const Ticket ticket = send(request, 9, longest);
  settle();
  const auto asked = response<wire::JoinGroupResponse>(ticket, 9);
  EXPECT_EQ(asked.error_code, ErrorCode::member_id_required);
  EXPECT_LT(asked.member_id.size(), 300u);
}

TEST_F(LimitsTest, TheLongestNamesAreQuotedInPart) {
  EXPECT_EQ(create_topic(longest), ErrorCode::invalid_topic);
  EXPECT_EQ(create_topic("a", 1, {{longest, "1"}}), ErrorCode::invalid_config);
  EXPECT_EQ(create_topic("a", 1, {{"retention.ms", longest}}), ErrorCode::invalid_config);
  create_topic("a");
  wire::DescribeConfigsRequest describe;
  describe.resources.push_back({4, longest, std::nullopt});
  describe.resources.push_back({2, longest, std::nullopt});
  EXPECT_EQ(ask<wire::DescribeConfigsResponse>(describe).results.at(0).error_code, ErrorCode::invalid_request);
  wire::IncrementalAlterConfigsRequest alter;
  alter.resources.push_back({2, longest, {{longest, 0, longest}}});
  EXPECT_EQ(ask<wire::IncrementalAlterConfigsResponse>(alter).topics.at(0).error_code, ErrorCode::invalid_topic);
  wire::AlterConfigsRequest replace;
  replace.resources.push_back({2, longest, {{longest, std::nullopt}}});
  EXPECT_EQ(ask<wire::AlterConfigsResponse>(replace).topics.at(0).error_code, ErrorCode::invalid_request);
}

TEST_F(LimitsTest, ARequestThatIsMostlyArraysClosesItsConnection) {
  wire::MetadataRequest request;
  request.topics.emplace(1'500'000, wire::MetadataRequest::Topic{{}, ""});  // 2 bytes each on the wire
  const Ticket ticket = send(request, 1);
  settle();
  EXPECT_FALSE(answered(ticket));
}

TEST_F(LimitsTest, ATopicThatIsNamedManyTimesIsToldOnce) {
  create_topic("a", 5);
  wire::MetadataRequest request;
  request.topics.emplace(1000, wire::MetadataRequest::Topic{{}, "a"});
  EXPECT_EQ(ask<wire::MetadataResponse>(request).topics.size(), 1u);
}

TEST_F(LimitsTest, AGroupIsNotDescribedWithoutEnd) {
  const Buffer much(8 << 20);
  wire::JoinGroupRequest join;
  join.group_id = "g";
  join.session_timeout_ms = wire::Millis{10'000};
  join.protocol_type = "consumer";
  join.protocols.push_back({"range", Bytes(much)});
  const Ticket ticket = send(join, 3);
  at = {at.now + seconds(3), at.wall + seconds(3)};
  settle();
  const auto joined = response<wire::JoinGroupResponse>(ticket, 3);
  ASSERT_EQ(joined.error_code, ErrorCode::none);
  wire::SyncGroupRequest sync;
  sync.group_id = "g";
  sync.member_id = joined.member_id;
  sync.generation_id = joined.generation_id;
  ASSERT_EQ(ask<wire::SyncGroupResponse>(sync, 3).error_code, ErrorCode::none);
  wire::DescribeGroupsRequest describe;
  describe.groups.assign(50, "g");
  const auto described = ask<wire::DescribeGroupsResponse>(describe);
  EXPECT_EQ(described.groups.at(0).members.at(0).member_metadata.size(), much.size());
  EXPECT_EQ(described.groups.at(49).error_code, ErrorCode::coordinator_not_available);
}

TEST_F(LimitsTest, SubscriptionsAreBoundedPerGroupAndTogether) {
  settings.groups.member_bytes_max = 1000;
  settings.groups.bytes_max = 1500;
  restart();
  std::string one;
  const auto join = [&](const std::string& group, std::size_t bytes) {
    const Buffer much(bytes);
    wire::JoinGroupRequest request;
    request.group_id = group;
    request.session_timeout_ms = wire::Millis{10'000};
    request.protocol_type = "consumer";
    request.protocols.push_back({"range", Bytes(much)});
    const Ticket ticket = send(request, 3);
    at = {at.now + seconds(3), at.wall + seconds(3)};
    settle();
    const auto joined = response<wire::JoinGroupResponse>(ticket, 3);
    if (joined.error_code == ErrorCode::none) one = joined.member_id;
    return joined.error_code;
  };
  // Groups of one coordinator: "Aa" and "BB" have the same hash.
  EXPECT_EQ(join("Aa", 1001), ErrorCode::group_max_size_reached);
  EXPECT_EQ(join("Aa", 900), ErrorCode::none);
  EXPECT_EQ(join("BB", 900), ErrorCode::group_max_size_reached);
  wire::LeaveGroupRequest leave;
  leave.group_id = "Aa";
  leave.member_id = one;
  EXPECT_EQ(ask<wire::LeaveGroupResponse>(leave, 1).error_code, ErrorCode::none);
  EXPECT_EQ(join("BB", 900), ErrorCode::none);
}

TEST_F(LimitsTest, AListOfConfigurationsDoesNotGrowWithoutEnd) {
  create_topic("a");
  ErrorCode last = ErrorCode::none;
  for (int i = 0; i < 8 && last == ErrorCode::none; ++i) {
    wire::IncrementalAlterConfigsRequest alter;
    alter.resources.push_back(
        {2, "a", {{"leader.replication.throttled.replicas", 2, std::to_string(i) + std::string(1000, 'x')}}});
    last = ask<wire::IncrementalAlterConfigsResponse>(alter).topics.at(0).error_code;
  }
  EXPECT_EQ(last, ErrorCode::invalid_config);
}

TEST_F(LimitsTest, TopicsAndPartitionsAreBounded) {
  settings.controller.topics_max = 3;
  settings.controller.partitions_max = 10;
  restart();
  EXPECT_EQ(create_topic("a", 11), ErrorCode::policy_violation);
  EXPECT_EQ(create_topic("a", 8), ErrorCode::none);
  EXPECT_EQ(create_topic("b"), ErrorCode::none);
  EXPECT_EQ(create_topic("c"), ErrorCode::none);
  EXPECT_EQ(create_topic("d"), ErrorCode::policy_violation);
  wire::CreatePartitionsRequest grow;
  grow.topics.push_back({"a", 9, std::nullopt});
  EXPECT_EQ(ask<wire::CreatePartitionsResponse>(grow).results.at(0).error_code, ErrorCode::policy_violation);
}

TEST_F(LimitsTest, AFetchKeepsToTheRoomThereIs) {
  create_topic("a");
  for (int i = 0; i < 6; ++i) produce("a", {.value_bytes = 900'000});
  room_ = 1 << 20;
  auto request = fetch_request("a", 0);
  request.topics[0].partitions[0].partition_max_bytes = 50 << 20;
  const auto got = ask<wire::FetchResponse>(request, 11).topics[0].partitions[0];
  EXPECT_LE(got.records->size(), 2u << 20);
  EXPECT_FALSE(got.records->empty());
}

TEST_F(LimitsTest, TooManyWaitingProducesAreTurnedAway) {
  create_topic("a");
  settings.produce_waiting_max = 1;
  restart();
  const Buffer first = make_batch({.timestamp = at.wall.value()}), second = first;
  const Ticket taken = send(produce_request("a", first), 9), refused = send(produce_request("a", second), 9);
  EXPECT_EQ(response<wire::ProduceResponse>(refused, 9).topics[0].partitions[0].error_code,
            ErrorCode::request_timed_out);
  settle();
  EXPECT_EQ(response<wire::ProduceResponse>(taken, 9).topics[0].partitions[0].error_code, ErrorCode::none);
}

}  // namespace
}  // namespace edgelog::broker
