#include "gateway/bridge/topic_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace edgelog::gateway {
namespace {

constexpr std::int64_t day_ms = 86'400'000;
constexpr std::int64_t kafka_memory_max_ms = std::numeric_limits<std::int32_t>::max();  // 24.8 days
constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

const std::string* find(const SettingsMap& settings, const std::string& name) {
  const auto found = settings.find(name);
  return found == settings.end() ? nullptr : &found->second;
}

}  // namespace

std::optional<std::int64_t> number_of(const SettingsMap& settings, const std::string& name) {
  const std::string* const text = find(settings, name);
  if (!text) return std::nullopt;
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text->data() + text->size()) return std::nullopt;
  return value;
}

const std::vector<std::string>& judged_topic_settings() {
  static const std::vector<std::string> names{"cleanup.policy",
                                              "compression.type",
                                              "message.timestamp.type",
                                              "message.timestamp.after.max.ms",
                                              "retention.ms",
                                              "retention.bytes",
                                              "max.message.bytes",
                                              "min.insync.replicas",
                                              "unclean.leader.election.enable"};
  return names;
}

const std::vector<std::string>& judged_broker_settings() {
  static const std::vector<std::string> names{memory_of_kafka, memory_of_cloud_broker};
  return names;
}

std::vector<std::pair<std::string, std::string>> settings_to_create(bool compacted, const ExpectedSettings& expected) {
  std::vector<std::pair<std::string, std::string>> out{
      {"cleanup.policy", compacted ? "compact" : "delete"},
      {"message.timestamp.type", "CreateTime"},
  };
  if (!compacted) {
    out.emplace_back("compression.type", "producer");
    out.emplace_back("retention.ms", std::to_string(to_millis(expected.retention)));
    out.emplace_back("message.timestamp.after.max.ms", std::to_string(no_limit));
  }
  // Where the cluster chooses the replicas, it may choose one: with two that have to be in sync nothing could be
  // written then.
  if (expected.replication >= safe_replication) out.emplace_back("min.insync.replicas", "2");
  return out;
}

std::vector<std::string> judge_topic(const std::string& topic, const SettingsMap& settings, bool compacted,
                                     const TopicShape& shape, const ExpectedSettings& expected) {
  std::vector<std::string> out;
  const std::size_t replicas_wanted = expected.replication > 0 ? static_cast<std::size_t>(expected.replication)
                                                               : std::min<std::size_t>(safe_replication, shape.brokers);
  if (shape.replicas > 0 && shape.replicas < replicas_wanted)
    out.push_back(fmt::format("topic {}: {} of {} replicas: what only these have is lost with them", topic,
                              shape.replicas, replicas_wanted));
  const auto expect = [&](const char* name, std::string_view wish, const char* why) {
    const std::string* const is = find(settings, name);
    if (is && *is != wish)
      out.push_back(fmt::format("topic {}: {} is {}, expected {}: {}", topic, name, *is, wish, why));
  };
  expect("cleanup.policy", compacted ? "compact" : "delete",
         compacted ? "it keeps the last state of each agent" : "compaction would take events away");
  expect("message.timestamp.type", "CreateTime", "the time of taking must stay");
  if (compacted) return out;
  expect("compression.type", "producer", "batches must stay as the agent sealed them");
  expect("unclean.leader.election.enable", "false", "acknowledged events could be lost");
  if (const auto ahead = number_of(settings, "message.timestamp.after.max.ms"); ahead && *ahead < no_limit)
    out.push_back(fmt::format(
        "topic {}: message.timestamp.after.max.ms is {}, expected {}: an agent whose clock runs ahead would be refused",
        topic, *ahead, no_limit));
  if (const auto kept = number_of(settings, "retention.ms");
      kept && *kept >= 0 && *kept < to_millis(expected.retention))
    out.push_back(fmt::format("topic {}: retention.ms is {}, expected at least {}: outage plus reading time", topic,
                              *kept, to_millis(expected.retention)));
  if (const auto most = number_of(settings, "max.message.bytes"); most && *most < expected.batch_bytes_max)
    out.push_back(
        fmt::format("topic {}: max.message.bytes is {}, expected at least {}", topic, *most, expected.batch_bytes_max));
  if (const auto replicas = number_of(settings, "min.insync.replicas");
      shape.replicas >= 3 && replicas && *replicas < 2)
    out.push_back(fmt::format("topic {}: min.insync.replicas is {}, expected 2: one replica alone could acknowledge",
                              topic, *replicas));
  return out;
}

std::vector<std::string> judge_broker(const SettingsMap& settings) {
  const auto memory = number_of(settings, memory_of_kafka);
  if (settings.contains(memory_of_cloud_broker) || !memory || *memory >= kafka_memory_max_ms) return {};
  return {fmt::format(
      "broker: {} is {} ({} days), at most {} is possible: what is older than half of it goes through a look",
      memory_of_kafka, *memory, *memory / day_ms, kafka_memory_max_ms)};
}

}  // namespace edgelog::gateway
