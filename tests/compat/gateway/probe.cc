#include "tests/compat/gateway/probe.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace edgelog::test {

Probe::Probe(std::uint16_t port, std::string agent) : agent_(std::move(agent)) {
  io::MqttOptions options;
  options.port = port;
  options.client_id = options.user = agent_;
  io::MqttHandlers handlers;
  handlers.connected = [this] {
    const std::lock_guard lock(mutex_);
    connected_ = true;
    changed_.notify_all();
  };
  handlers.disconnected = [this](const std::string&) {
    const std::lock_guard lock(mutex_);
    connected_ = false;
  };
  handlers.published = [](std::uint64_t, int) {};
  handlers.message = [this](io::MqttMessage message) { received(std::move(message)); };
  client_ = std::make_unique<io::MqttClient>(loop_, options, std::move(handlers));
  client_->subscribe(uplink::ack_topic(agent_));
  client_->subscribe(std::string(uplink::topics_topic));
  client_->start();
  thread_ = std::thread([this] { loop_.run(); });
  wait(10, [this] { return connected_; });
}

Probe::~Probe() {
  loop_.post([this] { client_.reset(); });
  loop_.post([this] { loop_.stop(); });
  thread_.join();
}

template <class F>
bool Probe::wait(int seconds, F&& until) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(seconds), until);
}

void Probe::received(io::MqttMessage message) {
  const std::lock_guard lock(mutex_);
  uplink::TopicList list;
  uplink::Answers answers;
  if (message.topic == uplink::topics_topic) {
    if (uplink::decode(message.payload, list)) topics_ = std::move(list);
  } else if (uplink::decode(message.payload, answers)) {
    batches_.insert(batches_.end(), answers.batches.begin(), answers.batches.end());
    looks_.insert(looks_.end(), answers.looks.begin(), answers.looks.end());
  }
  changed_.notify_all();
}

std::optional<uplink::TopicList> Probe::await_topics(const std::vector<std::string>& names, int seconds) {
  std::optional<uplink::TopicList> out;
  wait(seconds, [&] {
    if (!topics_) return false;
    for (const std::string& name : names)
      if (std::none_of(topics_->topics.begin(), topics_->topics.end(), [&](const auto& t) { return t.name == name; }))
        return false;
    out = topics_;
    return true;
  });
  return out;
}

void Probe::publish(const std::string& mqtt_topic, Buffer payload, bool retain) {
  loop_.post([this, mqtt_topic, payload = std::move(payload), retain] {
    (void)client_->publish(mqtt_topic, payload, retain);
  });
}

void Probe::send(const std::string& topic, Buffer batch, std::optional<std::string> partition) {
  io::UserProperties properties;
  if (partition) properties.emplace_back("p", *partition);
  loop_.post([this, to = uplink::up_topic(agent_, topic), batch = std::move(batch), properties] {
    (void)client_->publish(to, batch, false, properties);
  });
}

void Probe::look(const std::string& topic, const uplink::LookRequest& request) {
  publish(uplink::look_topic(agent_, topic), uplink::encode(request));
}

std::optional<uplink::BatchAnswer> Probe::answer(const uplink::BatchName& name, int seconds) {
  std::optional<uplink::BatchAnswer> out;
  wait(seconds, [&] {
    const auto found = std::find_if(batches_.begin(), batches_.end(), [&](const auto& a) { return a.batch == name; });
    if (found == batches_.end()) return false;
    out = *found;
    batches_.erase(found);
    return true;
  });
  return out;
}

std::optional<uplink::LookAnswer> Probe::look_answer(std::int64_t look_id, int seconds) {
  std::optional<uplink::LookAnswer> out;
  wait(seconds, [&] {
    const auto found = std::find_if(looks_.begin(), looks_.end(), [&](const auto& a) { return a.look_id == look_id; });
    if (found == looks_.end()) return false;
    out = *found;
    looks_.erase(found);
    return true;
  });
  return out;
}

std::optional<uplink::BatchAnswer> Probe::insist(const std::string& topic, const Buffer& batch, int tries) {
  const auto name = Batches::name(topic, batch);
  for (int i = 0; i < tries; ++i) {
    send(topic, batch);
    auto got = answer(name, 2);
    if (got && got->error == 0) return got;
  }
  return std::nullopt;
}

Buffer Batches::events(std::int32_t first, std::int32_t count, record::Codec codec) {
  builder_.reset();
  const Buffer mark = uplink::encode(uplink::OriginMark{id_, EventIndex{first}});
  const auto now = io::wall_now().value();
  for (std::int32_t i = 0; i < count; ++i) {
    const std::string value = "{\"n\":" + std::to_string(first + i) + "}";
    const std::array headers{record::HeaderView{uplink::header_origin, Bytes(mark)}};
    builder_.append(now, as_bytes("probe/device"), as_bytes(value),
                    i == 0 ? std::span<const record::HeaderView>(headers) : std::span<const record::HeaderView>{});
  }
  record::BatchBuilder::Finish how;
  how.codec = codec;
  how.producer_id = id_;
  how.producer_epoch = uplink::event_epoch;
  how.base_sequence = Sequence{first};
  return builder_.finish(how, compressor_);
}

Buffer Batches::fence() {
  builder_.reset();
  Buffer id(8);
  store_big(id.data(), id_.value());
  const std::array headers{record::HeaderView{uplink::header_fence, Bytes(id)}};
  builder_.append(io::wall_now().value(), std::nullopt, std::nullopt, headers);
  record::BatchBuilder::Finish how;
  how.producer_id = id_;
  how.producer_epoch = uplink::fence_epoch;
  how.base_sequence = Sequence{0};
  return builder_.finish(how, compressor_);
}

uplink::BatchName Batches::name(const std::string& topic, const Buffer& batch) {
  const auto header = record::parse_header(batch);
  return {topic, header->producer_id, header->producer_epoch, header->base_sequence, header->last_sequence()};
}

}  // namespace edgelog::test
