#pragma once
// FindCoordinator: which broker keeps a group or a transactional id; several keys from version 4 (KIP-699).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api find_coordinator_api{.key = 10, .name = "FindCoordinator", .first = 0, .last = 6, .flexible = 3};

struct FindCoordinatorRequest {
  static constexpr const Api& api = find_coordinator_api;
  std::string key;
  std::int8_t key_type = 0;
  std::vector<std::string> coordinator_keys;
  static void describe(auto& v, auto& m) {
    v.field(m.key, only(0, 3));
    v.field(m.key_type, since(1));
    v.field(m.coordinator_keys, since(4));
    v.tags();
  }
};

struct FindCoordinatorResponse {
  static constexpr const Api& api = find_coordinator_api;
  struct Coordinator {
    std::string key;
    NodeId node_id;
    std::string host;
    std::int32_t port = 0;
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> error_message;
    static void describe(auto& v, auto& m) {
      v.field(m.key);
      v.field(m.node_id);
      v.field(m.host);
      v.field(m.port);
      v.field(m.error_code);
      v.field(m.error_message, always, nullable(always));
      v.tags();
    }
  };
  Millis throttle_time_ms;
  ErrorCode error_code = ErrorCode::none;
  std::optional<std::string> error_message;
  NodeId node_id;
  std::string host;
  std::int32_t port = 0;
  std::vector<Coordinator> coordinators;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms, since(1));
    v.field(m.error_code, only(0, 3));
    v.field(m.error_message, only(1, 3), nullable(only(1, 3)));
    v.field(m.node_id, only(0, 3));
    v.field(m.host, only(0, 3));
    v.field(m.port, only(0, 3));
    v.field(m.coordinators, since(4));
    v.tags();
  }
};

extern template bool decode(Bytes, Version, FindCoordinatorRequest&);
extern template void encode(const FindCoordinatorRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, FindCoordinatorResponse&);
extern template void encode(const FindCoordinatorResponse&, Version, Buffer&);

}  // namespace edgelog::wire
