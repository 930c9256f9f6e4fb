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
  EXPECT_EQ(ask<wire::IncrementalAlterConfigsResponse>(alter).topics.at(0).error_code,
            ErrorCode::unknown_topic_or_partition);
  wire::AlterConfigsRequest replace;
  replace.resources.push_back({2, longest, {{longest, std::nullopt}}});
  EXPECT_EQ(ask<wire::AlterConfigsResponse>(replace).topics.at(0).error_code, ErrorCode::invalid_request);
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
