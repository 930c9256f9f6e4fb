#include "cloud-broker/controller/controller.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/hex.h"

namespace edgelog::broker {
namespace {

using testing::from_hex;
using wire::ErrorCode;

// Through its bytes, as after a restart.
void replay(Controller& controller, const MetadataRecord& record) {
  const EncodedMetadata encoded = encode(record);
  const auto decoded =
      decode_metadata(encoded.key, encoded.value ? std::optional<Bytes>(*encoded.value) : std::nullopt);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(*decoded, record);
  controller.replay(*decoded);
}

void perform(Controller& controller, const MetadataDecision& decision) {
  ASSERT_EQ(decision.error, ErrorCode::none) << decision.message;
  replay(controller, *decision.record);
}

TEST(Controller, DecidingChangesNothingAndReplayingDoes) {
  Controller controller({});
  const auto decision = controller.create({"a", 3, 1, {{"retention.ms", "5"}}}, Uuid{std::byte{1}});
  EXPECT_EQ(controller.find("a"), nullptr);
  perform(controller, decision);
  ASSERT_NE(controller.find("a"), nullptr);
  EXPECT_EQ(controller.find("a")->partitions, 3);
  EXPECT_EQ(controller.find(Uuid{std::byte{1}})->name, "a");
  perform(controller, controller.remove("a"));
  EXPECT_EQ(controller.find("a"), nullptr);
  EXPECT_EQ(controller.find(Uuid{std::byte{1}}), nullptr);
}

TEST(Controller, DefaultsAreFilledIn) {
  Controller controller({.default_partitions = 4});
  perform(controller, controller.create({"a", -1, -1, {}}, Uuid{std::byte{1}}));
  EXPECT_EQ(controller.find("a")->partitions, 4);
}

TEST(Controller, TheOffsetsTopicIsCompactAndNobodysToChange) {
  Controller controller({.offsets_partitions = 5});
  perform(controller, controller.create_offsets_topic(Uuid{std::byte{1}}));
  EXPECT_EQ(controller.find(offsets_topic)->partitions, 5);
  EXPECT_TRUE(config_holds(controller.find(offsets_topic)->config, "cleanup.policy", "compact"));
  EXPECT_EQ(controller.remove(offsets_topic).error, ErrorCode::invalid_topic);
  EXPECT_EQ(controller.add_partitions(offsets_topic, 9).error, ErrorCode::invalid_topic);
  EXPECT_EQ(controller.create_offsets_topic(Uuid{std::byte{2}}).error, ErrorCode::topic_already_exists);
}

TEST(Controller, ProducerIdsComeInBlocksAndAreNeverRepeated) {
  Controller controller({.producer_id_block = 3});
  std::set<ProducerId> given;
  const auto take = [&](Controller& from) {
    auto id = from.take_producer_id();
    if (!id) {
      replay(from, from.claim_producer_ids());
      id = from.take_producer_id();
    }
    EXPECT_TRUE(given.insert(*id).second);
    EXPECT_EQ(static_cast<std::uint64_t>(id->value()) >> 62, 0u);  // agents' ids begin with 01
  };
  for (int i = 0; i < 4; ++i) take(controller);
  Controller next({.producer_id_block = 3});  // knows the records only
  replay(next, ProducerIdsRecord{ProducerId{3}});
  replay(next, ProducerIdsRecord{ProducerId{6}});
  next.loaded();
  for (int i = 0; i < 4; ++i) take(next);
}

TEST(Controller, EveryDefaultPassesItsOwnCheck) {
  for (const ConfigRow& row : topic_config_table()) {
    if (row.fallback.empty()) continue;
    EXPECT_EQ(refuse_config(row.name, row.fallback), std::nullopt) << row.name;
  }
  EXPECT_TRUE(std::is_sorted(topic_config_table().begin(), topic_config_table().end(),
                             [](const ConfigRow& a, const ConfigRow& b) { return a.name < b.name; }));
}

TEST(Controller, ValuesAreJudgedByTheirType) {
  const auto good = [](std::string_view name, std::string_view value) { return !refuse_config(name, value); };
  EXPECT_TRUE(good("cleanup.policy", "compact,delete"));
  EXPECT_TRUE(good("cleanup.policy", ""));  // neither: kept for ever
  EXPECT_TRUE(good("cleanup.policy", "delete, compact"));
  EXPECT_TRUE(good("retention.ms", " +5 "));
  EXPECT_TRUE(good("preallocate", "TRUE"));
  EXPECT_FALSE(good("compression.gzip.level", "0"));
  EXPECT_FALSE(good("retention.ms", "+-5"));
  EXPECT_FALSE(good("cleanup.policy", "compact,,delete"));
  EXPECT_TRUE(good("min.cleanable.dirty.ratio", "0.25"));
  EXPECT_FALSE(good("min.cleanable.dirty.ratio", "1.5"));
  EXPECT_FALSE(good("min.cleanable.dirty.ratio", "half"));
  EXPECT_TRUE(good("retention.ms", "-1"));
  EXPECT_FALSE(good("retention.ms", "-2"));
  EXPECT_FALSE(good("retention.ms", "12x"));
  EXPECT_FALSE(good("max.message.bytes", "2147483648"));
  EXPECT_TRUE(good("preallocate", "true"));
  EXPECT_FALSE(good("preallocate", "yes"));
  EXPECT_TRUE(good("compression.type", "uncompressed"));
  EXPECT_FALSE(good("compression.type", "none"));
  EXPECT_EQ(config_percent({{"min.cleanable.dirty.ratio", "0.25"}}, "min.cleanable.dirty.ratio"), 25);
}

// docs/FORMATS.md, "Cluster metadata", version 1.
TEST(MetadataRecords, TheBytesOfVersion1) {
  const EncodedMetadata topic = encode(TopicRecord{"ab", TopicRecord::Value{Uuid{std::byte{7}}, 3, {{"k", "v"}}}});
  EXPECT_EQ(topic.key, from_hex("01 01 0002 6162"));
  EXPECT_EQ(topic.value, from_hex("01 07000000000000000000000000000000 00000003 00000001 0001 6b 0001 76"));
  const EncodedMetadata ids = encode(ProducerIdsRecord{ProducerId{1000}});
  EXPECT_EQ(ids.key, from_hex("01 02 0000"));
  EXPECT_EQ(ids.value, from_hex("01 00000000000003e8"));
}

TEST(MetadataRecords, ALaterVersionIsNotUnderstood) {
  EXPECT_FALSE(decode_metadata(from_hex("02 01 0002 6162"), std::nullopt));
  EXPECT_FALSE(decode_metadata(from_hex("01 09 0000"), std::nullopt));
  EXPECT_FALSE(decode_metadata(from_hex("01 02 0000"), from_hex("02 00000000000003e8")));
  EXPECT_FALSE(decode_metadata(from_hex("01 02 0000"), std::nullopt));
  EXPECT_FALSE(decode_metadata(from_hex("01 01 0002 61"), std::nullopt));
}

}  // namespace
}  // namespace edgelog::broker
