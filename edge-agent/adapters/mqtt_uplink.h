#pragma once
// The Uplink port over MQTT v5: the agent's connection to the cloud's Mosquitto, with its will. Loop thread.
#include <memory>
#include <string>

#include "common/io/mqtt_client.h"
#include "edge-agent/agent/driver.h"

namespace edgelog::agent {

class MqttUplink : public Uplink {
 public:
  // `options`: host, port, password; ids and will are set here.
  MqttUplink(io::Loop& loop, io::MqttOptions options, const std::string& agent);
  // The driver outlives this object or its last call.
  void start(Driver& driver);

  bool connected() const override;
  Result<std::uint64_t> publish(const std::string& topic, Bytes payload, std::optional<std::int32_t> partition,
                                bool retain) override;
  void say_goodbye();  // the state topic says offline: a will is for those who could not
  // Why there is no connection, or which subscriptions are refused; empty: all is well.
  const std::string& trouble() const { return trouble_.empty() ? refused_ : trouble_; }
  std::uint64_t unknown_messages() const { return unknown_messages_; }

 private:
  std::string agent_;
  Driver* driver_ = nullptr;
  std::string trouble_ = "not connected yet";
  std::string refused_;
  std::uint64_t unknown_messages_ = 0;
  std::unique_ptr<io::MqttClient> client_;
};

}  // namespace edgelog::agent
