#include "firmware-sim/core/fleet.h"

#include <gtest/gtest.h>
#include <algorithm>

#include <map>
#include <string>
#include <vector>

#include "firmware-sim/core/text.h"

namespace edgelog::firmware {
namespace {

FleetConfig small() {
  FleetConfig config;
  config.thermostats = 5;
  config.building.people = 20;
  config.speed = 600;
  config.duration = seconds(60);
  return config;
}

std::vector<std::string> history(const FleetConfig& config) {
  std::vector<std::string> said;
  Fleet fleet(config);
  Instant before{};
  for (; fleet.deadline() != never; fleet.pop()) {
    EXPECT_GE(fleet.deadline(), before);
    before = fleet.deadline();
    said.push_back(fleet.front().device + " " + fleet.front().fields);
  }
  return said;
}

TEST(Fleet, OneSeedOneHistory) {
  auto config = small();
  const auto first = history(config);
  EXPECT_GT(first.size(), 1000u);
  EXPECT_EQ(first, history(config));
  config.seed = 2;
  EXPECT_NE(first, history(config));
}

TEST(Fleet, EndsWithItsDuration) {
  Fleet fleet(small());
  Instant last{};
  for (; fleet.deadline() != never; fleet.pop()) last = fleet.deadline();
  EXPECT_LE(last, Instant{} + seconds(60));
  EXPECT_GT(last, Instant{} + seconds(59));
}

TEST(Fleet, QuirksHappen) {
  auto config = small();
  config.quirks.repeat_per_million = 100'000;
  config.quirks.reboot_per_million = 50'000;
  config.quirks.silence_per_million = 50'000;
  config.quirks.clock_unset_per_thousand = 1'000;
  int repeats = 0, reboots = 0, unset = 0;
  std::map<std::string, int> of_one_time;
  Fleet fleet(config);
  for (; fleet.deadline() != never; fleet.pop()) {
    const Made& made = fleet.front();
    repeats += made.repeat ? 1 : 0;
    reboots += made.what == Made::What::reboot ? 1 : 0;
    unset += made.fields.starts_with("\"t\":13253") ? 1 : 0;
    if (made.device == "room-000") ++of_one_time[made.fields.substr(0, made.fields.find(','))];
  }
  EXPECT_GT(repeats, 10);
  EXPECT_GT(reboots, 10);
  EXPECT_GT(unset, 10);
  int most = 0;
  for (const auto& [time, count] : of_one_time) most = std::max(most, count);
  EXPECT_GT(most, 2) << "a silence ends with a flush of one time";
}

TEST(Thermostat, KeepsItsRoomNearTheSetpointAndOverheatsWhenStuck) {
  const WallMillis monday{1'767'571'200'000};
  ThermostatConfig config;
  config.stuck_per_million = 0;
  Thermostat sound(config, 3, monday);
  config.stuck_per_million = 2'000;
  Thermostat faulty(config, 3, monday);
  const auto over = [](const std::string& fields) {
    const auto number = [&](const char* name) {
      return std::stod(fields.substr(fields.find(name) + std::string(name).size() + 2));
    };
    return number("temperature") - number("setpoint");
  };
  double most_sound = -100, most_faulty = -100;
  for (int minute = 0; minute < 1440; ++minute) {
    const double a = over(sound.report()), b = over(faulty.report());
    if (minute < 600 || minute > 1200) continue;  // warmed up, and before the setpoint of the night
    most_sound = std::max(most_sound, a);
    most_faulty = std::max(most_faulty, b);
  }
  EXPECT_LT(most_sound, 3);
  EXPECT_GT(most_faulty, 3);
}

TEST(Building, WhoGoesInComesOutAndNobodyTwice) {
  const WallMillis monday{1'767'571'200'000};
  BuildingConfig config;
  Building building(config, 5, monday);
  std::map<std::string, bool> inside;
  std::int64_t granted = 0;
  WallMillis before = monday;
  while (building.next() < monday + seconds(5 * 86'400)) {
    ASSERT_GE(building.next(), before);
    before = building.next();
    const auto event = building.step();
    const auto person = event.fields.find("\"person\":\"p");
    if (person == std::string::npos) continue;
    ++granted;
    const bool in = event.fields.find("\"in\"") != std::string::npos;
    bool& is_in = inside[event.fields.substr(person + 10, 5)];
    EXPECT_NE(is_in, in);
    is_in = in;
  }
  EXPECT_GT(granted, 5 * 2 * 90);
  EXPECT_EQ(building.inside(), 0) << "Friday night";
}

TEST(Text, EscapesAndNamesTopics) {
  std::string fields;
  append_field(fields, "a", "x\"\\\n");
  append_literal(fields, "b", "1.50");
  EXPECT_EQ(fields, R"("a":"x\"\\\u000a","b":1.50)");
  EXPECT_EQ(topic_level("a/b+c#"), "a_b_c_");
  EXPECT_EQ(name_hash(""), 0xcbf29ce484222325u);
}

}  // namespace
}  // namespace edgelog::firmware
