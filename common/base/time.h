#pragma once
// Time as an argument. Only adapters read a clock; a core receives Instant (monotonic, never goes
// back, stands for CLOCK_BOOTTIME) and WallMillis (what the world calls it; may jump) with its input.
#include <cstdint>
#include <limits>

#include "common/base/strong.h"

namespace edgelog {

using Instant = Strong<struct InstantTag, std::int64_t>;        // nanoseconds since some beginning
using Duration = Strong<struct DurationTag, std::int64_t>;      // nanoseconds
using WallMillis = Strong<struct WallMillisTag, std::int64_t>;  // milliseconds since 1970-01-01T00:00:00Z

constexpr Duration nanoseconds(std::int64_t n) { return Duration{n}; }
constexpr Duration microseconds(std::int64_t n) { return Duration{n * 1'000}; }
constexpr Duration milliseconds(std::int64_t n) { return Duration{n * 1'000'000}; }
constexpr Duration seconds(std::int64_t n) { return Duration{n * 1'000'000'000}; }

inline constexpr Instant never{std::numeric_limits<std::int64_t>::max()};

constexpr Instant operator+(Instant at, Duration later) {
  return at == never ? never : Instant{at.value() + later.value()};
}
constexpr Duration operator-(Instant to, Instant from) { return Duration{to.value() - from.value()}; }
constexpr std::int64_t to_millis(Duration d) { return d.value() / 1'000'000; }
constexpr WallMillis operator+(WallMillis at, Duration later) { return WallMillis{at.value() + to_millis(later)}; }
constexpr Duration operator-(WallMillis to, WallMillis from) { return milliseconds(to.value() - from.value()); }

}  // namespace edgelog
