#include "edge-agent/agent/device_time.h"

#include <charconv>

#include "common/base/assert.h"

namespace edgelog::agent {
namespace {

constexpr Duration ahead_tolerance = seconds(300);
// Years 0001 to 9999 in milliseconds: what is beyond is no time that anybody means.
constexpr std::int64_t least_ms = -62'135'596'800'000, most_ms = 253'402'300'799'999;

// Reads exactly `width` digits.
bool fixed(std::string_view& text, std::size_t width, std::int64_t& out) {
  if (text.size() < width) return false;
  out = 0;
  for (std::size_t i = 0; i < width; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    out = out * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return true;
}

bool skip(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

bool in_calendar(std::int64_t month, std::int64_t day, std::int64_t hour, std::int64_t minute, std::int64_t second) {
  return month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour <= 24 && minute <= 59 && second <= 60;
}

// The digits after a point as milliseconds; further ones are cut off.
std::int64_t fraction_ms(std::string_view& text) {
  std::int64_t value = 0, weight = 100;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    value += weight * (text.front() - '0');
    weight /= 10;
    text.remove_prefix(1);
  }
  return value;
}

// "Z", "+02:00", "+0200", "-03"; nothing: local.
bool zone_ms(std::string_view text, std::int64_t& offset, bool& local) {
  offset = 0;
  local = text.empty();
  if (local || text == "Z" || text == "z") return true;
  const std::int64_t sign = text.front() == '-' ? -1 : 1;
  if (!skip(text, '+') && !skip(text, '-')) return false;
  std::int64_t hours = 0, minutes = 0;
  if (!fixed(text, 2, hours)) return false;
  skip(text, ':');
  if (!text.empty() && !fixed(text, 2, minutes)) return false;
  offset = sign * (hours * 60 + minutes) * 60'000;
  return text.empty();
}

bool iso8601(std::string_view text, std::int64_t& ms, bool& local) {
  std::int64_t year, month, day, hour, minute, second = 0, offset = 0;
  if (!fixed(text, 4, year) || !skip(text, '-') || !fixed(text, 2, month) || !skip(text, '-') || !fixed(text, 2, day))
    return false;
  if (!skip(text, 'T') && !skip(text, 't') && !skip(text, ' ')) return false;
  if (!fixed(text, 2, hour) || !skip(text, ':') || !fixed(text, 2, minute)) return false;
  if (skip(text, ':') && !fixed(text, 2, second)) return false;
  const std::int64_t fraction = skip(text, '.') || skip(text, ',') ? fraction_ms(text) : 0;
  if (!in_calendar(month, day, hour, minute, second) || !zone_ms(text, offset, local)) return false;
  ms = ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60'000 + second * 1000 + fraction - offset;
  return true;
}

bool us_local(std::string_view text, std::int64_t& ms) {
  std::int64_t month, day, year, hour, minute, second;
  if (!fixed(text, 2, month) || !skip(text, '/') || !fixed(text, 2, day) || !skip(text, '/') || !fixed(text, 2, year))
    return false;
  if (!skip(text, ' ') || !fixed(text, 2, hour) || !skip(text, ':') || !fixed(text, 2, minute) || !skip(text, ':'))
    return false;
  if (!fixed(text, 2, second) || !text.empty() || !in_calendar(month, day, hour, minute, second)) return false;
  // Two digits as POSIX reads them: 69-99 are of the last century.
  const std::int64_t century = year >= 69 ? 1900 : 2000;
  ms = ((days_of(century + year, month, day) * 24 + hour) * 60 + minute) * 60'000 + second * 1000;
  return true;
}

// A decimal number times `scale`, without floating point.
bool number(std::string_view text, std::int64_t scale, std::int64_t& ms) {
  std::int64_t whole = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, whole);
  if (error != std::errc{} || whole > most_ms || whole < least_ms) return false;
  text = {at, static_cast<std::size_t>(end - at)};
  const std::int64_t fraction = skip(text, '.') ? fraction_ms(text) : 0;
  if (!text.empty()) return false;
  ms = whole * scale;
  if (scale == 1000) ms += whole < 0 ? -fraction : fraction;
  return true;
}

bool read(std::string_view text, TimeFormat format, std::int64_t& ms, bool& local) {
  constexpr std::int64_t seconds_below = 100'000'000'000;  // the year 5138 in seconds, 1973 in milliseconds
  switch (format) {
    case TimeFormat::iso8601: return iso8601(text, ms, local);
    case TimeFormat::us_local: local = true; return us_local(text, ms);
    case TimeFormat::unix_s: return number(text, 1000, ms);
    case TimeFormat::unix_ms: return number(text, 1, ms);
    case TimeFormat::any:
      if (iso8601(text, ms, local)) return true;
      local = false;
      if (!number(text, 1, ms)) return false;
      return (ms < seconds_below && ms > -seconds_below) ? number(text, 1000, ms) : true;
  }
  UNREACHABLE();
}

}  // namespace

// Howard Hinnant's days_from_civil, in the form with a year that begins in March.
std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

DeviceTime read_device_time(std::string_view text, TimeFormat format, WallMillis earliest, WallMillis now) {
  std::int64_t ms = 0;
  bool local = false;
  if (!read(text, format, ms, local) || ms < least_ms || ms > most_ms) return {std::nullopt, ClockTrust::unreadable};
  const WallMillis at{ms};
  if (at < earliest) return {at, ClockTrust::unset};
  if (at > now + ahead_tolerance) return {at, ClockTrust::ahead};
  return {at, local ? ClockTrust::local : ClockTrust::ok};
}

std::string_view name_of(ClockTrust trust) {
  switch (trust) {
    case ClockTrust::none: return "none";
    case ClockTrust::ok: return "ok";
    case ClockTrust::unset: return "unset";
    case ClockTrust::ahead: return "ahead";
    case ClockTrust::local: return "local";
    case ClockTrust::unreadable: return "unreadable";
  }
  UNREACHABLE();
}

}  // namespace edgelog::agent
