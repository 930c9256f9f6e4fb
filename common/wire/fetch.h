#pragma once
// Fetch: record batches from partitions. 7 sessions (KIP-227), 9 leader epochs (KIP-320), 11 racks (KIP-392),
// 12 divergence (KIP-595), 13 topic ids (KIP-516), 15 replica state (KIP-903), 16 endpoints (KIP-951).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api fetch_api{.key = 1, .name = "Fetch", .first = 4, .last = 17, .flexible = 12};

struct FetchRequest {
  static constexpr const Api& api = fetch_api;
  struct ReplicaState {
    NodeId replica_id{-1};
    std::int64_t replica_epoch = -1;
    static void describe(auto& v, auto& m) {
      v.field(m.replica_id);
      v.field(m.replica_epoch);
      v.tags();
    }
    bool operator==(const ReplicaState&) const = default;
  };
  struct Topic {
    struct Partition {
      PartitionIndex partition;
      LeaderEpoch current_leader_epoch{-1};
      Offset fetch_offset;
      LeaderEpoch last_fetched_epoch{-1};
      Offset log_start_offset{-1};
      std::int32_t partition_max_bytes = 0;
      Uuid replica_directory_id{};
      static void describe(auto& v, auto& m) {
        v.field(m.partition);
        v.field(m.current_leader_epoch, since(9));
        v.field(m.fetch_offset);
        v.field(m.last_fetched_epoch, since(12));
        v.field(m.log_start_offset, since(5));
        v.field(m.partition_max_bytes);
        v.tags(tag(0, since(17), m.replica_directory_id));
      }
    };
    std::string topic;
    Uuid topic_id{};
    std::vector<Partition> partitions;
    static void describe(auto& v, auto& m) {
      v.field(m.topic, only(0, 12));
      v.field(m.topic_id, since(13));
      v.field(m.partitions);
      v.tags();
    }
  };
  struct Forgotten {
    std::string topic;
    Uuid topic_id{};
    std::vector<PartitionIndex> partitions;
    static void describe(auto& v, auto& m) {
      v.field(m.topic, only(7, 12));
      v.field(m.topic_id, since(13));
      v.field(m.partitions);
      v.tags();
    }
  };
  std::optional<std::string> cluster_id;
  NodeId replica_id{-1};
  ReplicaState replica_state;
  Millis max_wait_ms;
  std::int32_t min_bytes = 0;
  std::int32_t max_bytes = INT32_MAX;
  std::int8_t isolation_level = 0;
  std::int32_t session_id = 0;
  std::int32_t session_epoch = -1;
  std::vector<Topic> topics;
  std::vector<Forgotten> forgotten;
  std::string rack_id;
  static void describe(auto& v, auto& m) {
    v.field(m.replica_id, only(0, 14));
    v.field(m.max_wait_ms);
    v.field(m.min_bytes);
    v.field(m.max_bytes);
    v.field(m.isolation_level);
    v.field(m.session_id, since(7));
    v.field(m.session_epoch, since(7));
    v.field(m.topics);
    v.field(m.forgotten, since(7));
    v.field(m.rack_id, since(11));
    v.tags(tag(0, since(12), m.cluster_id), tag(1, since(15), m.replica_state));
  }
};

struct FetchResponse {
  static constexpr const Api& api = fetch_api;
  struct Topic {
    struct Partition {
      struct EpochEnd {
        LeaderEpoch epoch{-1};
        Offset end_offset{-1};
        static void describe(auto& v, auto& m) {
          v.field(m.epoch);
          v.field(m.end_offset);
          v.tags();
        }
        bool operator==(const EpochEnd&) const = default;
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
      struct Snapshot {
        Offset end_offset{-1};
        LeaderEpoch epoch{-1};
        static void describe(auto& v, auto& m) {
          v.field(m.end_offset);
          v.field(m.epoch);
          v.tags();
        }
        bool operator==(const Snapshot&) const = default;
      };
      struct Aborted {
        ProducerId producer_id;
        Offset first_offset;
        static void describe(auto& v, auto& m) {
          v.field(m.producer_id);
          v.field(m.first_offset);
          v.tags();
        }
      };
      PartitionIndex partition_index;
      ErrorCode error_code = ErrorCode::none;
      Offset high_watermark;
      Offset last_stable_offset{-1};
      Offset log_start_offset{-1};
      EpochEnd diverging_epoch;
      Leader current_leader;
      Snapshot snapshot_id;
      std::optional<std::vector<Aborted>> aborted_transactions;
      NodeId preferred_read_replica{-1};
      std::optional<Bytes> records;
      static void describe(auto& v, auto& m) {
        v.field(m.partition_index);
        v.field(m.error_code);
        v.field(m.high_watermark);
        v.field(m.last_stable_offset);
        v.field(m.log_start_offset, since(5));
        v.field(m.aborted_transactions, always, nullable(always));
        v.field(m.preferred_read_replica, since(11));
        v.field(m.records, always, nullable(always));
        v.tags(tag(0, since(12), m.diverging_epoch), tag(1, since(12), m.current_leader),
               tag(2, since(12), m.snapshot_id));
      }
    };
    std::string topic;
    Uuid topic_id{};
    std::vector<Partition> partitions;
    static void describe(auto& v, auto& m) {
      v.field(m.topic, only(0, 12));
      v.field(m.topic_id, since(13));
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
  Millis throttle_time_ms;
  ErrorCode error_code = ErrorCode::none;
  std::int32_t session_id = 0;
  std::vector<Topic> topics;
  std::vector<Endpoint> node_endpoints;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms);
    v.field(m.error_code, since(7));
    v.field(m.session_id, since(7));
    v.field(m.topics);
    v.tags(tag(0, since(16), m.node_endpoints));
  }
};

extern template bool decode(Bytes, Version, FetchRequest&);
extern template void encode(const FetchRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, FetchResponse&);
extern template void encode(const FetchResponse&, Version, Buffer&);

}  // namespace edgelog::wire
