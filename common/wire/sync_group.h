#pragma once
// SyncGroup: the leader hands in the assignments of a generation, everybody takes his own.
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api sync_group_api{.key = 14, .name = "SyncGroup", .first = 0, .last = 5, .flexible = 4};

struct SyncGroupRequest {
  static constexpr const Api& api = sync_group_api;
  struct Assignment {
    std::string member_id;
    Bytes assignment;
    static void describe(auto& v, auto& m) {
      v.field(m.member_id);
      v.field(m.assignment);
      v.tags();
    }
  };
  std::string group_id;
  std::int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::vector<Assignment> assignments;
  static void describe(auto& v, auto& m) {
    v.field(m.group_id);
    v.field(m.generation_id);
    v.field(m.member_id);
    v.field(m.group_instance_id, since(3), nullable(since(3)));
    v.field(m.protocol_type, since(5), nullable(since(5)));
    v.field(m.protocol_name, since(5), nullable(since(5)));
    v.field(m.assignments);
    v.tags();
  }
};

struct SyncGroupResponse {
  static constexpr const Api& api = sync_group_api;
  Millis throttle_time_ms;
  ErrorCode error_code = ErrorCode::none;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  Bytes assignment;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms, since(1));
    v.field(m.error_code);
    v.field(m.protocol_type, since(5), nullable(since(5)));
    v.field(m.protocol_name, since(5), nullable(since(5)));
    v.field(m.assignment);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, SyncGroupRequest&);
extern template void encode(const SyncGroupRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, SyncGroupResponse&);
extern template void encode(const SyncGroupResponse&, Version, Buffer&);

}  // namespace edgelog::wire
