#include "common/base/prng.h"

#include <gtest/gtest.h>

namespace edgelog {
namespace {

TEST(Prng, SameSeedSameNumbers) {
  Prng a(7), b(7), c(8);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const auto x = a.next();
    EXPECT_EQ(x, b.next());
    differs |= x != c.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Prng, StaysInBounds) {
  Prng random(1);
  bool low = false, high = false;
  for (int i = 0; i < 10'000; ++i) {
    const auto x = random.between(-2, 2);
    ASSERT_GE(x, -2);
    ASSERT_LE(x, 2);
    low |= x == -2;
    high |= x == 2;
  }
  EXPECT_TRUE(low && high);
}

}  // namespace
}  // namespace edgelog
