#include "edge-agent/adapters/mqtt_input.h"

#include "common/base/log.h"

namespace edgelog::agent {
namespace {

constexpr std::size_t held_bytes_max = 8 << 20;

}  // namespace

MqttInput::MqttInput(io::Loop& loop, io::MqttOptions options, const std::vector<std::string>& filters, Intake& intake,
                     Driver& driver)
    : intake_(intake), driver_(driver) {
  io::MqttHandlers handlers;
  handlers.connected = [this] {
    LOG(info, "input {}: connected", intake_.options().input);
    trouble_.clear();
  };
  handlers.disconnected = [this](const std::string& reason) {
    if (trouble_ != reason) LOG(warning, "input {}: {}", intake_.options().input, reason);
    trouble_ = reason.empty() ? "disconnected" : reason;
  };
  handlers.message = [this](io::MqttMessage message) { deliver(std::move(message)); };
  handlers.published = [](std::uint64_t, int) {};
  client_ = std::make_unique<io::MqttClient>(loop, std::move(options), std::move(handlers));
  for (const auto& filter : filters.empty() ? intake_.mapping().filters() : filters) client_->subscribe(filter);
  driver_.add_input(intake_.options().input, *this);
}

MqttInput::~MqttInput() { driver_.remove_input(intake_.options().input); }

bool MqttInput::offer(const io::MqttMessage& message) {
  const Outcome outcome = intake_.deliver(message.topic, message.payload, message.retained);
  driver_.settle();
  return outcome != Outcome::blocked;
}

void MqttInput::deliver(io::MqttMessage message) {
  if (held_.empty() && offer(message)) return;
  const std::size_t bytes = message.payload.size() + message.topic.size();
  if (held_bytes_ + bytes > held_bytes_max) return lose(message);
  held_bytes_ += bytes;
  held_.push_back(std::move(message));
}

// MQTT has acknowledged it and nothing here can keep it: said at least.
void MqttInput::lose(const io::MqttMessage& message) {
  lost_.add();
  std::uint64_t suppressed = 0;
  if (lost_log_.pass(driver_.now().now, suppressed))
    LOG(error, "input {}: no room for a message on {}: it is lost ({} more were not logged)", intake_.options().input,
        std::string_view(message.topic).substr(0, 128), suppressed);
}

void MqttInput::resume() {
  while (!held_.empty() && offer(held_.front())) {
    held_bytes_ -= held_.front().payload.size() + held_.front().topic.size();
    held_.pop_front();
  }
}

// A confirmation that finds no way is given again when the device repeats itself.
void MqttInput::confirm(std::string_view device, std::string_view incarnation, std::int64_t through) {
  const std::string topic(intake_.confirm_topic(device));
  if (topic.empty() || !client_ || !client_->connected()) return;
  const std::string text = confirmation(incarnation, through);
  auto published = client_->publish(topic, as_bytes(text));
  if (!published)
    LOG(debug, "input {}: no confirmation to {}: {}", intake_.options().input, device, published.error().what);
}

}  // namespace edgelog::agent
