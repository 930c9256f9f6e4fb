#include "firmware-sim/core/fleet.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/assert.h"
#include "firmware-sim/core/text.h"

namespace edgelog::firmware {
namespace {
constexpr WallMillis unset_clock{1'325'376'000'000};  // 2012-01-01
constexpr std::int64_t unset_for_ms = 3'600'000;
constexpr std::size_t stored_max = 4'096;  // a device's flash while it is silent

bool one_in_million(Prng& random, std::int64_t chance) {
  return random.chance(static_cast<std::uint64_t>(chance), 1'000'000);
}
}  // namespace

Fleet::Fleet(const FleetConfig& config)
    : config_(config),
      random_(config.seed),
      end_(config.begin + milliseconds(to_millis(config.duration) * config.speed)) {
  ASSERT(config_.speed > 0);
  for (std::int64_t i = 0; i < config_.thermostats; ++i) {
    add_device(fmt::format("{}room-{:03}", config_.prefix, i), "thermostat");
    thermostats_.emplace_back(config_.thermostat, random_.next(), config_.begin);
    actors_.emplace(thermostats_.back().next(), static_cast<std::size_t>(i));
  }
  for (std::int64_t b = 0; b < config_.buildings; ++b) {
    for (std::int64_t d = 0; d < config_.building.doors; ++d)
      add_device(fmt::format("{}door-{}-{:02}", config_.prefix, b, d), "door");
    buildings_.emplace_back(config_.building, random_.next(), config_.begin);
    actors_.emplace(buildings_.back().next(), thermostats_.size() + static_cast<std::size_t>(b));
  }
  fill();
}

std::size_t Fleet::add_device(std::string name, std::string kind) {
  Device device;
  device.name = std::move(name);
  device.kind = std::move(kind);
  const auto& q = config_.quirks;
  device.clock_offset_ms = random_.between(-q.clock_offset_ms, q.clock_offset_ms);
  device.drift_ppm = random_.between(-q.clock_drift_ppm, q.clock_drift_ppm);
  device.clock_unset = random_.chance(static_cast<std::uint64_t>(q.clock_unset_per_thousand), 1'000);
  devices_.push_back(std::move(device));
  return devices_.size() - 1;
}

Instant Fleet::deadline() const {
  if (queue_.empty()) return never;
  return Instant{} + milliseconds((queue_.front().first - config_.begin).value() / 1'000'000 / config_.speed);
}

void Fleet::pop() {
  queue_.pop_front();
  fill();
}

void Fleet::fill() {
  while (queue_.empty() && !actors_.empty()) {
    const auto [at, actor] = *actors_.begin();
    if (at >= end_) return actors_.clear();
    actors_.erase(actors_.begin());
    step(actor);
  }
}

void Fleet::step(std::size_t actor) {
  if (actor < thermostats_.size()) {
    Thermostat& thermostat = thermostats_[actor];
    const WallMillis at = thermostat.next();
    say(actor, at, thermostat.report());
    actors_.emplace(thermostat.next(), actor);
    return;
  }
  const std::size_t b = actor - thermostats_.size();
  DoorEvent event = buildings_[b].step();
  const std::size_t first = thermostats_.size() + b * static_cast<std::size_t>(config_.building.doors);
  say(first + static_cast<std::size_t>(event.door), event.at, std::move(event.fields));
  actors_.emplace(buildings_[b].next(), actor);
}

void Fleet::say(std::size_t index, WallMillis at, std::string fields) {
  Device& device = devices_[index];
  const auto& q = config_.quirks;
  if (at < device.silent_until && device.stored.size() < stored_max) {
    device.stored.push_back(std::move(fields));
    return;
  }
  // What was stored comes in one go, all with the time of the flush: real hubs do that.
  for (const auto& stored : std::exchange(device.stored, {})) emit(device, at, stored, false);
  emit(device, at, fields, one_in_million(random_, q.repeat_per_million));
  if (one_in_million(random_, q.silence_per_million))
    device.silent_until = at + milliseconds(random_.between(1, q.silence_most_ms));
  if (one_in_million(random_, q.reboot_per_million))
    queue_.emplace_back(at, Made{Made::What::reboot, device.name, {}, {}, false});
}

void Fleet::emit(const Device& device, WallMillis at, const std::string& fields, bool repeat) {
  Made made;
  made.device = device.name;
  append_literal(made.fields, "t", std::to_string(stamp(device, at)));
  append_field(made.fields, "kind", device.kind);
  made.fields += "," + fields;
  made.repeat = repeat;
  queue_.emplace_back(at, std::move(made));
}

std::int64_t Fleet::stamp(const Device& device, WallMillis at) const {
  const std::int64_t age = at.value() - config_.begin.value();
  if (device.clock_unset && age < unset_for_ms) return unset_clock.value() + age;
  return at.value() + device.clock_offset_ms + age / 1'000 * device.drift_ppm / 1'000;
}

}  // namespace edgelog::firmware
