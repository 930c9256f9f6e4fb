#pragma once
// OffsetForLeaderEpoch: where an epoch ended, so that a client sees whether the log behind it was cut (KIP-320).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api offset_for_leader_epoch_api{
    .key = 23, .name = "OffsetForLeaderEpoch", .first = 2, .last = 4, .flexible = 4};

struct OffsetForLeaderEpochRequest {
  static constexpr const Api& api = offset_for_leader_epoch_api;
  struct Topic {
    struct Partition {
      PartitionIndex partition;
      LeaderEpoch current_leader_epoch{-1};
      LeaderEpoch leader_epoch;
      static void describe(auto& v, auto& m) {
        v.field(m.partition);
        v.field(m.current_leader_epoch);
        v.field(m.leader_epoch);
        v.tags();
      }
    };
    std::string topic;
    std::vector<Partition> partitions;
    static void describe(auto& v, auto& m) {
      v.field(m.topic);
      v.field(m.partitions);
      v.tags();
    }
  };
  NodeId replica_id{-2};
  std::vector<Topic> topics;
  static void describe(auto& v, auto& m) {
    v.field(m.replica_id, since(3));
    v.field(m.topics);
    v.tags();
  }
};

struct OffsetForLeaderEpochResponse {
  static constexpr const Api& api = offset_for_leader_epoch_api;
  struct Topic {
    struct EpochEnd {
      ErrorCode error_code = ErrorCode::none;
      PartitionIndex partition;
      LeaderEpoch leader_epoch{-1};
      Offset end_offset{-1};
      static void describe(auto& v, auto& m) {
        v.field(m.error_code);
        v.field(m.partition);
        v.field(m.leader_epoch);
        v.field(m.end_offset);
        v.tags();
      }
    };
    std::string topic;
    std::vector<EpochEnd> partitions;
    static void describe(auto& v, auto& m) {
      v.field(m.topic);
      v.field(m.partitions);
      v.tags();
    }
  };
  Millis throttle_time_ms;
  std::vector<Topic> topics;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms);
    v.field(m.topics);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, OffsetForLeaderEpochRequest&);
extern template void encode(const OffsetForLeaderEpochRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, OffsetForLeaderEpochResponse&);
extern template void encode(const OffsetForLeaderEpochResponse&, Version, Buffer&);

}  // namespace edgelog::wire
