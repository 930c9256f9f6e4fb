#pragma once
// Joins the gateway's core with MQTT and the log: messages become the core's inputs, its effects become
// requests and publishes. Holds the payloads that are in hand. Owner's thread only.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/client/client.h"
#include "common/record/batch.h"
#include "gateway/bridge/fleet.h"
#include "gateway/bridge/membership.h"
#include "gateway/bridge/outbox.h"
#include "gateway/bridge/reader.h"
#include "gateway/bridge/topics.h"
#include "gateway/bridge/uplink.h"
#include "gateway/core/attendance.h"
#include "gateway/core/core.h"

namespace edgelog::gateway {

struct BridgeConfig {
  CoreConfig core;
  TopicsConfig topics;
  FleetConfig fleet;
  std::string group = "edgelog-gateway";
  std::string name = "gateway";  // of this process, in the fleet's records
};

struct BridgeMetrics {
  Counter messages, bad_topics, bad_messages, produced_ok, produced_error;
  Counter publishes_refused;  // by the MQTT server
  Gauge shards;
  Counter produce_nanoseconds;  // sum over produced_ok, from arrival to the log's answer
};

class Bridge final : public UplinkEvents {
 public:
  struct Ports {
    client::Client& client;
    Uplink& uplink;
    Timer& timer;  // its alarm calls on_alarm()
    std::function<WallMillis()> wall;
  };
  // What is worth a line in /readyz.
  struct Events {
    std::function<void(const std::string& subject, const std::string& reason)> state;  // empty reason: well
    std::function<void(const std::vector<std::string>&)> findings;
  };
  Bridge(BridgeConfig config, Ports ports, Events events, std::uint64_t seed);
  void start();
  // Leaves the group, so that the others take over at once; then calls `done`.
  void stop(std::function<void()> done);
  void on_alarm();

  void connected() override;
  void disconnected(const std::string& reason) override;
  void message(UplinkMessage message) override;
  void room() override;
  void acknowledged(const std::string& topic, int reason) override;
  void filters_refused(const std::string& which, const std::vector<std::string>& filters) override;

  const BridgeMetrics& metrics() const { return metrics_; }
  const CoreMetrics& core_metrics() const { return core_.metrics(); }
  const LookMetrics& look_metrics() const { return core_.look_metrics(); }
  const OutboxMetrics& outbox_metrics() const { return outbox_.metrics(); }
  const FleetMetrics& fleet_metrics() const { return fleet_.metrics(); }

 private:
  struct Payload {
    std::shared_ptr<const Buffer> bytes;
    Instant arrived;
    client::ProduceToken token{};  // of the produce that is under way
  };

  void feed(const Input& input);
  void perform(const Produce& effect);
  void perform(const AnswerBatch& effect);
  void perform(const AnswerLook& effect);
  void perform(const Released& effect);
  void perform(const AskRange& effect);
  void perform(const Read& effect);
  void perform(const PublishTopics& effect);
  void perform(const Subscribe& effect);
  void perform(const Unsubscribe& effect);
  void perform(const Reconnect& effect);
  void batch_came(const uplink::UpAddress& address, UplinkMessage& message);
  void look_came(const uplink::UpAddress& address, const UplinkMessage& message);
  bool fleet_came(const UplinkMessage& message);
  void own(const Shards& shards);
  void produced(Ticket ticket, const client::ProduceResult& result);
  void publish_list();
  void judge_log();
  void attend();
  void schedule();

  Ports ports_;
  Events events_;
  Core core_;
  Topics topics_;
  Outbox outbox_;
  Reader reader_;
  Fleet fleet_;
  Attendance attendance_;
  Membership membership_;
  BridgeMetrics metrics_;
  record::Scratch scratch_;
  std::map<Ticket, Payload> payloads_;
  std::uint64_t last_ticket_ = 0;
  std::optional<uplink::TopicList> list_;  // to be published
  Instant list_retry_at_{};
  bool log_reached_ = false;
};

}  // namespace edgelog::gateway
