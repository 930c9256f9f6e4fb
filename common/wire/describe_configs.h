#pragma once
// DescribeConfigs: settings of topics, brokers and groups, with where each comes from (KIP-133, KIP-226).
#include "common/wire/message.h"

namespace edgelog::wire {

inline constexpr Api describe_configs_api{.key = 32, .name = "DescribeConfigs", .first = 0, .last = 4, .flexible = 4};

struct DescribeConfigsRequest {
  static constexpr const Api& api = describe_configs_api;
  struct Resource {
    std::int8_t resource_type = 0;
    std::string resource_name;
    std::optional<std::vector<std::string>> configuration_keys;
    static void describe(auto& v, auto& m) {
      v.field(m.resource_type);
      v.field(m.resource_name);
      v.field(m.configuration_keys, always, nullable(always));
      v.tags();
    }
  };
  std::vector<Resource> resources;
  bool include_synonyms = false;
  bool include_documentation = false;
  static void describe(auto& v, auto& m) {
    v.field(m.resources);
    v.field(m.include_synonyms, since(1));
    v.field(m.include_documentation, since(3));
    v.tags();
  }
};

struct DescribeConfigsResponse {
  static constexpr const Api& api = describe_configs_api;
  struct Resource {
    struct Config {
      struct Synonym {
        std::string name;
        std::optional<std::string> value;
        std::int8_t source = 0;
        static void describe(auto& v, auto& m) {
          v.field(m.name);
          v.field(m.value, always, nullable(always));
          v.field(m.source);
          v.tags();
        }
      };
      std::string name;
      std::optional<std::string> value;
      bool read_only = false;
      bool is_default = false;
      std::int8_t config_source = -1;
      bool is_sensitive = false;
      std::vector<Synonym> synonyms;
      std::int8_t config_type = 0;
      std::optional<std::string> documentation;
      static void describe(auto& v, auto& m) {
        v.field(m.name);
        v.field(m.value, always, nullable(always));
        v.field(m.read_only);
        v.field(m.is_default, only(0, 0));
        v.field(m.config_source, since(1));
        v.field(m.is_sensitive);
        v.field(m.synonyms, since(1));
        v.field(m.config_type, since(3));
        v.field(m.documentation, since(3), nullable(always));
        v.tags();
      }
    };
    ErrorCode error_code = ErrorCode::none;
    std::optional<std::string> error_message;
    std::int8_t resource_type = 0;
    std::string resource_name;
    std::vector<Config> configs;
    static void describe(auto& v, auto& m) {
      v.field(m.error_code);
      v.field(m.error_message, always, nullable(always));
      v.field(m.resource_type);
      v.field(m.resource_name);
      v.field(m.configs);
      v.tags();
    }
  };
  Millis throttle_time_ms;
  std::vector<Resource> results;
  static void describe(auto& v, auto& m) {
    v.field(m.throttle_time_ms);
    v.field(m.results);
    v.tags();
  }
};

extern template bool decode(Bytes, Version, DescribeConfigsRequest&);
extern template void encode(const DescribeConfigsRequest&, Version, Buffer&);
extern template bool decode(Bytes, Version, DescribeConfigsResponse&);
extern template void encode(const DescribeConfigsResponse&, Version, Buffer&);

}  // namespace edgelog::wire
