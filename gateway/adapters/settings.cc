#include "gateway/adapters/settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/uplink/names.h"

namespace edgelog::gateway {
namespace {

Status bad(const char* key, const Error& error) { return Error{Code::invalid, fmt::format("{}: {}", key, error.what)}; }

Status read_topics(GatewayConfig& config) {
  auto& rules = config.bridge.topics.rules;
  rules.clear();
  for (const std::string& text : config.topics) {
    const auto off = [&](const std::string& why) {
      return Error{Code::invalid, fmt::format("topics: \"{}\": {}", text, why)};
    };
    auto rule = parse_topic_rule(text);
    if (!rule) return off(rule.error().what);
    if (rule->partitions > 0 && !uplink::valid_event_topic(rule->pattern))
      return off(
          "expected an event topic's name before a number of partitions: edgelog.* and __* are made by themselves");
    if (std::any_of(rules.begin(), rules.end(), [&](const TopicRule& r) { return r.pattern == rule->pattern; }))
      return off("expected each name once");
    rules.push_back(std::move(*rule));
  }
  return Ok{};
}

// What each can be by itself, and together cannot work.
Status judge_bounds(const GatewayConfig& config) {
  if (config.replication == 0)
    return Error{Code::invalid, "replication: expected a number of replicas, or -1 for the cluster's default"};
  if (config.batch_bytes_max.value() > config.in_hand_bytes_max.value())
    return Error{Code::invalid, fmt::format("batch_bytes_max: expected at most in_hand_bytes_max, {}: a larger batch "
                                            "would be let go for ever",
                                            config.in_hand_bytes_max.value())};
  return Ok{};
}

Status resolve(GatewayConfig& config) {
  config.bootstrap.clear();
  for (const std::string& broker : config.brokers) {
    const auto endpoint = config::parse_endpoint(broker);
    if (!endpoint) return bad("brokers", endpoint.error());
    config.bootstrap.push_back({endpoint->host, endpoint->port});
  }
  const auto mqtt = config::parse_endpoint(config.mqtt);
  if (!mqtt) return bad("mqtt", mqtt.error());
  const auto admin = config::parse_endpoint(config.admin);
  if (!admin) return bad("admin", admin.error());
  config.admin_endpoint = *admin;
  config.mqtt_options.host = mqtt->host;
  config.mqtt_options.port = mqtt->port;
  config.mqtt_options.user = config.user;
  if (!config.password_file.empty()) {
    auto secret = config::read_secret(config.password_file);
    if (!secret) return bad("password_file", secret.error());
    config.mqtt_options.password = std::move(*secret);
  }
  if (auto status = read_topics(config); !status) return status;
  if (auto status = judge_bounds(config); !status) return status;
  config.bridge.topics.retention = config.retention;
  config.bridge.topics.replication = static_cast<std::int16_t>(config.replication);
  config.bridge.topics.batch_bytes_max = config.bridge.core.batch_bytes_max = config.batch_bytes_max.value();
  config.bridge.core.in_hand_bytes_max = config.in_hand_bytes_max.value();
  return Ok{};
}

}  // namespace

std::optional<int> read_config(int argc, const char* const* argv, GatewayConfig& config) {
  config::Settings settings(
      {"edgelog-gateway",
       "Carries record batches from agents, over MQTT, to a log that speaks Kafka's protocol, and "
       "the log's answers back. Keeps nothing; several may run at once.",
       {"edgelog-gateway --brokers 127.0.0.1:9092 --mqtt 127.0.0.1:9192 --topics doors:3,climate:3"}});
  settings.add("brokers", config.brokers, "host:port of brokers to begin with", "any one that answers tells the others")
      .required = true;
  settings.add("mqtt", config.mqtt, "host:port of the MQTT server that agents use", "as ./run up starts it");
  settings.add("user", config.user, "MQTT user", "the one that the server's access list lets read uplinks");
  settings.add("password_file", config.password_file, "file whose first line is the MQTT password; empty: none",
               "a password on the command line can be seen by everyone on the machine");
  settings.add("admin", config.admin, "host:port of /healthz, /readyz, /metrics", "loopback: safe by default");
  settings.add(
      "topics", config.topics,
      "topics that agents may write: a name, name:partitions to make it where it is missing, or a pattern with *",
      "nothing else is written, whoever sends it");
  settings.add("group", config.group, "consumer group at the log by which gateways share the 64 shards",
               "gateways of one fleet use the same");
  settings
      .add("retention", config.retention, "retention.ms of topics that are made, and the least that is called enough",
           "outage plus reading time")
      // The log forgets producers with their records, and what is older than half of that needs a look.
      .range = {seconds(1).value(), seconds(100LL * 365 * 86'400).value()};
  settings
      .add("replication", config.replication,
           "replicas of topics that are made, for which so many brokers are waited; -1: 3 where there are three "
           "brokers, "
           "the cluster's default.replication.factor where there are fewer",
           "a single broker works by itself; on a cluster of three, 3 does not take the first one for all; "
           "min.insync.replicas is 2 from 3 on")
      .range = {-1, 32};
  settings
      .add("batch_bytes_max", config.batch_bytes_max, "the largest batch that is passed on",
           "below Kafka's max.message.bytes and the MQTT server's largest packet")
      .range = {1024, 64 << 20};
  settings
      .add("in_hand_bytes_max", config.in_hand_bytes_max, "bytes of batches that wait for the log, of all agents",
           "beyond it batches are let go, and sent again by the agent")
      .range = {1 << 20, std::int64_t{16} << 30};
  settings.check([&config] { return resolve(config); });
  return settings.start(argc, argv);
}

}  // namespace edgelog::gateway
