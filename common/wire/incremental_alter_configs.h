#pragma once
// IncrementalAlterConfigs: changes single settings (KIP-339).
#include "common/wire/alter_configs.h"

namespace edgelog::wire {

inline constexpr Api incremental_alter_configs_api{
    .key = 44, .name = "IncrementalAlterConfigs", .first = 0, .last = 1, .flexible = 1};

struct IncrementalAlterConfigsRequest {
  static constexpr const Api& api = incremental_alter_configs_api;
  struct Resource {
    struct Config {
      std::string name;
      std::int8_t config_operation = 0;
      std::optional<std::string> value;
      static void describe(auto& v, auto& m) {
        v.field(m.name);
        v.field(m.config_operation);
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

struct IncrementalAlterConfigsResponse {
  static constexpr const Api& api = incremental_alter_configs_api;
  using Resource = AlteredResource;
  Millis throttle_time_ms;
  std::vector<Resource> topics;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms);
    v.field(m.topics);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, IncrementalAlterConfigsRequest&);
extern template void encode(const IncrementalAlterConfigsRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, IncrementalAlterConfigsResponse&);
extern template void encode(const IncrementalAlterConfigsResponse&, Version, Buffer&);

}  // namespace edgelog::wire
