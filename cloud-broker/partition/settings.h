#pragma once
// What a topic's configuration means to its partitions. Names and defaults are Kafka's; -1 stands for
// "without end" where Kafka says so. The controller owns and keeps them; partitions get a copy.
#include <cstdint>
#include <limits>

namespace edgelog::broker {

enum class TimestampType : std::int8_t { create_time = 0, log_append_time = 1 };
// compression.type: producer keeps what came; the others are numbered as in a batch's attributes.
enum class TopicCompression : std::int8_t { producer = -1, none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

struct TopicSettings {
  bool cleanup_delete = true;                  // cleanup.policy holds delete
  bool cleanup_compact = false;                // cleanup.policy holds compact
  std::int64_t retention_ms = 604'800'000;     // -1: for ever; counted from append time
  std::int64_t retention_bytes = -1;           // of a partition; -1: any
  std::int32_t segment_bytes = 1'073'741'824;  // at least 14 as in Kafka; a larger batch is refused
  std::int64_t segment_ms = 604'800'000;
  std::int32_t max_message_bytes = 1'048'588;  // of a batch as it is stored
  TopicCompression compression = TopicCompression::producer;
  TimestampType timestamp_type = TimestampType::create_time;
  std::int64_t timestamp_before_max_ms = std::numeric_limits<std::int64_t>::max();  // message.timestamp.before.max.ms
  std::int64_t timestamp_after_max_ms =
      std::numeric_limits<std::int64_t>::max();   // message.timestamp.after.max.ms; Kafka: an hour
  std::int64_t delete_retention_ms = 86'400'000;  // tombstones of a compacted topic are kept that long
  std::int64_t min_compaction_lag_ms = 0;
  std::int32_t min_cleanable_dirty_percent = 50;  // min.cleanable.dirty.ratio, in percent
  std::int32_t min_insync_replicas = 1;
  bool operator==(const TopicSettings&) const = default;
};

}  // namespace edgelog::broker
