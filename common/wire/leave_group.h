#pragma once
// LeaveGroup: one member goes, or several are sent away (version 3, KIP-345).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api leave_group_api{.key = 13, .name = "LeaveGroup", .first = 0, .last = 5, .flexible = 4};

struct LeaveGroupRequest {
  static constexpr const Api& api = leave_group_api;
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::optional<std::string> reason;
    static void describe(auto& v, auto& m) {
      v.field(m.member_id);
      v.field(m.group_instance_id, always, nullable(always));
      v.field(m.reason, since(5), nullable(since(5)));
      v.tags();
    }
  };
  std::string group_id;
  std::string member_id;
  std::vector<Member> members;
  static void describe(auto& v, auto& m) {
    v.field(m.group_id);
    v.field(m.member_id, only(0, 2));
    v.field(m.members, since(3));
    v.tags();
  }
};

struct LeaveGroupResponse {
  static constexpr const Api& api = leave_group_api;
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    ErrorCode error_code = ErrorCode::none;
    static void describe(auto& v, auto& m) {
      v.field(m.member_id);
      v.field(m.group_instance_id, always, nullable(always));
      v.field(m.error_code);
      v.tags();
    }
  };
  Millis throttle_time_ms;
  ErrorCode error_code = ErrorCode::none;
  std::vector<Member> members;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms, since(1));
    v.field(m.error_code);
    v.field(m.members, since(3));
    v.tags();
  }
};

extern template bool decode(Bytes, Version, LeaveGroupRequest&);
extern template void encode(const LeaveGroupRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, LeaveGroupResponse&);
extern template void encode(const LeaveGroupResponse&, Version, Buffer&);

}  // namespace edgelog::wire
