#include "cloud-broker/controller/topic_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "common/base/assert.h"

namespace edgelog::broker {

namespace {

constexpr std::int64_t int32_max = INT32_MAX;

constexpr std::array table{
    ConfigRow{"cleanup.policy", ConfigType::list, "delete", "log.cleanup.policy", "compact,delete"},
    ConfigRow{"compression.gzip.level", ConfigType::int32, "-1", "compression.gzip.level", "-1,1,2,3,4,5,6,7,8,9"},
    ConfigRow{"compression.lz4.level", ConfigType::int32, "9", "compression.lz4.level", "", 1, 17},
    ConfigRow{"compression.type", ConfigType::string, "producer", "compression.type",
              "uncompressed,zstd,lz4,snappy,gzip,producer"},
    ConfigRow{"compression.zstd.level", ConfigType::int32, "3", "compression.zstd.level", "", -131072, 22},
    ConfigRow{"delete.retention.ms", ConfigType::int64, "86400000", "log.cleaner.delete.retention.ms", "", 0},
    ConfigRow{"file.delete.delay.ms", ConfigType::int64, "60000", "log.segment.delete.delay.ms", "", 0},
    ConfigRow{"flush.messages", ConfigType::int64, "9223372036854775807", "log.flush.interval.messages", "", 1},
    ConfigRow{"flush.ms", ConfigType::int64, "9223372036854775807", "log.flush.interval.ms", "", 0},
    ConfigRow{"follower.replication.throttled.replicas", ConfigType::list, "",
              "follower.replication.throttled.replicas", ""},
    ConfigRow{"index.interval.bytes", ConfigType::int32, "4096", "log.index.interval.bytes", "", 0, int32_max},
    ConfigRow{"leader.replication.throttled.replicas", ConfigType::list, "", "leader.replication.throttled.replicas",
              ""},
    ConfigRow{"local.retention.bytes", ConfigType::int64, "-2", "log.local.retention.bytes", "", -2},
    ConfigRow{"local.retention.ms", ConfigType::int64, "-2", "log.local.retention.ms", "", -2},
    ConfigRow{"max.compaction.lag.ms", ConfigType::int64, "9223372036854775807", "log.cleaner.max.compaction.lag.ms",
              "", 1},
    ConfigRow{"max.message.bytes", ConfigType::int32, "1048588", "message.max.bytes", "", 0, int32_max},
    ConfigRow{"message.timestamp.after.max.ms", ConfigType::int64, "3600000", "log.message.timestamp.after.max.ms", "",
              0},
    ConfigRow{"message.timestamp.before.max.ms", ConfigType::int64, "9223372036854775807",
              "log.message.timestamp.before.max.ms", "", 0},
    ConfigRow{"message.timestamp.type", ConfigType::string, "CreateTime", "log.message.timestamp.type",
              "CreateTime,LogAppendTime"},
    ConfigRow{"min.cleanable.dirty.ratio", ConfigType::real, "0.5", "log.cleaner.min.cleanable.ratio", "", 0, 1},
    ConfigRow{"min.compaction.lag.ms", ConfigType::int64, "0", "log.cleaner.min.compaction.lag.ms", "", 0},
    ConfigRow{"min.insync.replicas", ConfigType::int32, "1", "min.insync.replicas", "", 1, int32_max},
    ConfigRow{"preallocate", ConfigType::boolean, "false", "log.preallocate", ""},
    ConfigRow{"remote.log.copy.disable", ConfigType::boolean, "false", "remote.log.copy.disable", ""},
    ConfigRow{"remote.log.delete.on.disable", ConfigType::boolean, "false", "remote.log.delete.on.disable", ""},
    ConfigRow{"remote.storage.enable", ConfigType::boolean, "false", "remote.storage.enable", ""},
    ConfigRow{"retention.bytes", ConfigType::int64, "-1", "log.retention.bytes", ""},  // negative: for ever
    ConfigRow{"retention.ms", ConfigType::int64, "604800000", "log.retention.ms", "", -1},
    ConfigRow{"segment.bytes", ConfigType::int32, "1073741824", "log.segment.bytes", "", 14, int32_max},
    ConfigRow{"segment.index.bytes", ConfigType::int32, "10485760", "log.index.size.max.bytes", "", 4, int32_max},
    ConfigRow{"segment.jitter.ms", ConfigType::int64, "0", "log.roll.jitter.ms", "", 0},
    ConfigRow{"segment.ms", ConfigType::int64, "604800000", "log.roll.ms", "", 1},
    ConfigRow{"unclean.leader.election.enable", ConfigType::boolean, "false", "unclean.leader.election.enable", ""},
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool holds(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (trimmed(list.substr(0, comma)) == item) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// As Java reads one: spaces around it, and a plus, are taken.
std::optional<std::int64_t> number(std::string_view text) {
  text = trimmed(text);
  if (text.size() > 1 && text.front() == '+' && text[1] != '-') text.remove_prefix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A ratio in thousandths, "0.5" or "1": no floating point, and nothing that std::from_chars of GCC 12 lacks.
std::optional<std::int64_t> thousandths(std::string_view text) {
  const std::size_t dot = std::min(text.find('.'), text.size());
  const auto whole = number(text.substr(0, dot));
  if (!whole || *whole < 0 || *whole > 1000) return std::nullopt;
  std::int64_t value = *whole * 1000, unit = 100;
  for (const char digit : text.substr(std::min(dot + 1, text.size()))) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value += (digit - '0') * unit;
    unit /= 10;
  }
  return value;
}

bool same_but_for_case(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char x, char y) { return (x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x) == y; });
}

std::optional<std::string> bad(std::string_view name, std::string_view value, const std::string& expected) {
  return "Invalid value " + std::string(value) + " for configuration " + std::string(name) + ": expected " + expected;
}

std::optional<std::string> refuse_number(const ConfigRow& row, std::string_view value) {
  const auto parsed = number(value);
  if (!parsed) return bad(row.name, value, "a whole number");
  if (*parsed < row.least) return bad(row.name, value, "at least " + std::to_string(row.least));
  if (!row.choices.empty() && !holds(row.choices, std::to_string(*parsed))) {
    return bad(row.name, value, "one of " + std::string(row.choices));
  }
  if (*parsed > row.most) return bad(row.name, value, "at most " + std::to_string(row.most));
  return std::nullopt;
}

std::optional<std::string> refuse_list(const ConfigRow& row, std::string_view value) {
  if (row.choices.empty()) return std::nullopt;
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    if (!holds(row.choices, trimmed(value.substr(0, comma))))
      return bad(row.name, value, "of " + std::string(row.choices));
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return std::nullopt;
}

}  // namespace

std::span<const ConfigRow> topic_config_table() { return table; }

const ConfigRow* find_topic_config(std::string_view name) {
  const auto at = std::find_if(table.begin(), table.end(), [name](const ConfigRow& row) { return row.name == name; });
  return at == table.end() ? nullptr : &*at;
}

std::optional<std::string> refuse_config(std::string_view name, std::string_view value) {
  constexpr std::size_t value_max = 4096;
  if (value.size() > value_max) return "Value of " + std::string(name) + " is longer than " + std::to_string(value_max);
  const ConfigRow* row = find_topic_config(name);
  if (row == nullptr) return "Unknown topic config name: " + std::string(name);
  switch (row->type) {
    case ConfigType::boolean:
      if (same_but_for_case(trimmed(value), "true") || same_but_for_case(trimmed(value), "false")) return std::nullopt;
      return bad(name, value, "true or false");
    case ConfigType::int16:
    case ConfigType::int32:
    case ConfigType::int64: return refuse_number(*row, value);
    case ConfigType::real: {
      const auto parsed = thousandths(value);
      if (parsed && *parsed <= 1000) return std::nullopt;
      return bad(name, value, "a number from 0 to 1");
    }
    case ConfigType::list: return refuse_list(*row, value);
    case ConfigType::string:
      if (row->choices.empty() || holds(row->choices, value)) return std::nullopt;
      return bad(name, value, "one of " + std::string(row->choices));
  }
  UNREACHABLE();
}

std::string_view config_text(const TopicConfig& config, std::string_view name) {
  const auto at = config.find(std::string(name));
  if (at != config.end()) return at->second;
  const ConfigRow* row = find_topic_config(name);
  ASSERT(row != nullptr);
  return row->fallback;
}

std::int64_t config_number(const TopicConfig& config, std::string_view name) {
  const auto parsed = number(config_text(config, name));
  ASSERT(parsed.has_value());  // it passed refuse_config()
  return *parsed;
}

std::int32_t config_percent(const TopicConfig& config, std::string_view name) {
  const auto parsed = thousandths(config_text(config, name));
  ASSERT(parsed.has_value());
  return static_cast<std::int32_t>(*parsed / 10);
}

bool config_holds(const TopicConfig& config, std::string_view name, std::string_view item) {
  return holds(config_text(config, name), item);
}

}  // namespace edgelog::broker
