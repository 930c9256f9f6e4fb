#pragma once
// A building's worth of devices: thermostats and door readers, and what is wrong with cheap ones: clocks that
// drift or were never set, reboots, events said twice, hours of silence and then a flush of what was stored.
// One seed gives one history.
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/prng.h"
#include "firmware-sim/core/building.h"
#include "firmware-sim/core/source.h"
#include "firmware-sim/core/thermostat.h"

namespace edgelog::firmware {

struct Quirks {
  std::int64_t clock_offset_ms = 2'000;        // at most, either way
  std::int64_t clock_drift_ppm = 100;          // at most, either way
  std::int64_t clock_unset_per_thousand = 20;  // devices whose clock stands in 2012 for their first hour
  std::int64_t repeat_per_million = 1'000;     // events said twice
  std::int64_t silence_per_million = 100;      // events that begin a silence
  std::int64_t silence_most_ms = 3'600'000;
  std::int64_t reboot_per_million = 50;  // events after which the device starts again
};

struct FleetConfig {
  std::string prefix = "";  // of all device names
  std::int64_t thermostats = 40;
  ThermostatConfig thermostat;
  std::int64_t buildings = 1;
  BuildingConfig building;
  Quirks quirks;
  std::uint64_t seed = 1;
  std::int64_t speed = 60;              // seconds of the building per second
  WallMillis begin{1'767'596'400'000};  // 2026-01-05 07:00, a Monday
  Duration duration = seconds(60);      // of the driver's time
};

class Fleet : public EventSource {
 public:
  explicit Fleet(const FleetConfig& config);
  Instant deadline() const override;
  const Made& front() const override { return queue_.front().second; }
  void pop() override;

 private:
  struct Device {
    std::string name, kind;
    std::int64_t clock_offset_ms = 0, drift_ppm = 0;
    bool clock_unset = false;
    WallMillis silent_until{};
    std::vector<std::string> stored;  // while it is silent
  };
  void fill();
  void step(std::size_t actor);
  void say(std::size_t device, WallMillis at, std::string fields);
  void emit(const Device& device, WallMillis at, const std::string& fields, bool repeat);
  std::int64_t stamp(const Device& device, WallMillis at) const;
  std::size_t add_device(std::string name, std::string kind);

  FleetConfig config_;
  Prng random_;
  std::vector<Device> devices_;
  std::vector<Thermostat> thermostats_;                  // device i
  std::vector<Building> buildings_;                      // doors behind the thermostats, building by building
  std::set<std::pair<WallMillis, std::size_t>> actors_;  // thermostats, then buildings
  std::deque<std::pair<WallMillis, Made>> queue_;
  WallMillis end_;
};

}  // namespace edgelog::firmware
