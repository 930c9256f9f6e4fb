#include "firmware-sim/core/building.h"

#include <fmt/format.h>

#include <algorithm>

#include "firmware-sim/core/text.h"

namespace edgelog::firmware {
namespace {
constexpr std::int64_t minute_ms = 60'000, hour_ms = 60 * minute_ms, day_ms = 24 * hour_ms;

std::int64_t day_of(WallMillis at) { return at.value() / day_ms; }
WallMillis on_day(std::int64_t day, std::int64_t ms) { return WallMillis{day * day_ms + ms}; }
bool is_weekend(std::int64_t day) { return (day + 3) % 7 >= 5; }  // 1970-01-01 was a Thursday
}  // namespace

Building::Building(const BuildingConfig& config, std::uint64_t seed, WallMillis begin)
    : config_(config), random_(seed), people_(static_cast<std::size_t>(config.people)) {
  for (std::int64_t person = 0; person < config_.people; ++person) {
    const WallMillis arrival = on_day(day_of(begin), random_.between(7 * hour_ms, 10 * hour_ms));
    const bool today = arrival >= begin && !is_weekend(day_of(begin));
    plans_.emplace(today ? arrival : next_morning(begin), person);
  }
}

WallMillis Building::next_morning(WallMillis after) {
  std::int64_t day = day_of(after) + 1;
  while (is_weekend(day)) ++day;
  return on_day(day, random_.between(7 * hour_ms, 10 * hour_ms));
}

WallMillis Building::next() const {
  const WallMillis passage = plans_.empty() ? WallMillis{never.value()} : plans_.begin()->first;
  return said_.empty() ? passage : std::min(passage, std::get<0>(*said_.begin()));
}

DoorEvent Building::step() {
  while (said_.empty() || (!plans_.empty() && plans_.begin()->first < std::get<0>(*said_.begin()))) {
    const auto [at, person] = *plans_.begin();
    plans_.erase(plans_.begin());
    pass(at, person);
  }
  auto node = said_.extract(said_.begin());
  return {std::get<0>(node.value()), std::get<2>(node.value()), std::move(std::get<3>(node.value()))};
}

void Building::say(WallMillis at, std::int64_t door, const char* what, std::string more) {
  std::string fields;
  append_field(fields, "event", what);
  if (!more.empty()) fields += "," + more;
  said_.emplace(at, order_++, door, std::move(fields));
}

void Building::pass(WallMillis at, std::int64_t person) {
  const std::int64_t door = random_.between(0, config_.doors - 1);
  if (random_.chance(static_cast<std::uint64_t>(config_.denied_per_thousand), 1'000))
    say(at, door, "badge", fmt::format(R"("result":"denied","person":"x{:04}")", random_.between(0, 9'999)));
  if (random_.chance(static_cast<std::uint64_t>(config_.forced_per_million), 1'000'000)) say(at, door, "forced");
  Person& who = people_[static_cast<std::size_t>(person)];
  who.in = !who.in;
  inside_ += who.in ? 1 : -1;
  say(at, door, "badge",
      fmt::format(R"("result":"granted","person":"p{:04}","direction":"{}")", person, who.in ? "in" : "out"));
  say(at + milliseconds(900), door, "opened");
  const bool held = random_.chance(static_cast<std::uint64_t>(config_.held_per_thousand), 1'000);
  if (held) say(at + seconds(30), door, "held_open");
  say(at + (held ? seconds(random_.between(31, 120)) : milliseconds(random_.between(3'000, 9'000))), door, "closed");
  plans_.emplace(after_passing(at, who), person);
}

WallMillis Building::after_passing(WallMillis at, Person& who) {
  const std::int64_t day = day_of(at);
  if (!who.in && who.lunched && at < on_day(day, 14 * hour_ms))
    return at + milliseconds(random_.between(20 * minute_ms, 60 * minute_ms));
  if (!who.in) {
    who.lunched = false;
    return next_morning(at);
  }
  const WallMillis lunch = on_day(day, random_.between(11 * hour_ms + 30 * minute_ms, 13 * hour_ms));
  if (!who.lunched && lunch > at && random_.chance(2, 3)) {
    who.lunched = true;
    return lunch;
  }
  const WallMillis evening = on_day(day, random_.between(16 * hour_ms, 19 * hour_ms));
  return std::max(evening, at + milliseconds(10 * minute_ms));
}

}  // namespace edgelog::firmware
