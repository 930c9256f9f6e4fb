// The gateway as a process: agents' batches, fences and looks through a real Mosquitto into a real log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "tests/compat/gateway/probe.h"
#include "tests/compat/gateway/process.h"
#include "tests/support/bare_mqtt.h"

namespace edgelog::test {
namespace {

std::string bin;       // --bin
std::string log_name;  // host:port of the log

// The log that main() started, unless one was named.
struct OwnLog {
  std::vector<std::string> command;
  std::string log_file;
  std::uint16_t port = 0;
  std::unique_ptr<Process> process;
  bool start() {
    process = std::make_unique<Process>(command, log_file);
    return await_port(port, 30);
  }
};
OwnLog own_log;

bool start_own_log() {
  if (::access((bin + "/edgelog-broker").c_str(), X_OK) != 0) return false;
  const std::string directory = make_temporary_directory();
  own_log.port = free_port();
  log_name = "127.0.0.1:" + std::to_string(own_log.port);
  own_log.log_file = directory + "/broker.log";
  own_log.command = {bin + "/edgelog-broker",
                     "--data",
                     directory + "/data",
                     "--listen",
                     log_name,
                     "--admin",
                     "127.0.0.1:" + std::to_string(free_port())};
  return own_log.start();
}

constexpr std::int16_t out_of_order = 45, fenced = 47;

class GatewayTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = make_temporary_directory();
    mqtt_port_ = free_port();
    mosquitto_ = start_mosquitto(mqtt_port_);
    ASSERT_TRUE(await_port(mqtt_port_, 10));
  }
  static std::unique_ptr<Process> start_mosquitto(std::uint16_t port) {
    const std::string name = directory_ + "/mosquitto-" + std::to_string(port);
    std::ofstream(name + ".conf") << "listener " << port << " 127.0.0.1\nallow_anonymous true\npersistence false\n"
                                  << "max_inflight_messages 1000\nset_tcp_nodelay true\nlog_dest stderr\n";
    return std::make_unique<Process>(std::vector<std::string>{"mosquitto", "-c", name + ".conf"}, name + ".log");
  }
  static void TearDownTestSuite() { mosquitto_.reset(); }

  // A name that no earlier run used: the log may have been there before.
  static std::string fresh(const std::string& what) {
    static int count = 0;
    return what + "-" + std::to_string(io::wall_now().value() % 1'000'000'000) + "-" + std::to_string(++count);
  }

  struct Gateway {
    std::uint16_t admin;
    std::unique_ptr<Process> process;
  };
  Gateway start_gateway(const std::string& topics, std::uint16_t mqtt_port = mqtt_port_) {
    Gateway out{free_port(), nullptr};
    out.process =
        std::make_unique<Process>(std::vector<std::string>{bin + "/edgelog-gateway", "--brokers", log_name, "--mqtt",
                                                           "127.0.0.1:" + std::to_string(mqtt_port), "--admin",
                                                           "127.0.0.1:" + std::to_string(out.admin), "--topics", topics,
                                                           "--group", group_, "--log-level", "debug"},
                                  directory_ + "/gateway-" + std::to_string(out.admin) + ".log");
    return out;
  }

  // Of GET /metrics; -1 if it is not there.
  static double metric(const Gateway& gateway, const std::string& name) {
    const std::string body = "\n" + http_get(gateway.admin, "/metrics");
    const auto at = body.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::strtod(body.c_str() + at + name.size() + 2, nullptr);
  }
  static bool await_metric(const Gateway& gateway, const std::string& name, double value, int seconds) {
    const auto until = io::boottime_now() + edgelog::seconds(seconds);
    while (io::boottime_now() < until) {
      if (metric(gateway, name) == value) return true;
      pause_briefly();
    }
    return false;
  }
  // "key value" of every record that the topic has, by kcat: a reader that shares no code with us.
  static std::vector<std::string> consume(const std::string& topic) {
    const std::string command =
        "kcat -q -b " + log_name + " -C -t " + topic + " -o beginning -e -f '%k %s\n' 2>/dev/null";
    std::vector<std::string> lines;
    if (FILE* const out = ::popen(command.c_str(), "r")) {
      char line[65536];
      while (std::fgets(line, sizeof line, out)) lines.emplace_back(line);
      ::pclose(out);
    }
    return lines;
  }

  static inline std::string directory_;
  static inline std::uint16_t mqtt_port_ = 0;
  static inline std::unique_ptr<Process> mosquitto_;
  const std::string group_ = fresh("group");
  const std::string topic_ = fresh("events");
};

TEST_F(GatewayTest, ForwardsOnceAndAnswersCopiesWithTheOldOffset) {
  auto gateway = start_gateway(topic_ + ":2");
  Probe probe(mqtt_port_, fresh("agent"));
  const auto list = probe.await_topics({topic_, "edgelog.gaps", "edgelog.dead-letters"});
  ASSERT_TRUE(list);
  EXPECT_GT(list->producer_memory_ms, 0);
  for (const auto& topic : list->topics) {
    EXPECT_FALSE(topic.name.starts_with("__")) << topic.name;
    EXPECT_TRUE(topic.name != topic_ || topic.partitions.size() == 2u);
  }

  Batches batches(probe.agent(), 1);
  const Buffer first = batches.events(0, 3), second = batches.events(3, 2);
  const auto one = probe.insist(topic_, first);
  ASSERT_TRUE(one);
  EXPECT_EQ(one->offset, Offset{0});
  EXPECT_GE(one->leader_epoch.value(), 0);
  EXPECT_EQ(one->partition, PartitionIndex{0});
  const auto two = probe.insist(topic_, second);
  ASSERT_TRUE(two);
  EXPECT_EQ(two->offset, Offset{3});
  probe.send(topic_, first);
  const auto again = probe.answer(Batches::name(topic_, first));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->error, 0);
  EXPECT_EQ(again->offset, Offset{0});

  const Buffer hole = batches.events(9, 1);
  probe.send(topic_, hole);
  const auto refused = probe.answer(Batches::name(topic_, hole));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->error, out_of_order);
  EXPECT_EQ(gateway.process->stop(), 0);
}

TEST_F(GatewayTest, RefusesWhatIsNotTheAgents) {
  auto gateway = start_gateway(topic_ + ":1");
  Probe probe(mqtt_port_, fresh("agent"));
  ASSERT_TRUE(probe.await_topics({topic_}));
  Batches own(probe.agent(), 1), foreign("somebody-else", 1);
  ASSERT_TRUE(probe.insist(topic_, own.events(0, 1)));

  const auto refusal = [&](const std::string& topic, Buffer batch, std::optional<std::string> partition = "0") {
    const auto name = Batches::name(topic, batch);
    probe.send(topic, std::move(batch), partition);
    const auto answer = probe.answer(name);
    return answer ? answer->error : std::int16_t{-99};
  };
  EXPECT_EQ(refusal(topic_, foreign.events(0, 1)), 31);
  EXPECT_EQ(refusal("not-listed", own.events(1, 1)), 29);
  EXPECT_EQ(refusal("__consumer_offsets", own.events(1, 1)), 29);
  EXPECT_EQ(refusal("edgelog.fleet", own.events(1, 1)), 29);
  EXPECT_EQ(refusal(topic_, own.events(1, 1), std::nullopt), 42);
  EXPECT_EQ(refusal(topic_, own.events(1, 1), "x"), 42);
  Buffer broken = own.events(1, 1);
  broken.back() ^= std::byte{1};
  EXPECT_EQ(refusal(topic_, broken), 2);
  EXPECT_EQ(refusal(topic_, own.events(1, 1)), 0);
}

TEST_F(GatewayTest, FenceThenNothingOfThatIdThenLook) {
  auto gateway = start_gateway(topic_ + ":1");
  Probe probe(mqtt_port_, fresh("agent")), other(mqtt_port_, fresh("agent"));
  ASSERT_TRUE(probe.await_topics({topic_}));
  Batches batches(probe.agent(), 7), others(other.agent(), 7), next(probe.agent(), 8);
  const Buffer first = batches.events(0, 3), second = batches.events(3, 2), fence = batches.fence();
  ASSERT_TRUE(probe.insist(topic_, first));
  ASSERT_TRUE(other.insist(topic_, others.events(0, 4)));
  const auto acknowledged = probe.insist(topic_, second);
  ASSERT_TRUE(acknowledged);
  const auto fence_answer = probe.insist(topic_, fence);
  ASSERT_TRUE(fence_answer);

  for (const Buffer& late : {first, batches.events(5, 1)}) {
    probe.send(topic_, late);
    const auto answer = probe.answer(Batches::name(topic_, late));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->error, fenced);
  }
  const auto fence_again = probe.insist(topic_, fence);
  ASSERT_TRUE(fence_again);
  EXPECT_EQ(fence_again->offset, fence_answer->offset);
  ASSERT_TRUE(probe.insist(topic_, next.events(0, 2)));

  uplink::LookRequest request;
  request.look_id = 77;
  request.partition = PartitionIndex{0};
  request.from = Offset{1};
  request.expected = *acknowledged;
  probe.look(topic_, request);
  const auto look = probe.look_answer(77);
  ASSERT_TRUE(look);
  EXPECT_EQ(look->error, 0);
  EXPECT_EQ(look->from, Offset{1});
  EXPECT_EQ(look->to, Offset{12});
  EXPECT_EQ(look->expectation, static_cast<std::int8_t>(uplink::Expectation::found));
  ASSERT_EQ(look->sightings.size(), 3u);
  EXPECT_EQ(look->sightings[0].producer_id, batches.id());
  EXPECT_EQ(look->sightings[0].origin, batches.id());
  EXPECT_EQ(look->sightings[0].first, EventIndex{0});
  EXPECT_EQ(look->sightings[0].last, EventIndex{4});  // two batches, others' between them
  EXPECT_EQ(look->sightings[0].offset, Offset{0});
  EXPECT_TRUE(look->sightings[1].is_fence);
  EXPECT_EQ(look->sightings[1].offset, fence_answer->offset);
  EXPECT_EQ(look->sightings[2].producer_id, next.id());
  EXPECT_EQ(look->sightings[2].last, EventIndex{1});

  request.look_id = 78;
  request.check_only = true;
  request.expected->offset = Offset{4};
  probe.look(topic_, request);
  const auto check = probe.look_answer(78);
  ASSERT_TRUE(check);
  EXPECT_EQ(check->expectation, static_cast<std::int8_t>(uplink::Expectation::replaced));
  EXPECT_TRUE(check->sightings.empty());
}

TEST_F(GatewayTest, TwoShareTheShardsAndOneTakesOver) {
  auto one = start_gateway(topic_ + ":1");
  ASSERT_TRUE(await_metric(one, "edgelog_gateway_shards", 64, 30));
  auto two = start_gateway(topic_ + ":1");
  ASSERT_TRUE(await_metric(two, "edgelog_gateway_shards", 32, 30));
  ASSERT_TRUE(await_metric(one, "edgelog_gateway_shards", 32, 30));

  std::vector<std::unique_ptr<Probe>> probes;
  std::vector<Batches> batches;
  for (int i = 0; i < 8; ++i) {
    probes.push_back(std::make_unique<Probe>(mqtt_port_, fresh("agent")));
    batches.emplace_back(probes.back()->agent(), 1);
    EXPECT_TRUE(probes[static_cast<std::size_t>(i)]->insist(topic_, batches.back().events(0, 2)));
  }
  EXPECT_EQ(two.process->stop(), 0);  // says good-bye: no session has to end first
  EXPECT_TRUE(await_metric(one, "edgelog_gateway_shards", 64, 8));
  auto three = start_gateway(topic_ + ":1");
  ASSERT_TRUE(await_metric(three, "edgelog_gateway_shards", 32, 30));
  one.process->kill();
  for (std::size_t i = 0; i < probes.size(); ++i) EXPECT_TRUE(probes[i]->insist(topic_, batches[i].events(2, 2)));
  EXPECT_TRUE(await_metric(three, "edgelog_gateway_shards", 64, 20));
  const auto lines = consume(topic_);
  EXPECT_EQ(lines.size(), 32u);
}

TEST_F(GatewayTest, WithoutMqttItLeavesItsShardsToTheOthersUntilItWorksAgain) {
  const std::uint16_t other_port = free_port();
  auto other_mosquitto = start_mosquitto(other_port);
  auto one = start_gateway(topic_ + ":1");
  ASSERT_TRUE(await_metric(one, "edgelog_gateway_shards", 64, 30));
  auto two = start_gateway(topic_ + ":1", other_port);
  ASSERT_TRUE(await_metric(two, "edgelog_gateway_shards", 32, 30));
  ASSERT_TRUE(await_metric(one, "edgelog_gateway_shards", 32, 30));
  auto never_connected = start_gateway(topic_ + ":1", free_port());
  other_mosquitto->kill();
  EXPECT_TRUE(await_metric(one, "edgelog_gateway_shards", 64, 40));
  EXPECT_THAT(http_get(two.admin, "/readyz"), ::testing::HasSubstr("MQTT does not work"));
  EXPECT_THAT(http_get(never_connected.admin, "/readyz"), ::testing::HasSubstr("MQTT does not work"));
  other_mosquitto = start_mosquitto(other_port);
  EXPECT_TRUE(await_metric(one, "edgelog_gateway_shards", 32, 40));
}

TEST_F(GatewayTest, TheLogDiesWithBatchesInHand) {
  if (!own_log.process) GTEST_SKIP() << "the log is not ours to kill";
  auto gateway = start_gateway(topic_ + ":1");
  Probe probe(mqtt_port_, fresh("agent"));
  ASSERT_TRUE(probe.await_topics({topic_}));
  Batches batches(probe.agent(), 1);
  ASSERT_TRUE(probe.insist(topic_, batches.events(0, 1)));
  for (std::int32_t round = 0; round < 3; ++round) {
    const std::int32_t first = 1 + 5 * round;
    std::vector<Buffer> sealed;  // the same bytes, however often they are sent
    for (std::int32_t i = 0; i < 5; ++i) sealed.push_back(batches.events(first + i, 1));
    ASSERT_TRUE(await_metric(gateway, "edgelog_gateway_in_hand", 0, 20));
    if (round > 0) own_log.process->signal(SIGSTOP);  // so that they lie in hand when it dies
    for (const Buffer& batch : sealed) probe.send(topic_, batch);
    if (round > 0) {
      ASSERT_TRUE(await_metric(gateway, "edgelog_gateway_in_hand", 5, 20)) << "round " << round;
    }
    own_log.process->kill();
    ASSERT_TRUE(own_log.start());
    for (std::int32_t i = 0; i < 5; ++i) {
      // Sent once: what lay in hand goes to the log that came back. (A second sending could still be on its way when
      // the first is answered, and would be counted as in hand in the next round.)
      const auto answer = probe.answer(Batches::name(topic_, sealed[static_cast<std::size_t>(i)]), 30);
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->error, 0);
      EXPECT_EQ(answer->offset, Offset{first + i});
    }
  }
  EXPECT_EQ(consume(topic_).size(), 16u);
}

TEST_F(GatewayTest, KeepsTheFleetsState) {
  auto gateway = start_gateway(topic_ + ":1");
  const std::string agent = fresh("agent");
  Probe probe(mqtt_port_, agent);
  ASSERT_TRUE(probe.await_topics({topic_}));
  uplink::Heartbeat beat;
  beat.software_version = "1.2\"3";
  beat.streams.push_back({"doors", EventIndex{3}, EventIndex{9}, EventIndex{5}, 4096, 17, 0});
  probe.publish(uplink::state_topic(agent), Buffer(as_bytes("online").begin(), as_bytes("online").end()), true);
  probe.publish(uplink::heartbeat_topic(agent), uplink::encode(beat));
  ASSERT_TRUE(await_metric(gateway, "edgelog_gateway_fleet_records_total", 1, 20));
  probe.publish(uplink::state_topic(agent), Buffer(as_bytes("offline").begin(), as_bytes("offline").end()), true);
  ASSERT_TRUE(await_metric(gateway, "edgelog_gateway_fleet_records_total", 2, 20));
  std::vector<std::string> own;
  for (const std::string& line : consume("edgelog.fleet"))
    if (line.find(agent) != std::string::npos) own.push_back(line);
  ASSERT_GE(own.size(), 2u);
  EXPECT_THAT(own.back(), ::testing::HasSubstr("\"online\":false"));
  EXPECT_THAT(own.back(),
              ::testing::HasSubstr("\"topic\":\"doors\",\"oldest\":3,\"newest\":9,\"acknowledged\":5,\"backlog\":4"));
  EXPECT_THAT(own.back(), ::testing::HasSubstr("\"software\":\"1.2\\\"3\""));
}

// The agent's part of the same: without its answers nothing is ever acknowledged, and nobody would know why.
TEST_F(GatewayTest, AnAgentSaysThatASubscriptionIsRefused) {
  testing::BareMqtt server;
  server.refuse({"edgelog/1/ack/house-1"});
  const std::uint16_t admin = free_port();
  Process agent({bin + "/edgelog-agent", "--id", "house-1", "--data", directory_ + "/refused-agent", "--admin",
                 "127.0.0.1:" + std::to_string(admin), "--uplink-port", std::to_string(server.port())},
                directory_ + "/refused-agent.log");
  std::string said;
  for (const auto until = io::boottime_now() + seconds(30);
       io::boottime_now() < until && said.find("refused") == std::string::npos; pause_briefly())
    said = http_get(admin, "/readyz");
  EXPECT_THAT(said, ::testing::HasSubstr("subscriptions: 1 of 2 refused, such as edgelog/1/ack/house-1"));
  EXPECT_EQ(agent.stop(), 0);
}

// A minute and more: only with EDGELOG_SLOW=1.
TEST_F(GatewayTest, WhatLayInASleepersHandsIsDiscarded) {
  if (!std::getenv("EDGELOG_SLOW")) GTEST_SKIP() << "EDGELOG_SLOW is not set";
  auto sleeper = start_gateway(topic_ + ":1");
  ASSERT_TRUE(await_metric(sleeper, "edgelog_gateway_shards", 64, 30));
  Probe probe(mqtt_port_, fresh("agent"));
  ASSERT_TRUE(probe.await_topics({topic_}));
  Batches batches(probe.agent(), 1);
  ASSERT_TRUE(probe.insist(topic_, batches.events(0, 1)));
  sleeper.process->signal(SIGSTOP);
  const auto slept_since = io::boottime_now();
  for (std::int32_t i = 1; i <= 5; ++i) probe.send(topic_, batches.events(i, 1));
  auto other = start_gateway(topic_ + ":1");
  for (std::int32_t i = 1; i <= 3; ++i) EXPECT_TRUE(probe.insist(topic_, batches.events(i, 1)));
  EXPECT_TRUE(probe.insist(topic_, batches.fence()));
  while (io::boottime_now() - slept_since < seconds(65)) await_metric(other, "edgelog_gateway_shards", 65, 1);
  sleeper.process->signal(SIGCONT);
  EXPECT_TRUE(await_metric(sleeper, "edgelog_gateway_pauses_total", 1, 10));
  EXPECT_TRUE(await_metric(sleeper, "edgelog_gateway_shards", 32, 30));
  EXPECT_EQ(metric(sleeper, "edgelog_gateway_batches_total"),
            metric(sleeper, "edgelog_gateway_released_total{reason=\"stale\"}") + 1);
  EXPECT_EQ(consume(topic_).size(), 5u);  // 0..3 and the fence
}

}  // namespace
}  // namespace edgelog::test

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i + 1 < argc; ++i)
    if (std::string(argv[i]) == "--bin") edgelog::test::bin = argv[i + 1];
  const char* const named = std::getenv("EDGELOG_TEST_LOG");
  if (named) {
    edgelog::test::log_name = named;
  } else if (!edgelog::test::start_own_log()) {
    std::puts("skipped: no EDGELOG_TEST_LOG, and no edgelog-broker that starts");
    return 77;
  }
  const int code = RUN_ALL_TESTS();
  edgelog::test::own_log.process.reset();
  return code;
}
