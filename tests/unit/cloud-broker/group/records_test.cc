// The bytes of __consumer_offsets, against what Kafka's own formatter reads and writes.
#include "cloud-broker/group/records.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/hex.h"

namespace edgelog::broker::group {
namespace {

using testing::from_hex;

// Written by hand from Kafka's message definitions: OffsetCommitKey v1, OffsetCommitValue v3.
TEST(GroupRecords, AnOffsetIsWrittenAsKafkaWritesIt) {
  const OffsetRecord record{{"g", "topic", PartitionIndex{2}},
                            CommittedOffset{Offset{42}, LeaderEpoch{7}, "md", WallMillis{0x0102030405}, {}}};
  const EncodedRecord encoded = encode(record);
  EXPECT_EQ(encoded.key, from_hex("0001 0001 67 0005 746f706963 00000002"));
  EXPECT_EQ(encoded.value, from_hex("0003 000000000000002a 00000007 0002 6d64 0000000102030405"));
}

TEST(GroupRecords, AnOffsetWithItsOwnExpiryIsVersion1) {
  const OffsetRecord record{{"g", "t", PartitionIndex{0}},
                            CommittedOffset{Offset{1}, LeaderEpoch{-1}, "", WallMillis{2}, WallMillis{3}}};
  const EncodedRecord encoded = encode(record);
  EXPECT_EQ(encoded.value, from_hex("0001 0000000000000001 0000 0000000000000002 0000000000000003"));
  const char* why = "";
  EXPECT_EQ(decode(encoded.key, *encoded.value, why), Record(record));
}

// GroupMetadataKey v2, GroupMetadataValue v3.
TEST(GroupRecords, AGroupIsWrittenAsKafkaWritesIt) {
  GroupSnapshot snapshot{"consumer", 4, "range", "m1", WallMillis{9}, {}};
  snapshot.members.push_back({"m1", "i", "c", "/h", 60'000, 10'000, from_hex("aa"), from_hex("bbcc")});
  const EncodedRecord encoded = encode(GroupRecord{"g", snapshot});
  EXPECT_EQ(encoded.key, from_hex("0002 0001 67"));
  EXPECT_EQ(encoded.value,
            from_hex("0003 0008 636f6e73756d6572 00000004 0005 72616e6765 0002 6d31 0000000000000009 00000001"
                     "0002 6d31 0001 69 0001 63 0002 2f68 0000ea60 00002710 00000001 aa 00000002 bbcc"));
}

TEST(GroupRecords, TombstonesHaveNoValue) {
  const char* why = "";
  const EncodedRecord offset = encode(OffsetRecord{{"g", "t", PartitionIndex{0}}, std::nullopt});
  EXPECT_FALSE(offset.value.has_value());
  EXPECT_EQ(decode(offset.key, std::nullopt, why), Record(OffsetRecord{{"g", "t", PartitionIndex{0}}, std::nullopt}));
  const EncodedRecord group = encode(GroupRecord{"g", std::nullopt});
  EXPECT_EQ(decode(group.key, std::nullopt, why), Record(GroupRecord{"g", std::nullopt}));
}

TEST(GroupRecords, OlderVersionsAreRead) {
  const char* why = "";
  const auto v0 = decode(from_hex("0000 0001 67 0001 74 00000001"),
                         from_hex("0000 0000000000000005 0001 6d 0000000000000006"), why);
  ASSERT_TRUE(v0.has_value()) << why;
  EXPECT_EQ(std::get<OffsetRecord>(*v0).value->offset, Offset{5});
  const auto group = decode(
      from_hex("0002 0001 67"),
      from_hex("0000 0001 63 00000001 ffff ffff 00000001 0001 6d 0001 63 0002 2f68 00002710 00000000 00000000"), why);
  ASSERT_TRUE(group.has_value()) << why;
  const auto& member = std::get<GroupRecord>(*group).value->members.at(0);
  EXPECT_EQ(member.session_timeout_ms, 10'000);
  EXPECT_EQ(member.rebalance_timeout_ms, 10'000);
}

TEST(GroupRecords, WhatIsUnknownOrCutShortIsSaidSo) {
  const char* why = "";
  EXPECT_FALSE(decode(from_hex("0003 0001 67"), from_hex("00"), why));
  EXPECT_STREQ(why, "key of an unknown kind");
  EXPECT_FALSE(decode(from_hex(""), std::nullopt, why));
  EXPECT_FALSE(decode(from_hex("0001 0001 67 0001 74 000000"), std::nullopt, why));
  EXPECT_FALSE(decode(from_hex("0001 0001 67 0001 74 00000000"), from_hex("0009 00"), why));
  EXPECT_FALSE(decode(from_hex("0001 0001 67 0001 74 00000000"), from_hex("0003 0000"), why));
}

}  // namespace
}  // namespace edgelog::broker::group
