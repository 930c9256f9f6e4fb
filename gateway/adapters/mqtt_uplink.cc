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
  handlers.disconnected = [this](const std::string& reason) {
    sent_.clear();
    events_->disconnected(reason);
  };
  handlers.published = [this](std::uint64_t ticket, int reason) {
    if (const auto sent = sent_.extract(ticket)) events_->acknowledged(sent.mapped(), reason);
    events_->room();
  };
  handlers.refused = [this](const std::string& which, const std::vector<std::string>& filters) {
    events_->filters_refused(which, filters);
  };
  handlers.message = [this](io::MqttMessage message) {
    UplinkMessage out{std::move(message.topic), std::move(message.payload), {}};
    for (auto& [name, value] : message.properties)
      if (name == "p") out.partition = std::move(value);
    events_->message(std::move(out));
  };
  sent_.clear();
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
  if (!client_) return false;
  const auto ticket = client_->publish(topic, payload, retain);
  if (!ticket) return false;
  sent_[*ticket] = topic;
  return true;
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
