#pragma once
// The bridge's MQTT side over Paho.
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/io/mqtt_client.h"
#include "gateway/bridge/uplink.h"

namespace edgelog::gateway {

class MqttUplink final : public Uplink {
 public:
  // `loop` outlives this object. events() is set before start().
  MqttUplink(io::Loop& loop, io::MqttOptions options);
  ~MqttUplink() override;
  void start(UplinkEvents& events);
  void stop();  // disconnects; nothing is called any more

  bool connected() const override;
  void subscribe(const std::string& filter) override;
  void unsubscribe(const std::string& filter) override;
  bool publish(const std::string& topic, Bytes payload, bool retain) override;
  void reconnect() override;

 private:
  void open();

  io::Loop& loop_;
  io::MqttOptions options_;
  UplinkEvents* events_ = nullptr;
  std::set<std::string> filters_;
  std::map<std::uint64_t, std::string> sent_;  // topics of what is not acknowledged yet, by ticket
  std::unique_ptr<io::MqttClient> client_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace edgelog::gateway
