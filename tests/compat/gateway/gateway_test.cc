// The gateway as a process: agents' batches, fences and looks through a real Mosquitto into a real log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <fstream>

#include "tests/compat/gateway/probe.h"
#include "tests/compat/gateway/process.h"

namespace edgelog::test {
namespace {

std::string bin;       // --bin
std::string log_name;  // host:port of the log

constexpr std::int16_t out_of_order = 45, fenced = 47;

class GatewayTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = make_temporary_directory();
    mqtt_port_ = free_port();
    std::ofstream(directory_ + "/mosquitto.conf")
        << "listener " << mqtt_port_ << " 127.0.0.1\nallow_anonymous true\npersistence false\n"
        << "max_inflight_messages 1000\nset_tcp_nodelay true\nlog_dest stderr\n";
    mosquitto_ = std::make_unique<Process>(std::vector<std::string>{"mosquitto", "-c", directory_ + "/mosquitto.conf"},
                                           directory_ + "/mosquitto.log");
    ASSERT_TRUE(await_port(mqtt_port_, 10));
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
  Gateway start_gateway(const std::string& topics) {
    Gateway out{free_port(), nullptr};
    out.process =
        std::make_unique<Process>(std::vector<std::string>{bin + "/edgelog-gateway", "--brokers", log_name, "--mqtt",
                                                           "127.0.0.1:" + std::to_string(mqtt_port_), "--admin",
                                                           "127.0.0.1:" + std::to_string(out.admin), "--topics", topics,
                                                           "--group", group_, "--log-level", "debug"},
                                  directory_ + "/gateway-" + std::to_string(out.admin) + ".log");
    return out;
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

}  // namespace
}  // namespace edgelog::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i + 1 < argc; ++i)
    if (std::string(argv[i]) == "--bin") edgelog::test::bin = argv[i + 1];
  const char* const named = std::getenv("EDGELOG_TEST_LOG");
  if (!named) {
    std::puts("EDGELOG_TEST_LOG is not set: skipped");
    return 77;
  }
  edgelog::test::log_name = named;
  return RUN_ALL_TESTS();
}
