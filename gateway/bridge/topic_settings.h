#pragma once
// What the log's settings ought to be, rule 11 of docs/ARCHITECTURE.md: with which a topic is made, and what
// is said of one that is otherwise. Pure.
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/time.h"

namespace edgelog::gateway {

inline constexpr std::int16_t replication_of_cluster = -1;  // by its default.replication.factor
inline constexpr std::int16_t safe_replication = 3;         // one may be away, and two are in sync

using SettingsMap = std::map<std::string, std::string>;

struct ExpectedSettings {
  Duration retention;
  std::int64_t batch_bytes_max;
  std::int16_t replication = replication_of_cluster;
};
// A topic as the cluster tells it.
struct TopicShape {
  std::size_t replicas = 0;  // of the partition that has the fewest; 0: not told
  std::size_t brokers = 1;   // that are there now
};

// Names that judge_* looks at.
const std::vector<std::string>& judged_topic_settings();
const std::vector<std::string>& judged_broker_settings();

std::vector<std::pair<std::string, std::string>> settings_to_create(bool compacted, const ExpectedSettings& expected);
// Sentences about what is off; a setting that the log does not tell is not judged.
std::vector<std::string> judge_topic(const std::string& topic, const SettingsMap& settings, bool compacted,
                                     const TopicShape& shape, const ExpectedSettings& expected);
std::vector<std::string> judge_broker(const SettingsMap& settings);

// A decimal number in `settings`; nothing if absent or no number.
std::optional<std::int64_t> number_of(const SettingsMap& settings, const std::string& name);

// Our cloud-broker says itself how long it remembers an agent's id, from append on.
inline constexpr const char* memory_of_cloud_broker = "edgelog.producer.memory.ms";
inline constexpr const char* memory_of_kafka = "producer.id.expiration.ms";

}  // namespace edgelog::gateway
