#include "edge-agent/agent/seal.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace edgelog::agent {
namespace {

// A batch of `count` readings, `apart` milliseconds between two of them.
Buffer sealed(int count, std::int64_t apart) {
  Buffer run;
  for (int i = 0; i < count; ++i)
    append_event(run, i == 0 ? 0 : apart, fmt::format("house/room-{}", i * 7 % 13),
                 fmt::format(R"({{"temperature_c":{}.{},"setpoint_c":21,"humidity":{}}})", 18 + i * 31 % 7, i * 17 % 10,
                             40 + i * 13 % 20),
                 {});
  BatchRow row;
  row.first = EventIndex{0};
  row.last = EventIndex{count - 1};
  const RunPart part{run, EventIndex{0}, WallMillis{1'700'000'000'000}};
  Sealer sealer;
  auto batch = sealer.seal(row, {&part, 1}, {});
  EXPECT_TRUE(batch);
  return std::move(*batch);
}

// What may take time is packed tighter: the same events a millisecond apart come in a burst, and are not.
TEST(Seal, AFewEventsOfASecondAreSqueezed) {
  const Buffer slow = sealed(100, 10), fast = sealed(100, 2);
  EXPECT_LT(slow.size() * 100, fast.size() * 97) << slow.size() << " and " << fast.size();
}

}  // namespace
}  // namespace edgelog::agent
