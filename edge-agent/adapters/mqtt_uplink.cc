#include "edge-agent/adapters/mqtt_uplink.h"

#include <fmt/format.h>

#include "common/base/log.h"
#include "common/uplink/names.h"

namespace edgelog::agent {

MqttUplink::MqttUplink(io::Loop& loop, io::MqttOptions options, const std::string& agent) : agent_(agent) {
  options.client_id = agent;
  if (options.user.empty()) options.user = agent;
  options.will = io::MqttWill{uplink::state_topic(agent), "offline", true};
  io::MqttHandlers handlers;
  handlers.connected = [this] {
    LOG(info, "uplink connected");
    trouble_.clear();
    refused_.clear();
    driver_->connected();
  };
  handlers.disconnected = [this](const std::string& reason) {
    if (trouble_ != reason) LOG(warning, "uplink: {}", reason);
    const bool was_connected = trouble_.empty();
    trouble_ = reason.empty() ? "disconnected" : reason;
    if (was_connected) driver_->disconnected();
  };
  handlers.refused = [this](const std::string& which, const std::vector<std::string>&) {
    refused_ = which.empty() ? "" : "subscriptions: " + which;
  };
  handlers.message = [this](const io::MqttMessage& message) {
    if (!driver_->uplink_message(message.topic, message.payload)) ++unknown_messages_;
  };
  handlers.published = [this](std::uint64_t ticket, int) { driver_->handed_over(ticket); };
  client_ = std::make_unique<io::MqttClient>(loop, std::move(options), std::move(handlers));
  client_->subscribe(std::string(uplink::topics_topic));
  client_->subscribe(uplink::ack_topic(agent));
}

void MqttUplink::start(Driver& driver) {
  driver_ = &driver;
  client_->start();
}

void MqttUplink::say_goodbye() {
  auto told = client_->publish(uplink::state_topic(agent_), as_bytes("offline"), true);
  if (!told) LOG(debug, "uplink: {}", told.error().what);
}

bool MqttUplink::connected() const { return client_->connected(); }

Result<std::uint64_t> MqttUplink::publish(const std::string& topic, Bytes payload,
                                          std::optional<std::int32_t> partition, bool retain) {
  io::UserProperties properties;
  if (partition) properties.emplace_back("p", fmt::format("{}", *partition));
  return client_->publish(topic, payload, retain, properties);
}

}  // namespace edgelog::agent
