#include "firmware-sim/core/thermostat.h"

#include <fmt/format.h>

#include <cstdlib>

#include "firmware-sim/core/text.h"

namespace edgelog::firmware {
namespace {
constexpr std::int64_t hour_ms = 3'600'000, day_ms = 24 * hour_ms;
constexpr std::int64_t night_setpoint = 17'000, hysteresis = 300;
constexpr std::int64_t radiator_per_hour = 4'000;  // milli-degrees, were there no loss

std::string degrees(std::int64_t milli) {
  return fmt::format("{}{}.{:02}", milli < 0 ? "-" : "", std::abs(milli) / 1000, std::abs(milli) % 1000 / 10);
}
}  // namespace

std::int64_t outside(WallMillis at) {
  const std::int64_t day = at.value() / day_ms, since_four = (at.value() + 20 * hour_ms) % day_ms;
  const std::int64_t rising = since_four < 12 * hour_ms ? since_four : day_ms - since_four;
  const std::int64_t mild = day * 2'654'435'761 % 5'000;
  return 2'000 + mild + rising * 9'000 / (12 * hour_ms);
}

Thermostat::Thermostat(const ThermostatConfig& config, std::uint64_t seed, WallMillis begin)
    : config_(config),
      random_(seed),
      next_(begin + milliseconds(random_.between(0, config.interval_ms - 1))),
      room_(random_.between(17'000, 21'000)),
      setpoint_(night_setpoint),
      day_setpoint_(random_.between(190, 225) * 100),
      insulation_(random_.between(20, 60) * 3'600) {}

void Thermostat::warm(std::int64_t seconds) {
  room_ += (outside(next_) - room_) * seconds / insulation_;
  if (heating_ || next_ < stuck_until_) room_ += radiator_per_hour * seconds / 3'600;
  room_ += random_.between(-20, 20);  // people, windows, the sensor itself
}

void Thermostat::decide() {
  const std::int64_t hour = next_.value() % day_ms / hour_ms;
  const bool day = hour >= 6 && hour < 22;
  if (random_.chance(static_cast<std::uint64_t>(config_.occupant_per_million), 1'000'000))
    day_setpoint_ = random_.between(185, 235) * 100;
  setpoint_ = day ? day_setpoint_ : night_setpoint;
  if (random_.chance(static_cast<std::uint64_t>(config_.stuck_per_million), 1'000'000))
    stuck_until_ = next_ + milliseconds(random_.between(hour_ms, 2 * hour_ms));
  if (room_ < setpoint_ - hysteresis) heating_ = true;
  if (room_ > setpoint_ + hysteresis) heating_ = false;
}

std::string Thermostat::report() {
  warm(config_.interval_ms / 1'000);
  decide();
  std::string fields;
  append_literal(fields, "temperature", degrees(room_));
  append_literal(fields, "setpoint", degrees(setpoint_));
  append_literal(fields, "heating", heating_ ? "true" : "false");
  append_literal(fields, "valve", heating_ || next_ < stuck_until_ ? "100" : "0");
  // A tenth early or late: clocks of cheap devices, and no herd on the minute.
  next_ =
      next_ + milliseconds(config_.interval_ms + random_.between(-config_.interval_ms / 10, config_.interval_ms / 10));
  return fields;
}

}  // namespace edgelog::firmware
