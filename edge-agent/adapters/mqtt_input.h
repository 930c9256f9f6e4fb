#pragma once
// An input that subscribes at the site's MQTT server. An MQTT acknowledgement means nothing here: what counts
// for a device with a ring is the confirmation that it gets on its own topic. Loop thread.
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/base/metrics.h"
#include "common/io/mqtt_client.h"
#include "edge-agent/agent/intake.h"

namespace edgelog::agent {

class MqttInput : public Inlet {
 public:
  // `filters`: empty for those of the mapping.
  MqttInput(io::Loop& loop, io::MqttOptions options, const std::vector<std::string>& filters, Intake& intake,
            Driver& driver);
  ~MqttInput() override;
  void start() { client_->start(); }
  void stop() { client_.reset(); }  // takes nothing more

  void durable(std::uint64_t) override {}
  void confirm(std::string_view device, std::string_view incarnation, std::int64_t through) override;
  void resume() override;

  const std::string& trouble() const { return trouble_; }
  const Counter& lost() const { return lost_; }  // messages for which there was no room

 private:
  void deliver(io::MqttMessage message);
  bool offer(const io::MqttMessage& message);
  void lose(const io::MqttMessage& message);

  Intake& intake_;
  Driver& driver_;
  std::deque<io::MqttMessage> held_;  // in their order, while the driver takes no more
  std::size_t held_bytes_ = 0;
  Counter lost_;
  log::RateLimit lost_log_{1, seconds(10)};
  std::string trouble_ = "not connected yet";
  std::unique_ptr<io::MqttClient> client_;
};

}  // namespace edgelog::agent
