#pragma once
// AlterConfigs: replaces all settings of a resource (KIP-133).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api alter_configs_api{.key = 33, .name = "AlterConfigs", .first = 0, .last = 2, .flexible = 2};

struct AlterConfigsRequest {
  static constexpr const Api& api = alter_configs_api;
  struct Resource {
    struct Config {
      std::string name;
      std::optional<std::string> value;
      static void describe(auto& v, auto& m) {
        v.field(m.name);
        v.field(m.value, always, nullable(always));
        v.tags();
      }
    };
    std::int8_t resource_type = 0;
    std::string resource_name;
    std::vector<Config> configs;
    static void describe(auto& v, auto& m) {
      v.field(m.resource_type);
      v.field(m.resource_name);
      v.field(m.configs);
      v.tags();
    }
  };
  std::vector<Resource> resources;
  bool validate_only = false;
  static void describe(auto& v, auto& m) {
    v.field(m.resources);
    v.field(m.validate_only);
    v.tags();
  }
};

// What became of one resource; also in IncrementalAlterConfigs.
struct AlteredResource {
  ErrorCode error_code = ErrorCode::none;
  std::optional<std::string> error_message;
  std::int8_t resource_type = 0;
  std::string resource_name;
  static void describe(auto& v, auto& m) {
    v.field(m.error_code);
    v.field(m.error_message, always, nullable(always));
    v.field(m.resource_type);
    v.field(m.resource_name);
    v.tags();
  }
};

struct AlterConfigsResponse {
  static constexpr const Api& api = alter_configs_api;
  using Resource = AlteredResource;
  Millis throttle_time_ms;
  std::vector<Resource> topics;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms);
    v.field(m.topics);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, AlterConfigsRequest&);
extern template void encode(const AlterConfigsRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, AlterConfigsResponse&);
extern template void encode(const AlterConfigsResponse&, Version, Buffer&);

}  // namespace edgelog::wire
