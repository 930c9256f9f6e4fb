#pragma once
// OffsetFetch: a group's positions; several groups from version 8 (KIP-709).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api offset_fetch_api{.key = 9, .name = "OffsetFetch", .first = 1, .last = 9, .flexible = 6};

struct OffsetFetchRequest {
  static constexpr const Api& api = offset_fetch_api;
  struct Topic {
    std::string name;
    std::vector<PartitionIndex> partition_indexes;
    static void describe(auto& v, auto& m) {
      v.field(m.name);
      v.field(m.partition_indexes);
      v.tags();
    }
  };
  struct Group {
    struct Topic {
      std::string name;
      std::vector<PartitionIndex> partition_indexes;
      static void describe(auto& v, auto& m) {
        v.field(m.name);
        v.field(m.partition_indexes);
        v.tags();
      }
    };
    std::string group_id;
    std::optional<std::string> member_id;
    std::int32_t member_epoch = -1;
    std::optional<std::vector<Topic>> topics;
    static void describe(auto& v, auto& m) {
      v.field(m.group_id);
      v.field(m.member_id, since(9), nullable(since(9)));
      v.field(m.member_epoch, since(9));
      v.field(m.topics, always, nullable(always));
      v.tags();
    }
  };
  std::string group_id;
  std::optional<std::vector<Topic>> topics;
  std::vector<Group> groups;
  bool require_stable = false;
  static void describe(auto& v, auto& m) {
    v.field(m.group_id, only(0, 7));
    v.field(m.topics, only(0, 7), nullable(only(2, 7)));
    v.field(m.groups, since(8));
    v.field(m.require_stable, since(7));
    v.tags();
  }
};

struct OffsetFetchResponse {
  static constexpr const Api& api = offset_fetch_api;
  struct Topic {
    struct Partition {
      PartitionIndex partition_index;
      Offset committed_offset;
      LeaderEpoch committed_leader_epoch{-1};
      std::optional<std::string> metadata;
      ErrorCode error_code = ErrorCode::none;
      static void describe(auto& v, auto& m) {
        v.field(m.partition_index);
        v.field(m.committed_offset);
        v.field(m.committed_leader_epoch, since(5));
        v.field(m.metadata, always, nullable(always));
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
  struct Group {
    struct Topic {
      struct Partition {
        PartitionIndex partition_index;
        Offset committed_offset;
        LeaderEpoch committed_leader_epoch{-1};
        std::optional<std::string> metadata;
        ErrorCode error_code = ErrorCode::none;
        static void describe(auto& v, auto& m) {
          v.field(m.partition_index);
          v.field(m.committed_offset);
          v.field(m.committed_leader_epoch);
          v.field(m.metadata, always, nullable(always));
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
    std::string group_id;
    std::vector<Topic> topics;
    ErrorCode error_code = ErrorCode::none;
    static void describe(auto& v, auto& m) {
      v.field(m.group_id);
      v.field(m.topics);
      v.field(m.error_code);
      v.tags();
    }
  };
  Millis throttle_time_ms;
  std::vector<Topic> topics;
  ErrorCode error_code = ErrorCode::none;
  std::vector<Group> groups;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms, since(3));
    v.field(m.topics, only(0, 7));
    v.field(m.error_code, only(2, 7));
    v.field(m.groups, since(8));
    v.tags();
  }
};

extern template bool decode(Bytes, Version, OffsetFetchRequest&);
extern template void encode(const OffsetFetchRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, OffsetFetchResponse&);
extern template void encode(const OffsetFetchResponse&, Version, Buffer&);

}  // namespace edgelog::wire
