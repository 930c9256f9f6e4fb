#pragma once
// ListGroups: groups that this broker coordinates, by state (4, KIP-518) and type (5, KIP-848).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api list_groups_api{.key = 16, .name = "ListGroups", .first = 0, .last = 5, .flexible = 3};

struct ListGroupsRequest {
  static constexpr const Api& api = list_groups_api;
  std::vector<std::string> states_filter;
  std::vector<std::string> types_filter;
  static void describe(auto& v, auto& m) {
    v.field(m.states_filter, since(4));
    v.field(m.types_filter, since(5));
    v.tags();
  }
};

struct ListGroupsResponse {
  static constexpr const Api& api = list_groups_api;
  struct Group {
    std::string group_id;
    std::string protocol_type;
    std::string group_state;
    std::string group_type;
    static void describe(auto& v, auto& m) {
      v.field(m.group_id);
      v.field(m.protocol_type);
      v.field(m.group_state, since(4));
      v.field(m.group_type, since(5));
      v.tags();
    }
  };
  Millis throttle_time_ms;
  ErrorCode error_code = ErrorCode::none;
  std::vector<Group> groups;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms, since(1));
    v.field(m.error_code);
    v.field(m.groups);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, ListGroupsRequest&);
extern template void encode(const ListGroupsRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, ListGroupsResponse&);
extern template void encode(const ListGroupsResponse&, Version, Buffer&);

}  // namespace edgelog::wire
