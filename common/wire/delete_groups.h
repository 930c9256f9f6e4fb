#pragma once
// DeleteGroups: forgets empty groups and their offsets (KIP-229).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api delete_groups_api{.key = 42, .name = "DeleteGroups", .first = 0, .last = 2, .flexible = 2};

struct DeleteGroupsRequest {
  static constexpr const Api& api = delete_groups_api;
  std::vector<std::string> groups;
  static void describe(auto& v, auto& m) {
    v.field(m.groups);
    v.tags();
  }
};

struct DeleteGroupsResponse {
  static constexpr const Api& api = delete_groups_api;
  struct Result {
    std::string group_id;
    ErrorCode error_code = ErrorCode::none;
    static void describe(auto& v, auto& m) {
      v.field(m.group_id);
      v.field(m.error_code);
      v.tags();
    }
  };
  Millis throttle_time_ms;
  std::vector<Result> results;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms);
    v.field(m.results);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, DeleteGroupsRequest&);
extern template void encode(const DeleteGroupsRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, DeleteGroupsResponse&);
extern template void encode(const DeleteGroupsResponse&, Version, Buffer&);

}  // namespace edgelog::wire
