#pragma once
// CreatePartitions: more partitions for a topic (KIP-195).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api create_partitions_api{.key = 37, .name = "CreatePartitions", .first = 0, .last = 3, .flexible = 2};

struct CreatePartitionsRequest {
  static constexpr const Api& api = create_partitions_api;
  struct Topic {
    struct Assignment {
      std::vector<NodeId> broker_ids;
      static void describe(auto& v, auto& m) {
        v.field(m.broker_ids);
        v.tags();
      }
    };
    std::string name;
    std::int32_t count = 0;
    std::optional<std::vector<Assignment>> assignments;
    static void describe(auto& v, auto& m) {
      v.field(m.name);
      v.field(m.count);
      v.field(m.assignments, always, nullable(always));
      v.tags();
    }
  };
  std::vector<Topic> topics;
  Millis timeout_ms;
  bool validate_only = false;
  static void describe(auto& v, auto& m) {
    v.field(m.topics);
    v.field(m.timeout_ms);
    v.field(m.validate_only);
    v.tags();
  }
};

struct CreatePartitionsResponse {
  static constexpr const Api& api = create_partitions_api;
  struct Topic {
    std::string name;
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> error_message;
    static void describe(auto& v, auto& m) {
      v.field(m.name);
      v.field(m.error_code);
      v.field(m.error_message, always, nullable(always));
      v.tags();
    }
  };
  Millis throttle_time_ms;
  std::vector<Topic> results;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms);
    v.field(m.results);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, CreatePartitionsRequest&);
extern template void encode(const CreatePartitionsRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, CreatePartitionsResponse&);
extern template void encode(const CreatePartitionsResponse&, Version, Buffer&);

}  // namespace edgelog::wire
