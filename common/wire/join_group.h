#pragma once
// JoinGroup: into the next generation of a group. 4 asks back with a member id (KIP-394), 5 static members
// (KIP-345), 8 reasons (KIP-800), 9 lets the leader skip assigning (KIP-814).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api join_group_api{.key = 11, .name = "JoinGroup", .first = 0, .last = 9, .flexible = 6};

struct JoinGroupRequest {
  static constexpr const Api& api = join_group_api;
  struct Protocol {
    std::string name;
    Bytes metadata;
    static void describe(auto& v, auto& m) {
      v.field(m.name);
      v.field(m.metadata);
      v.tags();
    }
  };
  std::string group_id;
  Millis session_timeout_ms;
  Millis rebalance_timeout_ms{-1};
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::string protocol_type;
  std::vector<Protocol> protocols;
  std::optional<std::string> reason;
  static void describe(auto& v, auto& m) {
    v.field(m.group_id);
    v.field(m.session_timeout_ms);
    v.field(m.rebalance_timeout_ms, since(1));
    v.field(m.member_id);
    v.field(m.group_instance_id, since(5), nullable(since(5)));
    v.field(m.protocol_type);
    v.field(m.protocols);
    v.field(m.reason, since(8), nullable(since(8)));
    v.tags();
  }
};

struct JoinGroupResponse {
  static constexpr const Api& api = join_group_api;
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    Bytes metadata;
    static void describe(auto& v, auto& m) {
      v.field(m.member_id);
      v.field(m.group_instance_id, since(5), nullable(since(5)));
      v.field(m.metadata);
      v.tags();
    }
  };
  Millis throttle_time_ms;
  ErrorCode error_code = ErrorCode::none;
  std::int32_t generation_id = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<Member> members;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms, since(2));
    v.field(m.error_code);
    v.field(m.generation_id);
    v.field(m.protocol_type, since(7), nullable(since(7)));
    v.field(m.protocol_name, always, nullable(since(7)));
    v.field(m.leader);
    v.field(m.skip_assignment, since(9));
    v.field(m.member_id);
    v.field(m.members);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, JoinGroupRequest&);
extern template void encode(const JoinGroupRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, JoinGroupResponse&);
extern template void encode(const JoinGroupResponse&, Version, Buffer&);

}  // namespace edgelog::wire
