#pragma once
// Heartbeat: a member lives, and learns of a rebalance by error 27.
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api heartbeat_api{.key = 12, .name = "Heartbeat", .first = 0, .last = 4, .flexible = 4};

struct HeartbeatRequest {
  static constexpr const Api& api = heartbeat_api;
  std::string group_id;
  std::int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  static void describe(auto& v, auto& m) {
    v.field(m.group_id);
    v.field(m.generation_id);
    v.field(m.member_id);
    v.field(m.group_instance_id, since(3), nullable(since(3)));
    v.tags();
  }
};

struct HeartbeatResponse {
  static constexpr const Api& api = heartbeat_api;
  Millis throttle_time_ms;
  ErrorCode error_code = ErrorCode::none;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms, since(1));
    v.field(m.error_code);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, HeartbeatRequest&);
extern template void encode(const HeartbeatRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, HeartbeatResponse&);
extern template void encode(const HeartbeatResponse&, Version, Buffer&);

}  // namespace edgelog::wire
