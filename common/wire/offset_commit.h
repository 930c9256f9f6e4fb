#pragma once
// OffsetCommit: a group's positions. 0 was ZooKeeper's. 9 is for the groups of KIP-848 as well.
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api offset_commit_api{.key = 8, .name = "OffsetCommit", .first = 1, .last = 9, .flexible = 8};

struct OffsetCommitRequest {
  static constexpr const Api& api = offset_commit_api;
  struct Topic {
    struct Partition {
      PartitionIndex partition_index;
      Offset committed_offset;
      LeaderEpoch committed_leader_epoch{-1};
      std::int64_t commit_timestamp = -1;
      std::optional<std::string> committed_metadata;
      static void describe(auto& v, auto& m) {
        v.field(m.partition_index);
        v.field(m.committed_offset);
        v.field(m.committed_leader_epoch, since(6));
        v.field(m.commit_timestamp, only(1, 1));
        v.field(m.committed_metadata, always, nullable(always));
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
  std::string group_id;
  std::int32_t generation_id = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::int64_t retention_time_ms = -1;
  std::vector<Topic> topics;
  static void describe(auto& v, auto& m) {
    v.field(m.group_id);
    v.field(m.generation_id);
    v.field(m.member_id);
    v.field(m.group_instance_id, since(7), nullable(since(7)));
    v.field(m.retention_time_ms, only(2, 4));
    v.field(m.topics);
    v.tags();
  }
};

struct OffsetCommitResponse {
  static constexpr const Api& api = offset_commit_api;
  struct Topic {
    struct Partition {
      PartitionIndex partition_index;
      ErrorCode error_code = ErrorCode::none;
      static void describe(auto& v, auto& m) {
        v.field(m.partition_index);
        v.field(m.error_code);
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
    v.field(m.throttle_time_ms, since(3));
    v.field(m.topics);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, OffsetCommitRequest&);
extern template void encode(const OffsetCommitRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, OffsetCommitResponse&);
extern template void encode(const OffsetCommitResponse&, Version, Buffer&);

}  // namespace edgelog::wire
