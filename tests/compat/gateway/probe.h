#pragma once
// Stands in for an agent on the uplink: sends batches and looks as they are given, and waits for answers. A
// loop on a thread of its own does the MQTT; calls may block.
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/io/loop.h"
#include "common/io/mqtt_client.h"
#include "common/record/builder.h"
#include "common/uplink/messages.h"
#include "common/uplink/names.h"

namespace edgelog::test {

class Probe {
 public:
  Probe(std::uint16_t port, std::string agent);
  ~Probe();

  const std::string& agent() const { return agent_; }
  // The newest list that names all of these topics.
  std::optional<uplink::TopicList> await_topics(const std::vector<std::string>& names, int seconds = 30);
  void send(const std::string& topic, Buffer batch, std::optional<std::string> partition = "0");
  void look(const std::string& topic, const uplink::LookRequest& request);
  void publish(const std::string& mqtt_topic, Buffer payload, bool retain = false);
  // The next answer for that name (and only that; others stay).
  std::optional<uplink::BatchAnswer> answer(const uplink::BatchName& name, int seconds = 15);
  std::optional<uplink::LookAnswer> look_answer(std::int64_t look_id, int seconds = 15);
  // Sends again and again until an answer comes.
  std::optional<uplink::BatchAnswer> insist(const std::string& topic, const Buffer& batch, int tries = 30);

 private:
  template <class F>
  bool wait(int seconds, F&& until);
  void received(io::MqttMessage message);

  const std::string agent_;
  io::Loop loop_;
  std::unique_ptr<io::MqttClient> client_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool connected_ = false;
  std::optional<uplink::TopicList> topics_;
  std::vector<uplink::BatchAnswer> batches_;
  std::vector<uplink::LookAnswer> looks_;
  std::thread thread_;
};

// Makes an id's batches in order.
class Batches {
 public:
  Batches(std::string agent, std::uint32_t random) : id_(uplink::make_producer_id(agent, random)) {}
  ProducerId id() const { return id_; }
  // `count` small events with indexes and sequences from `first`.
  Buffer events(std::int32_t first, std::int32_t count, record::Codec codec = record::Codec::zstd);
  Buffer fence();
  static uplink::BatchName name(const std::string& topic, const Buffer& batch);

 private:
  ProducerId id_;
  record::BatchBuilder builder_;
  record::Compressor compressor_;
};

}  // namespace edgelog::test
