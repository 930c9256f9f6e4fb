#include "gateway/bridge/bridge.h"

#include <gtest/gtest.h>

#include "tests/unit/gateway/bridge/fake_log.h"

namespace edgelog::gateway {
namespace {

struct TakesAll final : Uplink {
  bool connected() const override { return up; }
  void subscribe(const std::string&) override {}
  void unsubscribe(const std::string&) override {}
  void reconnect() override {}
  bool publish(const std::string& topic, Bytes, bool) override {
    published.push_back(topic);
    return up;
  }
  bool up = false;
  std::vector<std::string> published;
};

// A gateway whose group never answers: what it is told shows in whether it joins and leaves.
class BridgeTest : public ::testing::Test {
 protected:
  BridgeTest()
      : bridge({}, {log.client, uplink, alarm, [] { return WallMillis{1}; }},
               {[this](const std::string& subject, const std::string& reason) { states[subject] = reason; },
                [](const std::vector<std::string>&) {}},
               1) {
    answer_nothing<wire::CreateTopicsRequest, wire::CreateTopicsResponse>();
    answer_nothing<wire::DescribeConfigsRequest, wire::DescribeConfigsResponse>();
    bridge.start();
    run(milliseconds(500));  // the topics rest
  }
  template <class Request, class Response>
  void answer_nothing() {
    log.on<Request>([this](LinkId link, const client::Asked&) { log.links.answer(link, Response{}); });
  }
  void run(Duration time = Duration{0}) {
    log.run(time, [this] {
      alarm.move_to(log.timer.now());
      if (alarm.wake() <= alarm.now()) bridge.on_alarm();
    });
  }
  void connect() {
    uplink.up = true;
    bridge.connected();
  }
  void join() {
    connect();
    run();
    bridge.acknowledged(std::string(uplink::topics_topic), 0);
    run();
    ASSERT_EQ(states["group"], "not joined yet");
  }

  FakeLog log;
  client::FakeTimer alarm;
  TakesAll uplink;
  std::map<std::string, std::string> states;
  Bridge bridge;
};

TEST_F(BridgeTest, AnMqttOutageCostsNoTurns) {
  join();
  uplink.up = false;
  bridge.disconnected("gone");
  run(seconds(10));
  EXPECT_TRUE(states["group"].starts_with("left"));
  run();  // whatever is due now is done
  EXPECT_GT(alarm.wake(), alarm.now()) << "and what was due is no more";
}

TEST_F(BridgeTest, OnlyTheShardsFiltersCountForTheGroup) {
  join();
  bridge.filters_refused("1 of 130", {"edgelog/1/hb/+", "edgelog/1/state/+"});
  EXPECT_EQ(states["mqtt subscriptions"], "1 of 130");
  EXPECT_EQ(states["group"], "not joined yet");
  for (const char* filter : {"edgelog/1/up/3/#", "edgelog/1/look/3/#"}) {
    bridge.filters_refused("1 of 130", {"edgelog/1/hb/+", filter});
    EXPECT_TRUE(states["group"].starts_with("left")) << filter;
    bridge.filters_refused("", {});
    EXPECT_EQ(states["group"], "not joined yet");
  }
}

TEST_F(BridgeTest, AConnectionHasTheListMadeAtOnce) {
  ASSERT_GT(alarm.wake(), alarm.now());
  connect();
  EXPECT_LE(alarm.wake(), alarm.now());
}

}  // namespace
}  // namespace edgelog::gateway
