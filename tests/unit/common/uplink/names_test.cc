#include "common/uplink/names.h"

#include <gtest/gtest.h>

namespace edgelog::uplink {
namespace {

// The values are those that Kafka's own client computes (org.apache.kafka.common.utils.Utils.murmur2).
TEST(Murmur2, AgreesWithKafkasPartitioner) {
  const auto positive = [](std::int32_t x) { return static_cast<std::uint32_t>(x) & 0x7fffffff; };
  EXPECT_EQ(murmur2("21"), positive(-973932308));
  EXPECT_EQ(murmur2("foobar"), positive(-790332482));
  EXPECT_EQ(murmur2("a-little-bit-long-string"), positive(-985981536));
  EXPECT_EQ(murmur2("a-little-bit-longer-string"), positive(-1486304829));
  EXPECT_EQ(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), positive(-58897971));
  EXPECT_EQ(murmur2("abc"), positive(479470107));
}

TEST(ProducerId, CarriesTheAgentAndIsNoClustersId) {
  const auto id = make_producer_id("house-7", 0xdeadbeef);
  EXPECT_EQ(id.value() >> 62, 1);
  EXPECT_EQ(static_cast<std::uint32_t>(id.value()), 0xdeadbeefU);
  EXPECT_TRUE(is_agent_producer_id(id));
  EXPECT_TRUE(belongs_to(id, "house-7"));
  EXPECT_FALSE(belongs_to(id, "house-8"));
  EXPECT_FALSE(is_agent_producer_id(ProducerId{1000}));
  EXPECT_FALSE(is_agent_producer_id(no_producer));
}

TEST(UpTopic, IsReadAsItIsWritten) {
  const auto address = parse_up_topic(up_topic("house-7", "climate"));
  ASSERT_TRUE(address);
  EXPECT_EQ(address->agent, "house-7");
  EXPECT_EQ(address->topic, "climate");
  EXPECT_EQ(address->shard, shard_of("house-7"));
  EXPECT_FALSE(address->look);
  EXPECT_TRUE(parse_up_topic(look_topic("house-7", "climate"))->look);
}

TEST(UpTopic, RefusesWhatNoAgentSends) {
  const std::string shard = std::to_string(shard_of("a"));
  EXPECT_TRUE(parse_up_topic("edgelog/1/up/" + shard + "/a/t"));
  EXPECT_FALSE(parse_up_topic("edgelog/1/up/" + std::to_string((shard_of("a") + 1) % shard_count) + "/a/t"));
  for (const std::string tail : {"/A/t", "/a/", "/a", "//t", "/a/..", "/a/b/c", "x/a/t"})
    EXPECT_FALSE(parse_up_topic("edgelog/1/up/" + shard + tail)) << tail;
  EXPECT_FALSE(parse_up_topic("edgelog/2/up/" + shard + "/a/t"));
  EXPECT_FALSE(parse_up_topic(""));
}

TEST(AgentId, Rule) {
  EXPECT_TRUE(valid_agent_id("a.b_c-9"));
  EXPECT_TRUE(valid_agent_id(std::string(64, 'a')));
  for (const auto& bad :
       {std::string(), std::string(65, 'a'), std::string("A"), std::string("a/b"), std::string("a+"), std::string("ä")})
    EXPECT_FALSE(valid_agent_id(bad)) << bad;
}

TEST(OriginMark, RoundTripsAndRefusesOtherSizes) {
  const auto bytes = encode(OriginMark{ProducerId{0x4000000012345678}, EventIndex{77}});
  const auto mark = decode_origin(bytes);
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->origin, ProducerId{0x4000000012345678});
  EXPECT_EQ(mark->index, EventIndex{77});
  EXPECT_FALSE(decode_origin(Bytes(bytes).first(15)));
  EXPECT_FALSE(decode_origin({}));
}

}  // namespace
}  // namespace edgelog::uplink
