#pragma once
// Times as recordings write them. For the pace of a replay only: a time that cannot be read is no time.
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace edgelog::firmware {

enum class TimeFormat : unsigned char {
  none,
  iso8601,       // 2022-10-09T20:13:08Z
  unix_seconds,  // 1489020690
  us_date_time,  // 07/24/05 00:30:00; no zone is known, taken as UTC
};

std::optional<WallMillis> parse_recorded(TimeFormat format, std::string_view text);

}  // namespace edgelog::firmware
