#pragma once
// Metadata: brokers, topics, partitions and their leaders. Versions: 4 says whether topics may be made, 7 leader
// epochs (KIP-320), 10 topic ids, 12 topics by id (KIP-516), 13 an error of the whole (KIP-1102).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api metadata_api{.key = 3, .name = "Metadata", .first = 0, .last = 13, .flexible = 9};

struct MetadataRequest {
  static constexpr const Api& api = metadata_api;
  struct Topic {
    Uuid topic_id{};
    std::optional<std::string> name;
    static void describe(auto& v, auto& m) {
      v.field(m.topic_id, since(10));
      v.field(m.name, always, nullable(since(10)));
      v.tags();
    }
  };
  std::optional<std::vector<Topic>> topics;
  bool allow_auto_topic_creation = true;
  bool include_cluster_authorized_operations = false;
  bool include_topic_authorized_operations = false;
  static void describe(auto& v, auto& m) {
    v.field(m.topics, always, nullable(since(1)));
    v.field(m.allow_auto_topic_creation, since(4));
    v.field(m.include_cluster_authorized_operations, only(8, 10));
    v.field(m.include_topic_authorized_operations, since(8));
    v.tags();
  }
};

struct MetadataResponse {
  static constexpr const Api& api = metadata_api;
  struct Broker {
    NodeId node_id;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;
    static void describe(auto& v, auto& m) {
      v.field(m.node_id);
      v.field(m.host);
      v.field(m.port);
      v.field(m.rack, since(1), nullable(since(1)));
      v.tags();
    }
  };
  struct Topic {
    struct Partition {
      ErrorCode error_code = ErrorCode::none;
      PartitionIndex partition_index;
      NodeId leader_id;
      LeaderEpoch leader_epoch{-1};
      std::vector<NodeId> replica_nodes;
      std::vector<NodeId> isr_nodes;
      std::vector<NodeId> offline_replicas;
      static void describe(auto& v, auto& m) {
        v.field(m.error_code);
        v.field(m.partition_index);
        v.field(m.leader_id);
        v.field(m.leader_epoch, since(7));
        v.field(m.replica_nodes);
        v.field(m.isr_nodes);
        v.field(m.offline_replicas, since(5));
        v.tags();
      }
    };
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> name;
    Uuid topic_id{};
    bool is_internal = false;
    std::vector<Partition> partitions;
    std::int32_t topic_authorized_operations = not_asked;
    static void describe(auto& v, auto& m) {
      v.field(m.error_code);
      v.field(m.name, always, nullable(since(12)));
      v.field(m.topic_id, since(10));
      v.field(m.is_internal, since(1));
      v.field(m.partitions);
      v.field(m.topic_authorized_operations, since(8));
      v.tags();
    }
  };
  Millis throttle_time_ms;
  std::vector<Broker> brokers;
  std::optional<std::string> cluster_id;
  NodeId controller_id{-1};
  std::vector<Topic> topics;
  std::int32_t cluster_authorized_operations = not_asked;
  ErrorCode error_code = ErrorCode::none;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms, since(3));
    v.field(m.brokers);
    v.field(m.cluster_id, since(2), nullable(since(2)));
    v.field(m.controller_id, since(1));
    v.field(m.topics);
    v.field(m.cluster_authorized_operations, only(8, 10));
    v.field(m.error_code, since(13));
    v.tags();
  }
};

extern template bool decode(Bytes, Version, MetadataRequest&);
extern template void encode(const MetadataRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, MetadataResponse&);
extern template void encode(const MetadataResponse&, Version, Buffer&);

}  // namespace edgelog::wire
