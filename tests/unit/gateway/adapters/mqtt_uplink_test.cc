#include "gateway/adapters/mqtt_uplink.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/uplink/names.h"
#include "tests/support/bare_mqtt.h"

namespace edgelog::gateway {
namespace {

// Publishes a topic list and an answer at each connect, and stops the loop when both were answered.
struct Owner final : UplinkEvents {
  Owner(io::Loop& owner, MqttUplink& chosen) : loop(owner), uplink(chosen) {}
  void connected() override {
    uplink.publish(std::string(uplink::topics_topic), as_bytes("list"), true);
    uplink.publish("edgelog/1/ack/a", as_bytes("answer"), false);
  }
  void disconnected(const std::string&) override {}
  void message(UplinkMessage) override {}
  void room() override {}
  void acknowledged(const std::string& topic, int reason) override {
    answers.emplace_back(topic, reason);
    if (answers.size() == 2) loop.stop();
  }
  void filters_refused(const std::string& which, const std::vector<std::string>& filters) override {
    refused = which;
    refused_filters = filters;
  }

  io::Loop& loop;
  MqttUplink& uplink;
  std::vector<std::pair<std::string, int>> answers;
  std::string refused;
  std::vector<std::string> refused_filters;
};

TEST(MqttUplinkTest, TellsWhatTheServerRefuses) {
  testing::BareMqtt server;
  server.refuse({std::string(uplink::topics_topic), "edgelog/1/up/3/#"});
  io::Loop loop;
  io::Alarm guard(loop, [&] { loop.stop(); });
  guard.wake_at(io::boottime_now() + seconds(60));
  io::MqttOptions options;
  options.port = server.port();
  options.client_id = "gateway";
  MqttUplink uplink(loop, options);
  Owner owner(loop, uplink);
  uplink.subscribe("edgelog/1/up/3/#");
  uplink.subscribe("edgelog/1/up/4/#");
  uplink.start(owner);
  loop.run();
  uplink.stop();
  const std::vector<std::pair<std::string, int>> expected{{std::string(uplink::topics_topic), 0x87},
                                                          {"edgelog/1/ack/a", 0}};
  EXPECT_EQ(owner.answers, expected);
  EXPECT_EQ(owner.refused, "1 of 2 refused, such as edgelog/1/up/3/# (reason 0x87)");
  EXPECT_EQ(owner.refused_filters, std::vector<std::string>{"edgelog/1/up/3/#"});
}

}  // namespace
}  // namespace edgelog::gateway
