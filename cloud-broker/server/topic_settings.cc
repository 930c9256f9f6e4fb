#include "cloud-broker/server/topic_settings.h"

#include <array>
#include <utility>

namespace edgelog::broker {

TopicSettings settings_of(const TopicConfig& config) {
  const auto int64 = [&](std::string_view name) { return config_number(config, name); };
  const auto int32 = [&](std::string_view name) { return static_cast<std::int32_t>(config_number(config, name)); };
  TopicSettings made;
  made.cleanup_delete = config_holds(config, "cleanup.policy", "delete");
  made.cleanup_compact = config_holds(config, "cleanup.policy", "compact");
  made.retention_ms = int64("retention.ms");
  made.retention_bytes = int64("retention.bytes");
  made.segment_bytes = int32("segment.bytes");
  made.segment_ms = int64("segment.ms");
  made.max_message_bytes = int32("max.message.bytes");
  if (config_text(config, "message.timestamp.type") == "LogAppendTime")
    made.timestamp_type = TimestampType::log_append_time;
  made.timestamp_before_max_ms = int64("message.timestamp.before.max.ms");
  made.timestamp_after_max_ms = int64("message.timestamp.after.max.ms");
  made.delete_retention_ms = int64("delete.retention.ms");
  made.min_compaction_lag_ms = int64("min.compaction.lag.ms");
  made.min_cleanable_dirty_percent = config_percent(config, "min.cleanable.dirty.ratio");
  made.min_insync_replicas = int32("min.insync.replicas");
  constexpr std::array codecs{
      std::pair{"producer", TopicCompression::producer}, std::pair{"uncompressed", TopicCompression::none},
      std::pair{"gzip", TopicCompression::gzip},         std::pair{"snappy", TopicCompression::snappy},
      std::pair{"lz4", TopicCompression::lz4},           std::pair{"zstd", TopicCompression::zstd}};
  for (const auto& [name, codec] : codecs) {
    if (config_text(config, "compression.type") == name) made.compression = codec;
  }
  return made;
}

}  // namespace edgelog::broker
