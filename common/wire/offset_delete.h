#pragma once
// OffsetDelete: forgets a group's offsets of partitions (KIP-496).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api offset_delete_api{
    .key = 47, .name = "OffsetDelete", .first = 0, .last = 0, .flexible = not_flexible};

struct OffsetDeleteRequest {
  static constexpr const Api& api = offset_delete_api;
  struct Topic {
    struct Partition {
      PartitionIndex partition_index;
      static void describe(auto& v, auto& m) { v.field(m.partition_index); }
    };
    std::string name;
    std::vector<Partition> partitions;
    static void describe(auto& v, auto& m) {
      v.field(m.name);
      v.field(m.partitions);
    }
  };
  std::string group_id;
  std::vector<Topic> topics;
  static void describe(auto& v, auto& m) {
    v.field(m.group_id);
    v.field(m.topics);
  }
};

struct OffsetDeleteResponse {
  static constexpr const Api& api = offset_delete_api;
  struct Topic {
    struct Partition {
      PartitionIndex partition_index;
      ErrorCode error_code = ErrorCode::none;
      static void describe(auto& v, auto& m) {
        v.field(m.partition_index);
        v.field(m.error_code);
      }
    };
    std::string name;
    std::vector<Partition> partitions;
    static void describe(auto& v, auto& m) {
      v.field(m.name);
      v.field(m.partitions);
    }
  };
  ErrorCode error_code = ErrorCode::none;
  Millis throttle_time_ms;
  std::vector<Topic> topics;
  static void describe(auto& v, auto& m) {
    v.field(m.error_code);
    v.field(m.throttle_time_ms);
    v.field(m.topics);
  }
};

extern template bool decode(Bytes, Version, OffsetDeleteRequest&);
extern template void encode(const OffsetDeleteRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, OffsetDeleteResponse&);
extern template void encode(const OffsetDeleteResponse&, Version, Buffer&);

}  // namespace edgelog::wire
