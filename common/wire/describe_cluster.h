#pragma once
// DescribeCluster: id, controller and brokers (KIP-700).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api describe_cluster_api{.key = 60, .name = "DescribeCluster", .first = 0, .last = 1, .flexible = 0};

struct DescribeClusterRequest {
  static constexpr const Api& api = describe_cluster_api;
  bool include_cluster_authorized_operations = false;
  std::int8_t endpoint_type = 1;
  static void describe(auto& v, auto& m) {
    v.field(m.include_cluster_authorized_operations);
    v.field(m.endpoint_type, since(1));
    v.tags();
  }
};

struct DescribeClusterResponse {
  static constexpr const Api& api = describe_cluster_api;
  struct Broker {
    NodeId broker_id;
    std::string host;
    std::int32_t port = 0;
    std::optional<std::string> rack;
    static void describe(auto& v, auto& m) {
      v.field(m.broker_id);
      v.field(m.host);
      v.field(m.port);
      v.field(m.rack, always, nullable(always));
      v.tags();
    }
  };
  Millis throttle_time_ms;
  ErrorCode error_code = ErrorCode::none;
  std::optional<std::string> error_message;
  std::int8_t endpoint_type = 1;
  std::string cluster_id;
  NodeId controller_id{-1};
  std::vector<Broker> brokers;
  std::int32_t cluster_authorized_operations = not_asked;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms);
    v.field(m.error_code);
    v.field(m.error_message, always, nullable(always));
    v.field(m.endpoint_type, since(1));
    v.field(m.cluster_id);
    v.field(m.controller_id);
    v.field(m.brokers);
    v.field(m.cluster_authorized_operations);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, DescribeClusterRequest&);
extern template void encode(const DescribeClusterRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, DescribeClusterResponse&);
extern template void encode(const DescribeClusterResponse&, Version, Buffer&);

}  // namespace edgelog::wire
