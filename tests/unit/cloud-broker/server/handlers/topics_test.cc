// CreateTopics, DeleteTopics, CreatePartitions, configurations, DeleteRecords, DescribeCluster.
#include "tests/unit/cloud-broker/server/handlers/shard_world.h"

namespace edgelog::broker {
namespace {

class Topics : public ShardWorld {
 protected:
  std::map<std::string, wire::DescribeConfigsResponse::Resource::Config> configs(const std::string& topic) {
    wire::DescribeConfigsRequest request;
    request.include_synonyms = true;
    request.resources.push_back({2, topic, std::nullopt});
    const auto got = ask<wire::DescribeConfigsResponse>(request);
    std::map<std::string, wire::DescribeConfigsResponse::Resource::Config> found;
    for (const auto& each : got.results.at(0).configs) found[each.name] = each;
    return found;
  }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    for (const auto& topic : ask<wire::MetadataResponse>(wire::MetadataRequest{}).topics) all.push_back(*topic.name);
    return all;
  }
  ErrorCode remove(const std::string& name) {
    wire::DeleteTopicsRequest request;
    request.topics.push_back({name, {}});
    return ask<wire::DeleteTopicsResponse>(request).topics.at(0).error_code;
  }
};

TEST_F(Topics, CreateTellsWhatWasMade) {
  wire::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "a";
  topic.num_partitions = 4;
  topic.replication_factor = 1;
  topic.configs.push_back({"retention.ms", "-1"});
  const auto made = ask<wire::CreateTopicsResponse>(request).topics.at(0);
  EXPECT_EQ(made.error_code, ErrorCode::none);
  EXPECT_EQ(made.num_partitions, 4);
  EXPECT_EQ(made.replication_factor, 1);
  EXPECT_NE(made.topic_id, Uuid{});
  bool seen = false;
  for (const auto& each : *made.configs)
    seen = seen || (each.name == "retention.ms" && each.value == "-1" && each.config_source == 1);
  EXPECT_TRUE(seen);
}

// After a restart too, cluster metadata is nothing that retention may take.
TEST_F(Topics, OutliveEveryRetention) {
  ASSERT_EQ(create_topic("kept", 1, {{"retention.ms", "-1"}}), ErrorCode::none);
  EXPECT_EQ(produce("kept").error_code, ErrorCode::none);
  for (int restarts = 0; restarts < 3; ++restarts) {
    restart();
    for (int i = 0; i < 4; ++i) later(seconds(8 * 86'400));
    EXPECT_EQ(names(), std::vector<std::string>{"kept"});
    EXPECT_EQ(produce("kept").base_offset, Offset{restarts + 1});
  }
}

// Seed 2500 of the broker's simulator: the second was told that the topic is gone, and a crash brought it back.
TEST_F(Topics, ARefusalByWhatIsNotDurableWaitsForIt) {
  create_topic("a");
  wire::DeleteTopicsRequest gone;
  gone.topics.push_back({"a", {}});
  send(gone, 6);
  const Ticket again = send(gone, 6);
  EXPECT_FALSE(answered(again));
  settle();
  EXPECT_EQ(response<wire::DeleteTopicsResponse>(again, 6).topics.at(0).error_code,
            ErrorCode::unknown_topic_or_partition);
}

TEST_F(Topics, CreateInEveryVersion) {
  for (wire::Version version = 0; version <= 7; ++version) {
    wire::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = "v" + std::to_string(version);
    topic.num_partitions = 1;
    topic.replication_factor = 1;
    EXPECT_EQ(ask<wire::CreateTopicsResponse>(request, version).topics.at(0).error_code, ErrorCode::none);
  }
  EXPECT_EQ(names().size(), 8u);
}

TEST_F(Topics, CreateRefusals) {
  EXPECT_EQ(create_topic("a"), ErrorCode::none);
  EXPECT_EQ(create_topic("a"), ErrorCode::topic_already_exists);
  EXPECT_EQ(create_topic("b", 0), ErrorCode::invalid_partitions);
  EXPECT_EQ(create_topic("b c"), ErrorCode::invalid_topic);
  EXPECT_EQ(create_topic(".."), ErrorCode::invalid_topic);
  EXPECT_EQ(create_topic(std::string(250, 'x')), ErrorCode::invalid_topic);
  EXPECT_EQ(create_topic("__consumer_offsets"), ErrorCode::invalid_topic);
  EXPECT_EQ(create_topic("x.y"), ErrorCode::none);
  EXPECT_EQ(create_topic("x_y"), ErrorCode::invalid_topic);
  EXPECT_EQ(create_topic("b", 1, {{"no.such.config", "1"}}), ErrorCode::invalid_config);
  EXPECT_EQ(create_topic("b", 1, {{"retention.ms", "soon"}}), ErrorCode::invalid_config);
  EXPECT_EQ(create_topic("b", 1, {{"cleanup.policy", "shred"}}), ErrorCode::invalid_config);
  EXPECT_EQ(create_topic("b", 1, {{"segment.bytes", "13"}}), ErrorCode::invalid_config);
  wire::CreateTopicsRequest three;
  auto& topic = three.topics.emplace_back();
  topic.name = "b";
  topic.num_partitions = 1;
  topic.replication_factor = 3;
  EXPECT_EQ(ask<wire::CreateTopicsResponse>(three).topics.at(0).error_code, ErrorCode::invalid_replication_factor);
  three.topics[0].replication_factor = 1;
  three.topics.push_back(three.topics[0]);
  const auto twice = ask<wire::CreateTopicsResponse>(three).topics;
  ASSERT_EQ(twice.size(), 1u);
  EXPECT_EQ(twice[0].error_code, ErrorCode::invalid_request);
  EXPECT_EQ(names(), (std::vector<std::string>{"a", "x.y"}));
}

TEST_F(Topics, AssignmentsNameTheBrokerThereIs) {
  wire::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "a";
  topic.num_partitions = -1;
  topic.replication_factor = -1;
  topic.assignments = {{PartitionIndex{0}, {NodeId{1}}}, {PartitionIndex{1}, {NodeId{1}}}};
  EXPECT_EQ(ask<wire::CreateTopicsResponse>(request).topics.at(0).num_partitions, 2);
  request.topics[0].name = "b";
  request.topics[0].assignments[1].broker_ids = {NodeId{2}};
  EXPECT_EQ(ask<wire::CreateTopicsResponse>(request).topics.at(0).error_code, ErrorCode::invalid_replica_assignment);
  request.topics[0].assignments[1] = {PartitionIndex{5}, {NodeId{1}}};
  EXPECT_EQ(ask<wire::CreateTopicsResponse>(request).topics.at(0).error_code, ErrorCode::invalid_replica_assignment);
}

TEST_F(Topics, ValidateOnlyMakesNothing) {
  wire::CreateTopicsRequest request;
  request.validate_only = true;
  auto& topic = request.topics.emplace_back();
  topic.name = "a";
  topic.num_partitions = 1;
  topic.replication_factor = 1;
  EXPECT_EQ(ask<wire::CreateTopicsResponse>(request).topics.at(0).error_code, ErrorCode::none);
  EXPECT_TRUE(names().empty());
}

TEST_F(Topics, TopicsConfigsAndIdsOutliveKill) {
  create_topic("a", 3, {{"retention.ms", "60000"}});
  create_topic("b");
  const auto before = ask<wire::MetadataResponse>(wire::MetadataRequest{});
  restart();
  const auto after = ask<wire::MetadataResponse>(wire::MetadataRequest{});
  ASSERT_EQ(after.topics.size(), 2u);
  EXPECT_EQ(after.cluster_id, before.cluster_id);
  EXPECT_EQ(after.topics[0].topic_id, before.topics[0].topic_id);
  EXPECT_EQ(after.topics[0].partitions.size(), 3u);
  EXPECT_EQ(configs("a")["retention.ms"].value, "60000");
}

TEST_F(Topics, ACreationThatWasNotDurableNeverHappened) {
  wire::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "a";
  topic.num_partitions = 1;
  topic.replication_factor = 1;
  const Ticket ticket = send(request, 7);
  EXPECT_FALSE(answered(ticket));
  Prng random(3);
  shard.reset();
  disk.power_cut(random, edgelog::testing::Survival::nothing);
  start();
  EXPECT_TRUE(names().empty());
  EXPECT_EQ(create_topic("a"), ErrorCode::none);
}

TEST_F(Topics, NobodyIsToldOfATopicThatIsNotDurable) {
  wire::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "a";
  topic.num_partitions = topic.replication_factor = 1;
  const auto create = [&] { return send(request, wire::CreateTopicsRequest::api.last); };
  const auto error = [&](Ticket ticket) {
    return response<wire::CreateTopicsResponse>(ticket, wire::CreateTopicsRequest::api.last).topics.at(0).error_code;
  };
  const Ticket first = create(), second = create();
  request.validate_only = true;
  const Ticket checked = create();
  wire::MetadataRequest named;
  named.topics.emplace().push_back({{}, "a"});
  const auto about = wire::MetadataRequest::api.last;
  const Ticket by_name = send(named, about), of_all = send(wire::MetadataRequest{}, about);
  wire::DescribeConfigsRequest configs;
  configs.resources.push_back({2, "a", std::nullopt});
  const Ticket described = send(configs, wire::DescribeConfigsRequest::api.last);
  for (const Ticket each : {first, second, checked, by_name, of_all, described}) EXPECT_FALSE(answered(each));
  settle();
  EXPECT_EQ(error(first), ErrorCode::none);
  EXPECT_EQ(error(second), ErrorCode::topic_already_exists);
  EXPECT_EQ(error(checked), ErrorCode::topic_already_exists);
  for (const Ticket each : {by_name, of_all})
    EXPECT_EQ(response<wire::MetadataResponse>(each, about).topics.at(0).error_code, ErrorCode::none);
  EXPECT_TRUE(answered(described));
}

// What was asked before a deletion is answered as it was then: the deletion may not be durable.
TEST_F(Topics, ADeletionThatComesLaterIsNotTold) {
  create_topic("a");
  wire::CreatePartitionsRequest more;
  more.timeout_ms = wire::Millis{30'000};
  more.topics.push_back({"a", 2, std::nullopt});
  send(more, wire::CreatePartitionsRequest::api.last);
  const auto about = wire::MetadataRequest::api.last;
  const Ticket asked = send(wire::MetadataRequest{}, about);
  shard->end_of_turn(at);
  wire::DeleteTopicsRequest gone;
  gone.topics.push_back({"a", {}});
  send(gone, wire::DeleteTopicsRequest::api.last);
  EXPECT_FALSE(answered(asked));
  disk.complete_all();
  EXPECT_EQ(response<wire::MetadataResponse>(asked, about).topics.at(0).partitions.size(), 2u);
}

TEST_F(Topics, ADeletedTopicIsGoneAndItsNameMayComeBackEmpty) {
  create_topic("a");
  produce("a");
  const Uuid first = ask<wire::MetadataResponse>(wire::MetadataRequest{}).topics.at(0).topic_id;
  EXPECT_EQ(remove("a"), ErrorCode::none);
  EXPECT_EQ(remove("a"), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(produce("a").error_code, ErrorCode::unknown_topic_or_partition);
  restart();
  EXPECT_TRUE(names().empty());
  create_topic("a");
  EXPECT_NE(ask<wire::MetadataResponse>(wire::MetadataRequest{}).topics.at(0).topic_id, first);
  EXPECT_EQ(produce("a").base_offset, Offset{0});
}

TEST_F(Topics, AParkedFetchLearnsThatItsTopicIsDeleted) {
  create_topic("a");
  const Ticket waiting = send(fetch_request("a", 0, 60'000), 11);
  remove("a");
  EXPECT_EQ(response<wire::FetchResponse>(waiting, 11).topics[0].partitions[0].error_code,
            ErrorCode::unknown_topic_or_partition);
}

TEST_F(Topics, DeleteByIdAndRefusals) {
  create_topic("a");
  wire::DeleteTopicsRequest request;
  request.topics.push_back({std::nullopt, Uuid{std::byte{1}}});
  EXPECT_EQ(ask<wire::DeleteTopicsResponse>(request).topics.at(0).error_code, ErrorCode::unknown_topic_id);
  request.topics[0].topic_id = ask<wire::MetadataResponse>(wire::MetadataRequest{}).topics.at(0).topic_id;
  const auto gone = ask<wire::DeleteTopicsResponse>(request).topics.at(0);
  EXPECT_EQ(gone.error_code, ErrorCode::none);
  EXPECT_EQ(gone.name, "a");
  ask<wire::FindCoordinatorResponse>(wire::FindCoordinatorRequest{{}, 0, {"g"}});
  EXPECT_EQ(remove("__consumer_offsets"), ErrorCode::invalid_topic);
}

TEST_F(Topics, PartitionsGrow) {
  create_topic("a", 2);
  const auto grow = [&](std::int32_t count) {
    wire::CreatePartitionsRequest request;
    request.topics.push_back({"a", count, std::nullopt});
    return ask<wire::CreatePartitionsResponse>(request).results.at(0).error_code;
  };
  EXPECT_EQ(grow(2), ErrorCode::invalid_partitions);
  EXPECT_EQ(grow(1), ErrorCode::invalid_partitions);
  EXPECT_EQ(grow(5), ErrorCode::none);
  const Buffer batch = make_batch({.timestamp = at.wall.value()});
  EXPECT_EQ(ask<wire::ProduceResponse>(produce_request("a", batch, 4)).topics[0].partitions[0].error_code,
            ErrorCode::none);
  restart();
  EXPECT_EQ(ask<wire::MetadataResponse>(wire::MetadataRequest{}).topics.at(0).partitions.size(), 5u);
}

TEST_F(Topics, DescribeConfigsGivesEveryNameWithItsSource) {
  create_topic("a", 1, {{"retention.ms", "60000"}});
  auto all = configs("a");
  EXPECT_EQ(all.size(), topic_config_table().size());
  EXPECT_EQ(all["retention.ms"].config_source, 1);
  EXPECT_EQ(all["retention.ms"].synonyms.size(), 2u);
  EXPECT_EQ(all["cleanup.policy"].value, "delete");
  EXPECT_EQ(all["cleanup.policy"].config_source, 5);
  EXPECT_EQ(all["max.message.bytes"].synonyms.at(0).name, "message.max.bytes");
  wire::DescribeConfigsRequest request;
  request.resources.push_back({2, "nowhere", std::nullopt});
  request.resources.push_back({4, "1", std::vector<std::string>{"node.id", "producer.id.expiration.ms"}});
  request.resources.push_back({4, "9", std::nullopt});
  const auto got = ask<wire::DescribeConfigsResponse>(request).results;
  EXPECT_EQ(got.at(0).error_code, ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(got.at(1).configs.size(), 2u);
  EXPECT_EQ(got.at(2).error_code, ErrorCode::invalid_request);
}

TEST_F(Topics, ConfigurationsAreAlteredOneByOneOrReplaced) {
  create_topic("a", 1, {{"retention.ms", "60000"}});
  const auto alter = [&](const std::string& name, std::int8_t op, std::optional<std::string> value) {
    wire::IncrementalAlterConfigsRequest request;
    request.resources.push_back({2, "a", {{name, op, std::move(value)}}});
    return ask<wire::IncrementalAlterConfigsResponse>(request).topics.at(0).error_code;
  };
  EXPECT_EQ(alter("segment.bytes", 0, "1000000"), ErrorCode::none);
  EXPECT_EQ(alter("cleanup.policy", 2, "compact"), ErrorCode::none);
  EXPECT_EQ(alter("segment.ms", 2, "5"), ErrorCode::invalid_config);
  EXPECT_EQ(alter("nothing", 0, "5"), ErrorCode::invalid_config);
  EXPECT_EQ(alter("segment.ms", 9, "5"), ErrorCode::invalid_request);
  EXPECT_EQ(configs("a")["cleanup.policy"].value, "delete,compact");
  EXPECT_EQ(alter("cleanup.policy", 3, "delete"), ErrorCode::none);
  EXPECT_EQ(configs("a")["cleanup.policy"].value, "compact");
  EXPECT_EQ(alter("retention.ms", 1, std::nullopt), ErrorCode::none);
  EXPECT_EQ(configs("a")["retention.ms"].value, "604800000");
  EXPECT_EQ(produce("a").error_code, ErrorCode::invalid_record);  // compact now: a key is needed
  wire::AlterConfigsRequest replace;
  replace.resources.push_back({2, "a", {{"max.message.bytes", "150"}}});
  EXPECT_EQ(ask<wire::AlterConfigsResponse>(replace).topics.at(0).error_code, ErrorCode::none);
  restart();
  EXPECT_EQ(configs("a")["cleanup.policy"].value, "delete");
  EXPECT_EQ(produce("a", {.value_bytes = 400}).error_code, ErrorCode::message_too_large);
}

// Retention would take what nothing gives back, by a setting that a crash undoes.
TEST_F(Topics, AConfigurationWorksOnceItIsDurable) {
  create_topic("a");
  wire::AlterConfigsRequest replace;
  replace.resources.push_back({2, "a", {{"max.message.bytes", "150"}}});
  send(replace, wire::AlterConfigsRequest::api.last);
  const Buffer large = make_batch({.value_bytes = 400, .timestamp = at.wall.value()});
  const Ticket before = send(produce_request("a", large), 11);
  settle();
  EXPECT_EQ(response<wire::ProduceResponse>(before, 11).topics.at(0).partitions.at(0).error_code, ErrorCode::none);
  EXPECT_EQ(produce("a", {.value_bytes = 400}).error_code, ErrorCode::message_too_large);
}

TEST_F(Topics, CreationsThatAwaitADeletionAreBounded) {
  constexpr std::size_t postponed_max = 1'000;
  wire::CreateTopicsRequest create;
  wire::DeleteTopicsRequest gone;
  for (std::size_t i = 0; i <= postponed_max; ++i) {
    const std::string name = "t" + std::to_string(i);
    auto& topic = create.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = topic.replication_factor = 1;
    gone.topics.push_back({name, {}});
  }
  ask<wire::CreateTopicsResponse>(create);
  send(gone, wire::DeleteTopicsRequest::api.last);
  const auto again = ask<wire::CreateTopicsResponse>(create).topics;
  const auto made =
      std::count_if(again.begin(), again.end(), [](const auto& each) { return each.error_code == ErrorCode::none; });
  EXPECT_EQ(made, std::ptrdiff_t{postponed_max});
  EXPECT_EQ(again.back().error_code, ErrorCode::request_timed_out);
}

TEST_F(Topics, DeleteRecordsMovesTheStart) {
  create_topic("a");
  produce("a", {.records = 5});
  produce("a", {.records = 5});
  const auto cut = [&](std::int64_t offset) {
    wire::DeleteRecordsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = "a";
    topic.partitions.push_back({PartitionIndex{0}, Offset{offset}});
    return ask<wire::DeleteRecordsResponse>(request).topics.at(0).partitions.at(0);
  };
  EXPECT_EQ(cut(7).low_watermark, Offset{7});
  EXPECT_EQ(cut(3).low_watermark, Offset{7});
  EXPECT_EQ(cut(11).error_code, ErrorCode::offset_out_of_range);
  EXPECT_EQ(ask<wire::FetchResponse>(fetch_request("a", 6), 11).topics[0].partitions[0].error_code,
            ErrorCode::offset_out_of_range);
  restart();
  EXPECT_EQ(ask<wire::FetchResponse>(fetch_request("a", 7), 11).topics[0].partitions[0].log_start_offset, Offset{7});
  EXPECT_EQ(cut(-1).low_watermark, Offset{10});
}

TEST_F(Topics, DescribeCluster) {
  wire::DescribeClusterRequest request;
  const auto got = ask<wire::DescribeClusterResponse>(request);
  EXPECT_EQ(got.brokers.size(), 1u);
  EXPECT_EQ(got.cluster_id.size(), 22u);
  request.endpoint_type = 2;
  EXPECT_EQ(ask<wire::DescribeClusterResponse>(request).error_code, ErrorCode::mismatched_endpoint_type);
}

}  // namespace
}  // namespace edgelog::broker
