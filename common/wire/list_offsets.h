#pragma once
// ListOffsets: an offset by time, or one of the marks below. 0 asked otherwise and is not offered.
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api list_offsets_api{.key = 2, .name = "ListOffsets", .first = 1, .last = 10, .flexible = 6};

struct ListOffsetsRequest {
  static constexpr const Api& api = list_offsets_api;
  struct Topic {
    struct Partition {
      PartitionIndex partition_index;
      LeaderEpoch current_leader_epoch{-1};
      std::int64_t timestamp = 0;
      static void describe(auto& v, auto& m) {
        v.field(m.partition_index);
        v.field(m.current_leader_epoch, since(4));
        v.field(m.timestamp);
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
  NodeId replica_id{-1};
  std::int8_t isolation_level = 0;
  std::vector<Topic> topics;
  Millis timeout_ms;
  static void describe(auto& v, auto& m) {
    v.field(m.replica_id);
    v.field(m.isolation_level, since(2));
    v.field(m.topics);
    v.field(m.timeout_ms, since(10));
    v.tags();
  }
};

struct ListOffsetsResponse {
  static constexpr const Api& api = list_offsets_api;
  struct Topic {
    struct Partition {
      PartitionIndex partition_index;
      ErrorCode error_code = ErrorCode::none;
      std::int64_t timestamp = -1;
      Offset offset{-1};
      LeaderEpoch leader_epoch{-1};
      static void describe(auto& v, auto& m) {
        v.field(m.partition_index);
        v.field(m.error_code);
        v.field(m.timestamp);
        v.field(m.offset);
        v.field(m.leader_epoch, since(4));
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
  Millis throttle_time_ms;
  std::vector<Topic> topics;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms, since(2));
    v.field(m.topics);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, ListOffsetsRequest&);
extern template void encode(const ListOffsetsRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, ListOffsetsResponse&);
extern template void encode(const ListOffsetsResponse&, Version, Buffer&);

}  // namespace edgelog::wire
