#pragma once
// Produce: record batches for partitions. Below 3 is offered but not served: librdkafka before 2.11 compresses
// only where the offer begins at 0 (KIP-896 notes the same). 10 names the new leader on error 6 (KIP-951).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api produce_api{
    .key = 0, .name = "Produce", .first = 3, .last = 11, .flexible = 9, .offered_first = 0};

struct ProduceRequest {
  static constexpr const Api& api = produce_api;
  struct Topic {
    struct Partition {
      PartitionIndex index;
      std::optional<Bytes> records;
      static void describe(auto& v, auto& m) {
        v.field(m.index);
        v.field(m.records, always, nullable(always));
        v.tags();
      }
    };
    std::string name;
    std::vector<Partition> partitions;
    static void describe(auto& v, auto& m) {
      v.field(m.name);
      v.field(m.partitions);
      v.tags();
    }
  };
  std::optional<std::string> transactional_id;
  std::int16_t acks = -1;
  Millis timeout_ms;
  std::vector<Topic> topics;
  static void describe(auto& v, auto& m) {
    v.field(m.transactional_id, always, nullable(always));
    v.field(m.acks);
    v.field(m.timeout_ms);
    v.field(m.topics);
    v.tags();
  }
};

struct ProduceResponse {
  static constexpr const Api& api = produce_api;
  struct Topic {
    struct Partition {
      struct RecordError {
        std::int32_t batch_index = 0;
        std::optional<std::string> message;
        static void describe(auto& v, auto& m) {
          v.field(m.batch_index);
          v.field(m.message, always, nullable(always));
          v.tags();
        }
      };
      struct Leader {
        NodeId leader_id{-1};
        LeaderEpoch leader_epoch{-1};
        static void describe(auto& v, auto& m) {
          v.field(m.leader_id);
          v.field(m.leader_epoch);
          v.tags();
        }
        bool operator==(const Leader&) const = default;
      };
      PartitionIndex index;
      ErrorCode error_code = ErrorCode::none;
      Offset base_offset;
      std::int64_t log_append_time_ms = -1;
      Offset log_start_offset{-1};
      std::vector<RecordError> record_errors;
      std::optional<std::string> error_message;
      Leader current_leader;
      static void describe(auto& v, auto& m) {
        v.field(m.index);
        v.field(m.error_code);
        v.field(m.base_offset);
        v.field(m.log_append_time_ms);
        v.field(m.log_start_offset, since(5));
        v.field(m.record_errors, since(8));
        v.field(m.error_message, since(8), nullable(since(8)));
        v.tags(tag(0, since(10), m.current_leader));
      }
    };
    std::string name;
    std::vector<Partition> partitions;
    static void describe(auto& v, auto& m) {
      v.field(m.name);
      v.field(m.partitions);
      v.tags();
    }
  };
  struct Endpoint {
    NodeId node_id;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;
    static void describe(auto& v, auto& m) {
      v.field(m.node_id);
      v.field(m.host);
      v.field(m.port);
      v.field(m.rack, always, nullable(always));
      v.tags();
    }
  };
  std::vector<Topic> topics;
  Millis throttle_time_ms;
  std::vector<Endpoint> node_endpoints;
  static void describe(auto& v, auto& m) {
    v.field(m.topics);
    v.field(m.throttle_time_ms);
    v.tags(tag(0, since(10), m.node_endpoints));
  }
};

extern template bool decode(Bytes, Version, ProduceRequest&);
extern template void encode(const ProduceRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, ProduceResponse&);
extern template void encode(const ProduceResponse&, Version, Buffer&);

}  // namespace edgelog::wire
