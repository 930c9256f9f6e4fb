#include "tests/support/store_sim.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace edgelog::testing {
namespace {

// Many more run as `edgelog-sim broker`; these are here so that a change of the store meets them first.
TEST(StoreSim, HoldsForTheFirstSeeds) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const auto result = run_store_sim(seed, {});
    ASSERT_EQ(result.failure, "") << "seed " << seed;
  }
}

TEST(StoreSim, TheSameSeedTellsTheSameStory) {
  for (const std::uint64_t seed : {3, 4}) {
    std::string first, second;
    for (auto* story : {&first, &second}) {
      run_store_sim(
          seed, [story](Instant now, std::string_view line) { *story += fmt::format("{} {}\n", now.value(), line); });
    }
    EXPECT_FALSE(first.empty());
    EXPECT_EQ(first, second);
  }
}

}  // namespace
}  // namespace edgelog::testing
