#pragma once
// ApiVersions: what a broker speaks. The response header is version 0 always, and a version that is not
// known is answered in version 0 with error 35, so that any client can read it (KIP-511).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api api_versions_api{.key = 18, .name = "ApiVersions", .first = 0, .last = 4, .flexible = 3};

struct ApiVersionsRequest {
  static constexpr const Api& api = api_versions_api;
  std::string client_software_name;
  std::string client_software_version;
  static void describe(auto& v, auto& m) {
    v.field(m.client_software_name, since(3));
    v.field(m.client_software_version, since(3));
    v.tags();
  }
};

struct ApiVersionsResponse {
  static constexpr const Api& api = api_versions_api;
  struct Range {
    std::int16_t api_key = 0;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;
    static void describe(auto& v, auto& m) {
      v.field(m.api_key);
      v.field(m.min_version);
      v.field(m.max_version);
      v.tags();
    }
  };
  struct SupportedFeature {
    std::string name;
    std::int16_t min_version = 0;
    std::int16_t max_version = 0;
    static void describe(auto& v, auto& m) {
      v.field(m.name);
      v.field(m.min_version);
      v.field(m.max_version);
      v.tags();
    }
  };
  struct FinalizedFeature {
    std::string name;
    std::int16_t max_version_level = 0;
    std::int16_t min_version_level = 0;
    static void describe(auto& v, auto& m) {
      v.field(m.name);
      v.field(m.max_version_level);
      v.field(m.min_version_level);
      v.tags();
    }
  };
  ErrorCode error_code = ErrorCode::none;
  std::vector<Range> apis;
  Millis throttle_time_ms;
  std::vector<SupportedFeature> supported_features;
  std::int64_t finalized_features_epoch = -1;
  std::vector<FinalizedFeature> finalized_features;
  bool zk_migration_ready = false;
  static void describe(auto& v, auto& m) {
    v.field(m.error_code);
    v.field(m.apis);
    v.field(m.throttle_time_ms, since(1));
    v.tags(tag(0, since(3), m.supported_features), tag(1, since(3), m.finalized_features_epoch),
           tag(2, since(3), m.finalized_features), tag(3, since(3), m.zk_migration_ready));
  }
};

extern template bool decode(Bytes, Version, ApiVersionsRequest&);
extern template void encode(const ApiVersionsRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, ApiVersionsResponse&);
extern template void encode(const ApiVersionsResponse&, Version, Buffer&);

}  // namespace edgelog::wire
