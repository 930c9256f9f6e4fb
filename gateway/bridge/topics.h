#pragma once
// The topics that agents may write: made where they are missing, their settings judged, their ends and
// leader epochs asked for every 10 s and upon change. One cycle at a time:
//
//   metadata -> create what is missing -> describe settings -> list ends -> on_known
//
// Owner's thread only.
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/client/client.h"
#include "gateway/bridge/topic_settings.h"
#include "gateway/core/messages.h"

namespace edgelog::gateway {

// One topic, or a pattern with `*` for any characters; made with so many partitions if that is above 0.
struct TopicRule {
  std::string pattern;
  std::int32_t partitions = 0;
};
// "name", "name:partitions" or a pattern. Code::invalid with what was expected.
Result<TopicRule> parse_topic_rule(std::string_view text);
bool matches(std::string_view pattern, std::string_view name);

struct TopicsConfig {
  std::vector<TopicRule> rules;  // our own topics need none
  Duration retention = seconds(7 * 86'400);
  std::int64_t batch_bytes_max = 768 * 1024;
  std::int16_t replication = replication_of_cluster;  // of topics that are made; so many brokers are waited for
  Duration refresh = seconds(10);
  Duration settings_age_max = seconds(300);
};

class Topics {
 public:
  struct Events {
    std::function<void(TopicsKnown)> known;
    // What is off with the log's settings, a sentence each; complete, and only when it has changed.
    std::function<void(const std::vector<std::string>&)> findings;
  };
  Topics(TopicsConfig config, client::Client& client, Timer& timer, Events events);
  void start();
  void metadata_changed();
  void tick();
  Instant deadline() const;
  Instant last_known() const { return last_known_; }
  bool fleet_exists() const;

 private:
  using Settings = std::map<std::string, std::string>;
  enum class Step : std::uint8_t { resting, metadata, creating, describing, listing };

  bool listed(const std::string& name, const client::TopicState& state) const;
  std::vector<std::string> listed_now() const;
  using Shape = std::vector<std::pair<std::string, std::vector<LeaderEpoch>>>;  // topics with their partitions
  Shape shape_now() const;
  ExpectedSettings expected() const { return {config_.retention, config_.batch_bytes_max, config_.replication}; }
  TopicShape told_shape(const std::string& name) const;
  void begin();
  void create_missing();
  bool enough_brokers(const std::vector<std::string>& missing);
  void describe();
  void took_settings(std::map<std::string, Settings> topics, Settings broker);
  void list_ends();
  void publish(const client::Client::Offsets& ends);
  // A broker that has just started may not know a topic yet: one that was listed stays so for a minute.
  void keep_missing(TopicsKnown& known);
  void end_cycle(bool good);
  std::int64_t producer_memory_ms() const;
  void judge();

  TopicsConfig config_;
  client::Client& client_;
  Timer& timer_;
  Events events_;
  Step step_ = Step::resting;
  Instant next_{};  // cycle
  Instant described_at_ = never;
  bool started_ = false;
  std::map<std::string, Settings> topic_settings_;
  Settings broker_settings_;
  std::map<std::string, std::string> create_errors_;
  std::vector<std::string> findings_;
  Shape shape_;  // of what was told last: as it was when the ends were asked for, since no end is of a later leader
  struct Missing {
    std::size_t partitions;
    Instant since;
  };
  std::map<std::string, Missing> seen_;  // what was told last; `since` when metadata ceased to name it, or never
  Instant last_known_ = never;
};

}  // namespace edgelog::gateway
