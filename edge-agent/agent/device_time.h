#pragma once
// A device's own time as its payload gives it, and how far it is to be trusted. Pure. A time never decides
// what becomes of an event: it travels in a header, with its trust in another.
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/time.h"

namespace edgelog::agent {

enum class TimeFormat : unsigned char {
  any,       // iso8601 if it is text, else a number: seconds below 1e11, milliseconds above
  iso8601,   // "2022-10-09T20:13:08Z", fraction and offset allowed; without a zone it is local
  unix_s,    // seconds, a fraction allowed
  unix_ms,   // milliseconds
  us_local,  // "07/24/05 00:30:00", without a zone
};

// ok; unset: before the clock can have been set; ahead: more than five minutes ahead of the agent's;
// local: of a zone that nobody wrote down, taken for UTC; unreadable: there was something, but no time.
enum class ClockTrust : unsigned char { none, ok, unset, ahead, local, unreadable };

struct DeviceTime {
  std::optional<WallMillis> at;
  ClockTrust trust = ClockTrust::none;
};

DeviceTime read_device_time(std::string_view text, TimeFormat format, WallMillis earliest, WallMillis now);
std::string_view name_of(ClockTrust trust);

// Days from 1970-01-01 of a date in the proleptic Gregorian calendar.
std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day);

}  // namespace edgelog::agent
