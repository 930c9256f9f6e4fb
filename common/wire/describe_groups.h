#pragma once
// DescribeGroups: state and members of groups.
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api describe_groups_api{.key = 15, .name = "DescribeGroups", .first = 0, .last = 5, .flexible = 5};

struct DescribeGroupsRequest {
  static constexpr const Api& api = describe_groups_api;
  std::vector<std::string> groups;
  bool include_authorized_operations = false;
  static void describe(auto& v, auto& m) {
    v.field(m.groups);
    v.field(m.include_authorized_operations, since(3));
    v.tags();
  }
};

struct DescribeGroupsResponse {
  static constexpr const Api& api = describe_groups_api;
  struct Group {
    struct Member {
      std::string member_id;
      std::optional<std::string> group_instance_id;
      std::string client_id;
      std::string client_host;
      Bytes member_metadata;
      Bytes member_assignment;
      static void describe(auto& v, auto& m) {
        v.field(m.member_id);
        v.field(m.group_instance_id, since(4), nullable(since(4)));
        v.field(m.client_id);
        v.field(m.client_host);
        v.field(m.member_metadata);
        v.field(m.member_assignment);
        v.tags();
      }
    };
    ErrorCode error_code = ErrorCode::none;
    std::string group_id;
    std::string group_state;
    std::string protocol_type;
    std::string protocol_data;
    std::vector<Member> members;
    std::int32_t authorized_operations = not_asked;
    static void describe(auto& v, auto& m) {
      v.field(m.error_code);
      v.field(m.group_id);
      v.field(m.group_state);
      v.field(m.protocol_type);
      v.field(m.protocol_data);
      v.field(m.members);
      v.field(m.authorized_operations, since(3));
      v.tags();
    }
  };
  Millis throttle_time_ms;
  std::vector<Group> groups;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms, since(1));
    v.field(m.groups);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, DescribeGroupsRequest&);
extern template void encode(const DescribeGroupsRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, DescribeGroupsResponse&);
extern template void encode(const DescribeGroupsResponse&, Version, Buffer&);

}  // namespace edgelog::wire
