#include "gateway/bridge/fleet.h"

#include <gtest/gtest.h>

namespace edgelog::gateway {
namespace {

// The golden record of docs/FORMATS.md, "Fleet".
TEST(FleetJsonTest, IsAsTheFormatSays) {
  AgentState state;
  state.online = true;
  state.since = WallMillis{1'700'000'000'000};
  EXPECT_EQ(fleet_json("house-1", state, "gateway-7"),
            R"({"v":1,"agent":"house-1","online":true,"since_ms":1700000000000,"seen_ms":0,"gateway":"gateway-7"})");
  state.seen = WallMillis{1'700'000'000'500};
  uplink::Heartbeat beat;
  beat.software_version = "0.1 \"x\"\n";
  beat.agent_time = WallMillis{1'700'000'000'400};
  beat.clock_trusted = 1;
  beat.disk_free_bytes = 5;
  beat.streams.push_back({"doors", EventIndex{3}, EventIndex{9}, EventIndex{5}, 4096, -1, 1});
  beat.streams.push_back({"climate", EventIndex{0}, EventIndex{0}, EventIndex{0}, 0, -1, 99});
  state.heartbeat = beat;
  EXPECT_EQ(
      fleet_json("house-1", state, "gateway-7"),
      R"({"v":1,"agent":"house-1","online":true,"since_ms":1700000000000,"seen_ms":1700000000500,"gateway":"gateway-7",)"
      R"("software":"0.1 \"x\"\u000a","agent_time_ms":1700000000400,"clock_trusted":true,"disk_free_bytes":5,"streams":[)"
      R"({"topic":"doors","oldest":3,"newest":9,"acknowledged":5,"backlog":4,"bytes":4096,"oldest_ms":-1,"state":"fencing"},)"
      R"({"topic":"climate","oldest":0,"newest":0,"acknowledged":0,"backlog":0,"bytes":0,"oldest_ms":-1,"state":"unknown"}]})");
}

}  // namespace
}  // namespace edgelog::gateway
