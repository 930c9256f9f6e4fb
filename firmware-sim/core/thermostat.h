#pragma once
// One room with a thermostat: it loses heat to the outside, gains it from its radiator, and reports. Whole
// milli-degrees, so that every machine makes the same weather. Some rooms overheat at times: the valve sticks open.
#include <cstdint>
#include <string>

#include "common/base/prng.h"
#include "common/base/time.h"

namespace edgelog::firmware {

struct ThermostatConfig {
  std::int64_t interval_ms = 60'000;         // between two reports, and between two steps of the room
  std::int64_t stuck_per_million = 200;      // chance per step that the valve sticks open, for an hour or two
  std::int64_t occupant_per_million = 1000;  // chance per step that somebody turns the knob
};

class Thermostat {
 public:
  Thermostat(const ThermostatConfig& config, std::uint64_t seed, WallMillis begin);
  // When it reports next.
  WallMillis next() const { return next_; }
  // Goes on to next() and gives the fields of its report: temperature, setpoint, heating, valve.
  std::string report();

 private:
  void warm(std::int64_t seconds);
  void decide();

  ThermostatConfig config_;
  Prng random_;
  WallMillis next_;
  std::int64_t room_, setpoint_, day_setpoint_;  // milli-degrees
  std::int64_t insulation_;                      // seconds per e-fold towards the outside
  WallMillis stuck_until_{};
  bool heating_ = false;
};

// Outside, in milli-degrees: coldest at 4, warmest at 16 o'clock, some days milder than others.
std::int64_t outside(WallMillis at);

}  // namespace edgelog::firmware
