#include "gateway/adapters/mqtt_uplink.h"

#include <utility>

#include "common/base/assert.h"

namespace edgelog::gateway {

MqttUplink::MqttUplink(io::Loop& loop, io::MqttOptions options) : loop_(loop), options_(std::move(options)) {}
MqttUplink::~MqttUplink() = default;

void MqttUplink::start(UplinkEvents& events) {
  ASSERT(!events_);
  events_ = &events;
  open();
}

void MqttUplink::stop() {
  *alive_ = false;
  client_.reset();
}

void MqttUplink::open() {
  io::MqttHandlers handlers;
  handlers.connected = [this] { events_->connected(); };
  handlers.disconnected = [this](const std::string& reason) { events_->disconnected(reason); };
  handlers.published = [this](std::uint64_t, int) { events_->room(); };
  handlers.message = [this](io::MqttMessage message) {
    UplinkMessage out{std::move(message.topic), std::move(message.payload), {}};
    for (auto& [name, value] : message.properties)
      if (name == "p") out.partition = std::move(value);
    events_->message(std::move(out));
  };
  client_ = std::make_unique<io::MqttClient>(loop_, options_, std::move(handlers));
  for (const std::string& filter : filters_) client_->subscribe(filter);
  client_->start();
}

bool MqttUplink::connected() const { return client_ && client_->connected(); }

void MqttUplink::subscribe(const std::string& filter) {
  if (filters_.insert(filter).second && client_) client_->subscribe(filter);
}

void MqttUplink::unsubscribe(const std::string& filter) {
  if (filters_.erase(filter) > 0 && client_) client_->unsubscribe(filter);
}

bool MqttUplink::publish(const std::string& topic, Bytes payload, bool retain) {
  return client_ && client_->publish(topic, payload, retain);
}

// In a turn of its own, since a handler of the old client may be what called.
void MqttUplink::reconnect() {
  loop_.post([this, alive = alive_] {
    if (!*alive) return;
    client_.reset();
    open();
  });
}

}  // namespace edgelog::gateway
