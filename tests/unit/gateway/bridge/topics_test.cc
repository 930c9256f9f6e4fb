#include "gateway/bridge/topics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/bridge/topic_settings.h"

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

const ExpectedSettings expected{seconds(7 * 86'400), 768 * 1024};

SettingsMap as_created(bool compacted, std::size_t brokers) {
  SettingsMap out;
  for (const auto& [name, value] : settings_to_create(compacted, brokers, expected)) out[name] = value;
  return out;
}

TEST(TopicSettingsTest, WhatIsMadeIsCalledGood) {
  for (const std::size_t brokers : {1u, 3u}) {
    EXPECT_THAT(judge_topic("doors", as_created(false, brokers), false, brokers, expected), IsEmpty());
    EXPECT_THAT(judge_topic("edgelog.fleet", as_created(true, brokers), true, brokers, expected), IsEmpty());
  }
}

TEST(TopicSettingsTest, NamesWhatIsOff) {
  const auto judged = [](const std::string& name, const std::string& value, std::size_t brokers = 3) {
    SettingsMap settings = as_created(false, brokers);
    settings[name] = value;
    return judge_topic("doors", settings, false, brokers, expected);
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
  EXPECT_THAT(judged("min.insync.replicas", "1", 1), IsEmpty());
  EXPECT_THAT(judged("unclean.leader.election.enable", "true"), ElementsAre(HasSubstr("unclean")));
}

TEST(TopicSettingsTest, JudgesTheLogsMemory) {
  EXPECT_THAT(judge_broker({{memory_of_kafka, "86400000"}}), ElementsAre(HasSubstr("1 days")));
  EXPECT_THAT(judge_broker({{memory_of_kafka, "2147483647"}}), IsEmpty());
  EXPECT_THAT(judge_broker({{memory_of_kafka, "86400000"}, {memory_of_cloud_broker, "7776000000"}}), IsEmpty());
  EXPECT_THAT(judge_broker({}), IsEmpty());
}

}  // namespace
}  // namespace edgelog::gateway
