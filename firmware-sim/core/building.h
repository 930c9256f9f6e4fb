#pragma once
// An office with doors and people with badges: they come in the morning, some go out for lunch, all leave in
// the evening. A door's reader tells badge (granted or denied), opened, closed, held open, forced.
#include <cstdint>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/base/prng.h"
#include "common/base/time.h"

namespace edgelog::firmware {

struct BuildingConfig {
  std::int64_t doors = 4, people = 100;
  std::int64_t denied_per_thousand = 20;  // somebody tries a badge that is not valid, per granted one
  std::int64_t held_per_thousand = 30;    // the door is held open, per passage
  std::int64_t forced_per_million = 500;  // a door opens without a badge, per passage
};

struct DoorEvent {
  WallMillis at{};
  std::int64_t door = 0;
  std::string fields;
};

class Building {
 public:
  Building(const BuildingConfig& config, std::uint64_t seed, WallMillis begin);
  WallMillis next() const;
  // The next event of any of its doors.
  DoorEvent step();
  std::int64_t inside() const { return inside_; }

 private:
  struct Person {
    bool in = false, lunched = false;
  };
  void pass(WallMillis at, std::int64_t person);
  void say(WallMillis at, std::int64_t door, const char* what, std::string more = {});
  WallMillis after_passing(WallMillis at, Person& person);
  WallMillis next_morning(WallMillis after);

  BuildingConfig config_;
  Prng random_;
  std::vector<Person> people_;
  std::set<std::pair<WallMillis, std::int64_t>> plans_;                              // who passes when
  std::set<std::tuple<WallMillis, std::uint64_t, std::int64_t, std::string>> said_;  // door events that lie ahead
  std::uint64_t order_ = 0;
  std::int64_t inside_ = 0;
};

}  // namespace edgelog::firmware
