// The power is cut all along a short life, at every third effect. What each sync is for, tests/sim/power_cuts tells.
#include <gtest/gtest.h>

#include "tests/support/power_story.h"

namespace edgelog::broker {
namespace {

using testing::Crash;

TEST(PowerCut, AllAlongALifeNothingAcknowledgedIsLost) {
  for (const Crash crash : {Crash::power_cut, Crash::mixed, Crash::kill, Crash::kill_and_write, Crash::starts_die}) {
    bool ended = false;
    for (std::uint64_t effect = 1; !ended; effect += 3) {
      const auto result = testing::run_power_story({effect, crash, {}});
      ended = result.ended;
      ASSERT_EQ(result.failure, "") << "effect " << effect << ", crash " << static_cast<int>(crash);
    }
  }
}

}  // namespace
}  // namespace edgelog::broker
