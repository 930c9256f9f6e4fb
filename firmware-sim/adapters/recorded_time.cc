#include "firmware-sim/adapters/recorded_time.h"

#include <charconv>
#include <chrono>

namespace edgelog::firmware {
namespace {

// The number that stands at `at` with `digits` digits; below 0: none.
int digits_at(std::string_view text, std::size_t at, std::size_t digits) {
  if (at + digits > text.size()) return -1;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + digits, value);
  return error == std::errc{} && end == text.data() + at + digits ? value : -1;
}

std::optional<WallMillis> moment(int year, int month, int day, int hour, int minute, int second) {
  if (year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return WallMillis{((days * 24 + hour) * 60 + minute) * 60'000 + second * 1'000};
}

}  // namespace

std::optional<WallMillis> parse_recorded(TimeFormat format, std::string_view t) {
  switch (format) {
    case TimeFormat::none: return std::nullopt;
    case TimeFormat::iso8601:
      return moment(digits_at(t, 0, 4), digits_at(t, 5, 2), digits_at(t, 8, 2), digits_at(t, 11, 2),
                    digits_at(t, 14, 2), digits_at(t, 17, 2));
    case TimeFormat::us_date_time: {
      const int year = digits_at(t, 6, 2);
      return moment(year < 0 ? -1 : 2000 + year, digits_at(t, 0, 2), digits_at(t, 3, 2), digits_at(t, 9, 2),
                    digits_at(t, 12, 2), digits_at(t, 15, 2));
    }
    case TimeFormat::unix_seconds: {
      std::int64_t seconds_since = 0;
      const auto [end, error] = std::from_chars(t.data(), t.data() + t.size(), seconds_since);
      if (error != std::errc{} || seconds_since < 0 || seconds_since > 253'402'300'799) return std::nullopt;
      return WallMillis{seconds_since * 1'000};
    }
  }
  return std::nullopt;
}

}  // namespace edgelog::firmware
