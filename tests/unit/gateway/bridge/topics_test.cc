#include "gateway/bridge/topics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/bridge/topic_settings.h"
#include "tests/unit/gateway/bridge/fake_log.h"

namespace edgelog::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(TopicRuleTest, ReadsNamesCountsAndPatterns) {
  EXPECT_EQ(parse_topic_rule("doors")->partitions, 0);
  EXPECT_EQ(parse_topic_rule("doors:12")->partitions, 12);
  EXPECT_EQ(parse_topic_rule("doors:12")->pattern, "doors");
  EXPECT_EQ(parse_topic_rule("site.*")->pattern, "site.*");
  for (const char* const bad :
       {"", ":3", "doors:", "doors:0", "doors:3x", "doors:10001", "a b", "site.*:3", ".", "a/b"})
    EXPECT_FALSE(parse_topic_rule(bad)) << bad;
}

TEST(TopicRuleTest, StarsStandForAnything) {
  EXPECT_TRUE(matches("doors", "doors"));
  EXPECT_FALSE(matches("doors", "doors2"));
  EXPECT_TRUE(matches("*", "doors"));
  EXPECT_TRUE(matches("site.*", "site."));
  EXPECT_FALSE(matches("site.*", "sit"));
  EXPECT_TRUE(matches("*.doors", "a.b.doors"));
  EXPECT_TRUE(matches("a*b*c", "a1b2b3c"));
  EXPECT_FALSE(matches("a*b*c", "a1b2b3"));
}

constexpr TopicShape one_broker{1, 1}, three_brokers{3, 3};

ExpectedSettings expected(std::int16_t replication = replication_of_cluster) {
  return {seconds(7 * 86'400), 768 * 1024, replication};
}

SettingsMap as_created(bool compacted, std::int16_t replication) {
  SettingsMap out;
  for (const auto& [name, value] : settings_to_create(compacted, expected(replication))) out[name] = value;
  return out;
}

TEST(TopicSettingsTest, WhatIsMadeIsCalledGood) {
  for (const bool compacted : {false, true}) {
    EXPECT_THAT(judge_topic("doors", as_created(compacted, -1), compacted, one_broker, expected()), IsEmpty());
    EXPECT_THAT(judge_topic("doors", as_created(compacted, 3), compacted, three_brokers, expected(3)), IsEmpty());
  }
}

TEST(TopicSettingsTest, NamesWhatHasTooFewReplicas) {
  const auto judged = [](const TopicShape& shape, std::int16_t replication) {
    return judge_topic("doors", as_created(false, 1), false, shape, expected(replication));
  };
  EXPECT_THAT(judged({1, 3}, -1), ElementsAre(HasSubstr("1 of 3 replicas")));
  EXPECT_THAT(judged({1, 1}, 2), ElementsAre(HasSubstr("1 of 2 replicas")));
  EXPECT_THAT(judged({2, 3}, 2), IsEmpty());
  EXPECT_THAT(judged({0, 3}, -1), IsEmpty()) << "not told";
}

TEST(TopicSettingsTest, NamesWhatIsOff) {
  const auto judged = [](const std::string& name, const std::string& value, const TopicShape& shape = three_brokers) {
    SettingsMap settings = as_created(false, 3);
    settings[name] = value;
    return judge_topic("doors", settings, false, shape, expected());
  };
  EXPECT_THAT(judged("cleanup.policy", "compact,delete"),
              ElementsAre(HasSubstr("cleanup.policy is compact,delete, expected delete")));
  EXPECT_THAT(judged("compression.type", "zstd"), ElementsAre(HasSubstr("compression.type")));
  EXPECT_THAT(judged("message.timestamp.type", "LogAppendTime"), ElementsAre(HasSubstr("CreateTime")));
  EXPECT_THAT(judged("message.timestamp.after.max.ms", "3600000"), ElementsAre(HasSubstr("9223372036854775807")));
  EXPECT_THAT(judged("retention.ms", "3600000"), ElementsAre(HasSubstr("outage plus reading time")));
  EXPECT_THAT(judged("retention.ms", "-1"), IsEmpty());
  EXPECT_THAT(judged("max.message.bytes", "1000"), ElementsAre(HasSubstr("max.message.bytes")));
  EXPECT_THAT(judged("min.insync.replicas", "1"), ElementsAre(HasSubstr("min.insync.replicas")));
  EXPECT_THAT(judged("min.insync.replicas", "1", one_broker), IsEmpty());
  EXPECT_THAT(judged("unclean.leader.election.enable", "true"), ElementsAre(HasSubstr("unclean")));
}

TEST(TopicSettingsTest, JudgesTheLogsMemory) {
  EXPECT_THAT(judge_broker({{memory_of_kafka, "86400000"}}), ElementsAre(HasSubstr("1 days")));
  EXPECT_THAT(judge_broker({{memory_of_kafka, "2147483647"}}), IsEmpty());
  EXPECT_THAT(judge_broker({{memory_of_kafka, "86400000"}, {memory_of_cloud_broker, "7776000000"}}), IsEmpty());
  EXPECT_THAT(judge_broker({}), IsEmpty());
}

class TopicsTest : public ::testing::Test {
 protected:
  TopicsTest() {
    log.on<wire::CreateTopicsRequest>([this](LinkId link, const client::Asked& asked) {
      const auto request = asked.as<wire::CreateTopicsRequest>();
      wire::CreateTopicsResponse response;
      for (const auto& topic : request.topics) {
        made[topic.name] = {topic.replication_factor, topic.configs.size()};
        log.add_topic(topic.name, static_cast<std::size_t>(topic.num_partitions), 1);
        response.topics.emplace_back().name = topic.name;
      }
      log.links.answer(link, response);
    });
    log.on<wire::DescribeConfigsRequest>(
        [this](LinkId link, const client::Asked&) { log.links.answer(link, wire::DescribeConfigsResponse{}); });
    log.on<wire::ListOffsetsRequest>([this](LinkId link, const client::Asked& asked) {
      if (hold_ends) return;
      wire::ListOffsetsResponse response;
      const auto request = asked.as<wire::ListOffsetsRequest>();
      for (const auto& topic : request.topics) {
        auto& out = response.topics.emplace_back();
        out.name = topic.name;
        for (const auto& partition : topic.partitions) {
          out.partitions.emplace_back().partition_index = partition.partition_index;
          out.partitions.back().offset = Offset{40};
        }
      }
      log.links.answer(link, response);
    });
  }
  void start(std::int16_t replication) {
    TopicsConfig config;
    config.rules = {{"doors", 3}};
    config.replication = replication;
    Topics::Events events;
    events.known = [this](TopicsKnown known) { told.push_back(std::move(known)); };
    events.findings = [this](const std::vector<std::string>& findings) { found = findings; };
    topics = std::make_unique<Topics>(config, log.client, alarm, events);
    log.client.on_metadata([this] { topics->metadata_changed(); });
    log.client.start();
    topics->start();
    run();
  }
  void run(Duration time = Duration{0}) {
    log.run(time, [this] {
      alarm.move_to(log.timer.now());
      if (topics->deadline() <= alarm.now()) topics->tick();
    });
    log.run();
  }

  FakeLog log;
  client::FakeTimer alarm;
  std::unique_ptr<Topics> topics;
  std::map<std::string, std::pair<std::int16_t, std::size_t>> made;  // replication, count of settings
  std::vector<TopicsKnown> told;
  std::vector<std::string> found;
  bool hold_ends = false;
};

TEST_F(TopicsTest, LeavesTheReplicasToTheClusterByDefault) {
  start(replication_of_cluster);
  run(seconds(3));
  ASSERT_EQ(made.size(), 4u);
  EXPECT_EQ(made["doors"].first, -1);
  EXPECT_EQ(made["doors"].second, 5u) << "no min.insync.replicas, which one replica could never meet";
  EXPECT_EQ(made["edgelog.fleet"].first, -1);
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back().topics.size(), 3u);
}

TEST_F(TopicsTest, TakesThreeReplicasWhereThreeBrokersAre) {
  log.add_broker();
  log.add_broker();
  start(replication_of_cluster);
  run(seconds(3));
  ASSERT_EQ(made.size(), 4u);
  EXPECT_EQ(made["doors"].first, 3);
  EXPECT_EQ(made["doors"].second, 6u) << "with min.insync.replicas";
}

// The first of three brokers is there a second before the others; what is made then stays as it is.
TEST_F(TopicsTest, WaitsForTheBrokersThatItsReplicasNeed) {
  start(3);
  run(seconds(3));
  EXPECT_TRUE(made.empty());
  EXPECT_THAT(found, testing::Contains(HasSubstr("topic doors: not made yet: 1 of 3 brokers are there")));
  log.add_broker();
  log.add_broker();
  run(seconds(3));
  ASSERT_EQ(made.size(), 4u);
  EXPECT_EQ(made["doors"].first, 3);
  EXPECT_EQ(made["doors"].second, 6u) << "with min.insync.replicas";
}

TEST_F(TopicsTest, AnEndIsToldWithTheEpochThatWasKnownWhenItWasAskedFor) {
  log.add_broker();
  log.leader = NodeId{2};  // so that metadata does not wait behind the ends
  hold_ends = true;
  start(replication_of_cluster);
  run(seconds(3));
  ASSERT_TRUE(told.empty());
  for (auto& topic : log.cluster.topics)
    for (auto& partition : topic.partitions) partition.leader_epoch = LeaderEpoch{2};
  log.client.refresh_metadata();
  run(seconds(1));
  ASSERT_EQ(log.client.metadata().find("doors", PartitionIndex{0})->leader_epoch, LeaderEpoch{2});
  hold_ends = false;
  run();
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told[0].topics[0].partitions[0].leader_epoch, LeaderEpoch{1});
  run(seconds(1));
  EXPECT_EQ(told.back().topics[0].partitions[0].leader_epoch, LeaderEpoch{2}) << "and soon with the new one";
}

}  // namespace
}  // namespace edgelog::gateway
