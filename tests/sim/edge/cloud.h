#pragma once
// The cloud's MQTT server and its links: it loses, repeats, delays, reorders; keeps the list of topics; and knows
// which gateway has which shard.
#include <map>
#include <optional>
#include <vector>

#include "common/uplink/messages.h"
#include "tests/sim/edge/faults.h"

namespace edgelog::sim::edge {

struct UpMessage {
  std::string agent, topic;
  PartitionIndex partition;
  ContentPtr content;  // a batch or fence; or
  std::optional<uplink::LookRequest> look;
  int branch = 0;
  Instant published{};
};

class Cloud {
 public:
  Cloud(Base& base, const Plan& plan) : base_(base), plan_(plan) {}

  bool healed = false;  // liveness: the links are good

  // Gateways: how each receives; who is subscribed.
  void add_gateway(std::function<void(const UpMessage&)> receive) { gateways_.push_back({std::move(receive), {}}); }
  void subscribe(std::size_t gateway, std::uint32_t shard, bool on);
  void unsubscribe_all(std::size_t gateway) { gateways_[gateway].shards.clear(); }
  void gateway_gone(std::size_t gateway) { ++gateways_[gateway].session, gateways_[gateway].shards.clear(); }

  // Agents: how each receives what the gateways say.
  struct AgentLink {
    std::function<void(const uplink::Answers&)> answers;
    std::function<void(const uplink::TopicList&)> topics;
    std::uint64_t session = 0;  // 0: not connected
  };
  void connect(const std::string& agent, AgentLink link);
  void disconnect(const std::string& agent) { agents_.erase(agent); }

  void publish_up(UpMessage message);
  void answer(const std::string& agent, uplink::Answers answers);
  void publish_topics(const uplink::TopicList& list);

 private:
  struct Gateway {
    std::function<void(const UpMessage&)> receive;
    std::vector<std::uint32_t> shards;
    std::uint64_t session = 1;
    Instant last_arrival{};
  };
  // When a message arrives that is sent now; nothing: it is lost. Mostly in order.
  std::optional<Instant> arrival(Instant& last);
  void deliver_topics(const std::string& agent, const uplink::TopicList& list);

  Base& base_;
  const Plan& plan_;
  std::vector<Gateway> gateways_;
  std::map<std::string, AgentLink> agents_;
  std::map<std::string, Instant> last_up_, last_down_;
  std::optional<uplink::TopicList> retained_;
  std::optional<uplink::TopicList> saved_;  // what the server wrote to its disk: the first one
};

}  // namespace edgelog::sim::edge
