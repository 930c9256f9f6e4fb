#pragma once
// DeleteRecords: moves the start of partitions (KIP-107).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api delete_records_api{.key = 21, .name = "DeleteRecords", .first = 0, .last = 2, .flexible = 2};

struct DeleteRecordsRequest {
  static constexpr const Api& api = delete_records_api;
  struct Topic {
    struct Partition {
      PartitionIndex partition_index;
      Offset offset;
      static void describe(auto& v, auto& m) {
        v.field(m.partition_index);
        v.field(m.offset);
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
  std::vector<Topic> topics;
  Millis timeout_ms;
  static void describe(auto& v, auto& m) {
    v.field(m.topics);
    v.field(m.timeout_ms);
    v.tags();
  }
};

struct DeleteRecordsResponse {
  static constexpr const Api& api = delete_records_api;
  struct Topic {
    struct Partition {
      PartitionIndex partition_index;
      Offset low_watermark;
      ErrorCode error_code = ErrorCode::none;
      static void describe(auto& v, auto& m) {
        v.field(m.partition_index);
        v.field(m.low_watermark);
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
    v.field(m.throttle_time_ms);
    v.field(m.topics);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, DeleteRecordsRequest&);
extern template void encode(const DeleteRecordsRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, DeleteRecordsResponse&);
extern template void encode(const DeleteRecordsResponse&, Version, Buffer&);

}  // namespace edgelog::wire
