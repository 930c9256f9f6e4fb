#pragma once
// CreateTopics. 4 takes -1 for the broker's defaults (KIP-464), 5 gives configs back (KIP-525), 7 topic ids.
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api create_topics_api{.key = 19, .name = "CreateTopics", .first = 0, .last = 7, .flexible = 5};

struct CreateTopicsRequest {
  static constexpr const Api& api = create_topics_api;
  struct Topic {
    struct Assignment {
      PartitionIndex partition_index;
      std::vector<NodeId> broker_ids;
      static void describe(auto& v, auto& m) {
        v.field(m.partition_index);
        v.field(m.broker_ids);
        v.tags();
      }
    };
    struct Config {
      std::string name;
      std::optional<std::string> value;
      static void describe(auto& v, auto& m) {
        v.field(m.name);
        v.field(m.value, always, nullable(always));
        v.tags();
      }
    };
    std::string name;
    std::int32_t num_partitions = 0;
    std::int16_t replication_factor = 0;
    std::vector<Assignment> assignments;
    std::vector<Config> configs;
    static void describe(auto& v, auto& m) {
      v.field(m.name);
      v.field(m.num_partitions);
      v.field(m.replication_factor);
      v.field(m.assignments);
      v.field(m.configs);
      v.tags();
    }
  };
  std::vector<Topic> topics;
  Millis timeout_ms{60000};
  bool validate_only = false;
  static void describe(auto& v, auto& m) {
    v.field(m.topics);
    v.field(m.timeout_ms);
    v.field(m.validate_only, since(1));
    v.tags();
  }
};

struct CreateTopicsResponse {
  static constexpr const Api& api = create_topics_api;
  struct Topic {
    struct Config {
      std::string name;
      std::optional<std::string> value;
      bool read_only = false;
      std::int8_t config_source = -1;
      bool is_sensitive = false;
      static void describe(auto& v, auto& m) {
        v.field(m.name);
        v.field(m.value, always, nullable(always));
        v.field(m.read_only);
        v.field(m.config_source);
        v.field(m.is_sensitive);
        v.tags();
      }
    };
    std::string name;
    Uuid topic_id{};
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> error_message;
    ErrorCode topic_config_error_code = ErrorCode::none;
    std::int32_t num_partitions = -1;
    std::int16_t replication_factor = -1;
    std::optional<std::vector<Config>> configs;
    static void describe(auto& v, auto& m) {
      v.field(m.name);
      v.field(m.topic_id, since(7));
      v.field(m.error_code);
      v.field(m.error_message, since(1), nullable(always));
      v.field(m.num_partitions, since(5));
      v.field(m.replication_factor, since(5));
      v.field(m.configs, since(5), nullable(since(5)));
      v.tags(tag(0, since(5), m.topic_config_error_code));
    }
  };
  Millis throttle_time_ms;
  std::vector<Topic> topics;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms, since(2));
    v.field(m.topics);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, CreateTopicsRequest&);
extern template void encode(const CreateTopicsRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, CreateTopicsResponse&);
extern template void encode(const CreateTopicsResponse&, Version, Buffer&);

}  // namespace edgelog::wire
