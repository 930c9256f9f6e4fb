#include "gateway/bridge/fleet.h"

#include <gtest/gtest.h>

#include "common/record/batch.h"
#include "tests/unit/common/client/fake_cluster.h"
#include "tests/unit/gateway/bridge/fake_log.h"

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

// More than a batch takes stays for the next: one that the log refuses as too large would be refused for ever.
TEST(FleetTest, ABatchIsBoundedInBytes) {
  client::FakeTimer timer;
  client::FakeLinks links;
  client::ClientOptions options;
  options.bootstrap = {{"seed", 9092}};
  client::Client client(options, links, timer, 1);
  const auto run = [&](Duration time = Duration{0}) {
    const Instant until = timer.now() + time;
    while (timer.wake() <= until) {
      timer.move_to(timer.wake());
      client.on_alarm();
    }
    timer.move_to(until);
  };
  client.start();
  run();
  wire::MetadataResponse cluster;
  cluster.brokers = {{NodeId{1}, "one", 9092}};
  cluster.topics.emplace_back().name = std::string(uplink::fleet_topic);
  auto& partition = cluster.topics[0].partitions.emplace_back();
  partition.leader_id = NodeId{1};
  partition.leader_epoch = LeaderEpoch{1};
  const LinkId seed = links.open.begin()->first;
  links.accept(seed);
  links.answer(seed, cluster);
  run();

  client::FakeTimer alarm;
  FleetConfig config;
  config.flush_bytes_max = 3000;
  Fleet fleet(config, "gateway-7", client, alarm);
  fleet.own(Shards().set());
  for (int i = 0; i < 20; ++i) {
    uplink::Heartbeat beat;
    for (int k = 0; k < 300; ++k) beat.streams.push_back({"t" + std::to_string(k), {}, {}, {}, 0, -1, 0});
    beat.streams.push_back({std::string(30'000, 'x'), {}, {}, {}, 0, -1, 0});
    fleet.heartbeat("agent-" + std::to_string(i), beat, WallMillis{1});
  }
  std::int32_t records = 0, batches = 0;
  for (; batches < 30 && records < 20; ++batches) {
    alarm.move_to(alarm.now() + seconds(2));
    fleet.tick(WallMillis{2});
    run();
    if (batches == 0) links.accept(std::prev(links.open.end())->first);  // the way that produces
    run();
    for (auto& [id, link] : links.open) {
      if (link.asked.empty() || link.asked.front().header.api_key != wire::produce_api.key) continue;
      const auto request = link.asked.front().as<wire::ProduceRequest>();
      const auto header = record::parse_header(*request.topics[0].partitions[0].records);
      ASSERT_TRUE(header);
      EXPECT_LE(header->count, 1) << "256 streams are more than 3000 bytes";
      records += header->count;
      wire::ProduceResponse response;
      response.topics.emplace_back().name = std::string(uplink::fleet_topic);
      response.topics[0].partitions.emplace_back().base_offset = Offset{records};
      links.answer(id, response);
      break;
    }
    run();
  }
  EXPECT_EQ(records, 20);
  EXPECT_GE(batches, 20);
}

class FleetOrderTest : public ::testing::Test {
 protected:
  FleetOrderTest() {
    log.add_topic(std::string(uplink::fleet_topic), 1);
    log.on<wire::ProduceRequest>([this](LinkId link, const client::Asked& asked) {
      const auto request = asked.as<wire::ProduceRequest>();
      const Bytes batch = *request.topics[0].partitions[0].records;
      const auto header = record::parse_header(batch);
      record::Scratch scratch;
      auto records = record::open_records(batch, *header, scratch, 1 << 20);
      record::RecordView record;
      written.emplace_back();
      while (records && records->next(record)) {
        written.back().emplace_back(as_text(*record.key));
        values[written.back().back()] = std::string(as_text(*record.value));
      }
      wire::ProduceResponse response;
      response.topics.emplace_back().name = std::string(uplink::fleet_topic);
      response.topics[0].partitions.emplace_back().base_offset = Offset{1};
      log.links.answer(link, response);
    });
    log.client.start();
    log.run();
    fleet.own(Shards().set());
  }
  static FleetConfig small() {
    FleetConfig config;
    config.flush_records_max = 2;
    return config;
  }
  void beat(const std::string& agent) { fleet.heartbeat(agent, {}, WallMillis{5}); }
  void flush() {
    alarm.move_to(alarm.now() + seconds(10));
    fleet.tick(WallMillis{9});
    log.run();
  }

  FakeLog log;
  client::FakeTimer alarm;
  Fleet fleet{small(), "gateway-7", log.client, alarm};
  std::vector<std::vector<std::string>> written;  // agents, by batch
  std::map<std::string, std::string> values;
};

// Every agent is due whenever there is a flush: the first of the alphabet must not have all of them.
TEST_F(FleetOrderTest, WhoWasNotWrittenForLongestComesFirst) {
  const std::vector<std::string> agents{"a", "b", "c", "d", "e"};
  for (int turn = 0; turn < 6; ++turn) {
    for (const auto& agent : agents) beat(agent);
    flush();
  }
  ASSERT_EQ(written.size(), 6u);
  const std::vector<std::vector<std::string>> expected{{"a", "b"}, {"c", "d"}, {"e", "a"}, {"b", "c"}, {"d", "a"}};
  EXPECT_EQ(std::vector(written.begin(), written.begin() + 5), expected);
  for (const auto& agent : agents) beat(agent);
  fleet.state("e", false, WallMillis{7});
  flush();
  EXPECT_EQ(written.back().front(), "e") << "who goes is told first";
}

TEST_F(FleetOrderTest, WhoSendsHeartbeatsIsOnline) {
  fleet.state("a", false, WallMillis{3});
  flush();
  EXPECT_NE(values["a"].find("\"online\":false,\"since_ms\":3"), std::string::npos);
  beat("a");
  EXPECT_EQ(fleet.metrics().online.value(), 1);
  flush();
  EXPECT_NE(values["a"].find("\"online\":true,\"since_ms\":5"), std::string::npos);
  fleet.state("a", false, WallMillis{8});
  EXPECT_EQ(fleet.metrics().online.value(), 0);
}

}  // namespace
}  // namespace edgelog::gateway
