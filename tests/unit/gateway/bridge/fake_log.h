#pragma once
// A log that a test answers for: a client whose links are opened by themselves, and a function for each kind of
// request; what has none stays unanswered.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/client/client.h"
#include "tests/unit/common/client/fake_cluster.h"

namespace edgelog::gateway {

class FakeLog {
 public:
  using Answer = std::function<void(LinkId, const client::Asked&)>;

  FakeLog() : client(options(), links, timer, 1) {
    add_broker();
    on<wire::MetadataRequest>([this](LinkId link, const client::Asked&) { links.answer(link, cluster); });
  }
  template <class Request>
  void on(Answer answer) {
    answers_[Request::api.key] = std::move(answer);
  }
  void add_broker() {
    const NodeId id{static_cast<std::int32_t>(cluster.brokers.size()) + 1};
    auto& broker = cluster.brokers.emplace_back();
    broker.node_id = id;
    broker.host = "broker";
    broker.port = 9092;
  }
  void add_topic(const std::string& name, std::size_t partitions, std::size_t replicas = 1) {
    auto& topic = cluster.topics.emplace_back();
    topic.name = name;
    for (std::size_t i = 0; i < partitions; ++i) {
      auto& partition = topic.partitions.emplace_back();
      partition.partition_index = PartitionIndex{static_cast<std::int32_t>(i)};
      partition.leader_id = leader;
      partition.leader_epoch = LeaderEpoch{1};
      for (std::size_t r = 0; r < replicas; ++r)
        partition.replica_nodes.push_back(NodeId{static_cast<std::int32_t>(r) + 1});
    }
  }
  // Lets time pass and answers; `also` is called whenever something has happened.
  void run(Duration time = Duration{0}, const std::function<void()>& also = [] {}) {
    const Instant until = timer.now() + time;
    for (bool moved = true; moved || timer.now() < until;) {
      if (!moved) timer.move_to(std::min(until, timer.now() + milliseconds(100)));
      moved = timer.wake() <= timer.now();
      if (moved) client.on_alarm();
      for (const LinkId link : ids()) moved |= serve(link);
      also();
    }
  }

  client::FakeTimer timer;
  client::FakeLinks links;
  wire::MetadataResponse cluster;
  NodeId leader{1};  // of topics that are added
  client::Client client;

 private:
  static client::ClientOptions options() {
    client::ClientOptions options;
    options.bootstrap = {{"broker", 9092}};
    return options;
  }
  std::vector<LinkId> ids() const {
    std::vector<LinkId> out;
    for (const auto& [id, link] : links.open) out.push_back(id);
    return out;
  }
  bool serve(LinkId link) {
    if (accepted_.insert(link).second) return links.accept(link), true;
    const auto open = links.open.find(link);
    if (open == links.open.end() || open->second.asked.empty()) return false;
    const auto answer = answers_.find(open->second.asked.front().header.api_key);
    if (answer == answers_.end()) return false;
    const client::Asked asked = open->second.asked.front();
    answer->second(link, asked);
    const auto after = links.open.find(link);
    return after == links.open.end() || after->second.asked.empty() ||
           after->second.asked.front().header.correlation_id != asked.header.correlation_id;
  }

  std::map<std::int16_t, Answer> answers_;
  std::set<LinkId> accepted_;
};

}  // namespace edgelog::gateway
