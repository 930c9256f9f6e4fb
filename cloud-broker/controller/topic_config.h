#pragma once
// Topic configuration by Kafka's names: what may be set, the defaults (Kafka 4.x), what a value must look
// like. A topic keeps only what was set. Names that Kafka knows
// and that change nothing here (flush.messages, remote.*, ...) are taken and given back, since tools set them.
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace edgelog::broker {

using TopicConfig = std::map<std::string, std::string>;

// As DescribeConfigs v3+ numbers them.
enum class ConfigType : std::int8_t { boolean = 1, string = 2, int32 = 3, int16 = 4, int64 = 5, real = 6, list = 7 };

struct ConfigRow {
  std::string_view name;
  ConfigType type;
  std::string_view fallback;     // the default, as text
  std::string_view broker_name;  // the broker-level synonym
  std::string_view choices;      // comma-separated, of a string or list; empty: any
  std::int64_t least = INT64_MIN, most = INT64_MAX;
};

std::span<const ConfigRow> topic_config_table();  // ascending by name
const ConfigRow* find_topic_config(std::string_view name);

// Why `value` cannot be set; nothing if it can.
std::optional<std::string> refuse_config(std::string_view name, std::string_view value);
// What is set, or the default. Numbers and ratios of values that passed refuse_config().
std::string_view config_text(const TopicConfig& config, std::string_view name);
std::int64_t config_number(const TopicConfig& config, std::string_view name);
std::int32_t config_percent(const TopicConfig& config, std::string_view name);  // of a ratio
bool config_holds(const TopicConfig& config, std::string_view name, std::string_view item);

}  // namespace edgelog::broker
