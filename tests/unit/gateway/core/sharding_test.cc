#include "gateway/core/sharding.h"

#include <gtest/gtest.h>
#include <algorithm>

#include "common/base/prng.h"

namespace edgelog::gateway {
namespace {

void expect_fair(const std::map<std::string, Shards>& divided) {
  Shards all;
  std::size_t least = 64, most = 0;
  for (const auto& [id, shards] : divided) {
    EXPECT_TRUE((all & shards).none());
    all |= shards;
    least = std::min(least, shards.count());
    most = std::max(most, shards.count());
  }
  EXPECT_TRUE(all.all());
  EXPECT_LE(most - least, 1u);
}

TEST(ShardingTest, EachShardHasOneOwnerAndSharesAreEven) {
  Prng prng(7);
  for (int round = 0; round < 500; ++round) {
    std::map<std::string, Shards> held;
    const auto members = prng.between(1, 70);
    for (std::int64_t i = 0; i < members; ++i)
      held["m" + std::to_string(prng.next() % 1000)] = Shards(prng.next() & prng.next());
    if (held.size() > 64) continue;
    expect_fair(divide_shards(held));
  }
}

TEST(ShardingTest, MovesOnlyWhatFairnessNeeds) {
  auto divided = divide_shards({{"a", {}}, {"b", {}}});
  auto three = divided;
  three["c"] = {};
  three = divide_shards(three);
  expect_fair(three);
  EXPECT_EQ((three["a"] & divided["a"]), three["a"]);
  EXPECT_EQ((three["b"] & divided["b"]), three["b"]);
  three.erase("b");
  const auto two = divide_shards(three);
  EXPECT_EQ((two.at("a") & three["a"]), three["a"]);
}

TEST(ShardingTest, BytesThereAndBack) {
  const Shards shards(0x8000000000000005ULL);
  const Buffer bytes = encode(shards);
  ASSERT_EQ(bytes.size(), 9u);
  EXPECT_EQ(bytes[0], std::byte{1});
  EXPECT_EQ(bytes[1], std::byte{0x80});
  EXPECT_EQ(bytes[8], std::byte{5});
  EXPECT_EQ(decode_shards(bytes), shards);
  EXPECT_FALSE(decode_shards(Bytes(bytes).first(8)));
  Buffer newer = bytes;
  newer[0] = std::byte{2};
  EXPECT_FALSE(decode_shards(newer));
}

}  // namespace
}  // namespace edgelog::gateway
