#pragma once
// The cluster's metadata: topics with their ids, partition counts and configuration, and the producer ids
// that were handed out. A pure core: a decision gives the record and the answer; the caller appends the
// record to `__cluster_metadata`, replays it, and holds the answer until it is committed. Shard thread only.
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cloud-broker/controller/records.h"
#include "cloud-broker/controller/topic_config.h"
#include "common/wire/errors.h"

namespace edgelog::broker {

inline constexpr const char* offsets_topic = "__consumer_offsets";
inline constexpr const char* metadata_topic = "__cluster_metadata";
// The metadata log's own topic id, Kafka's reserved one.
inline constexpr Uuid metadata_topic_id{
    std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0},
    std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1}};

inline bool is_internal(const std::string& topic) { return topic == offsets_topic || topic == metadata_topic; }

struct ControllerSettings {
  std::int32_t default_partitions = 1;  // Kafka's num.partitions
  std::int32_t topics_max = 10'000;
  std::int32_t partitions_max = 10'000;   // of all topics
  std::int32_t offsets_partitions = 8;    // of __consumer_offsets; see README.md
  std::int64_t producer_id_block = 1000;  // as Kafka
  std::int16_t brokers = 1;               // that live: the largest replication factor
};

struct Topic {
  std::string name;
  Uuid id{};
  std::int32_t partitions = 0;
  TopicConfig config;
};

struct NewTopic {
  std::string name;
  std::int32_t partitions = -1;          // -1: the default
  std::int16_t replication_factor = -1;  // -1: the default
  TopicConfig config;
};

// `record` is there only where `error` is none.
struct MetadataDecision {
  wire::ErrorCode error = wire::ErrorCode::none;
  std::string message;  // for people
  std::optional<MetadataRecord> record;
};

enum class ConfigOp : std::int8_t { set = 0, remove = 1, append = 2, subtract = 3 };
struct ConfigChange {
  std::string name;
  ConfigOp op = ConfigOp::set;
  std::optional<std::string> value;
};

class Controller {
 public:
  explicit Controller(ControllerSettings settings) : settings_(settings) {}

  // `fresh`: a random id for the topic. Errors as CreateTopics: 17, 36, 37, 38, 40, 44.
  MetadataDecision create(const NewTopic& wanted, const Uuid& fresh) const;
  // __consumer_offsets, which clients may not create.
  MetadataDecision create_offsets_topic(const Uuid& fresh) const;
  MetadataDecision remove(const std::string& topic) const;
  MetadataDecision add_partitions(const std::string& topic, std::int32_t count) const;
  // All or nothing: IncrementalAlterConfigs' changes, or AlterConfigs' whole new configuration.
  MetadataDecision alter(const std::string& topic, const std::vector<ConfigChange>& changes) const;
  MetadataDecision replace_config(const std::string& topic, const TopicConfig& config) const;

  // The next producer id of the claimed block; nothing when it is used up. Then: append and replay
  // claim_producer_ids(), and take again. The id is given out once that record is committed.
  std::optional<ProducerId> take_producer_id();
  MetadataRecord claim_producer_ids() const;

  void replay(const MetadataRecord& record);
  // After the last record of a restart: what is left of the last block may have been handed out.
  void loaded() { next_id_ = claimed_; }

  const Topic* find(const std::string& name) const;
  const Topic* find(const Uuid& id) const;
  const std::map<std::string, Topic>& topics() const { return topics_; }
  const ControllerSettings& settings() const { return settings_; }

 private:
  MetadataDecision refuse_alteration(const std::string& topic) const;
  MetadataDecision with_config(const Topic& topic, TopicConfig config) const;

  ControllerSettings settings_;
  std::map<std::string, Topic> topics_;
  std::map<Uuid, std::string> names_;
  std::map<std::string, std::string> collisions_;  // what a topic's name may not collide with, to the name
  std::int64_t partitions_ = 0;
  ProducerId next_id_{0}, claimed_{0};  // [next_id_, claimed_) is ours to hand out
};

// Why a topic may not be called so; nothing if it may.
std::optional<std::string> refuse_topic_name(const std::string& name);

}  // namespace edgelog::broker
