// DescribeConfigs (32), versions 0-4. A topic's whole configuration, what was set (source 1) and the defaults
// (5), by Kafka's names; of this broker what tools read of one. Keys null or none: all, else those named.
// Refuses per resource: 29, 3 (unknown topic), 17 (impossible name), 42 (other broker, other resource
// type, too many resources).
#include "common/wire/describe_configs.h"

#include <algorithm>

#include "cloud-broker/server/handlers/collect.h"
#include "cloud-broker/server/handlers/handlers.h"
#include "cloud-broker/server/handlers/shared.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;
using Request = wire::DescribeConfigsRequest;
using Response = wire::DescribeConfigsResponse;
using Entry = Response::Resource::Config;

enum ResourceType : std::int8_t { topic_resource = 2, broker_resource = 4 };
enum Source : std::int8_t { topic_source = 1, static_broker_source = 4, default_source = 5 };

bool asked_for(const Request::Resource& resource, std::string_view name) {
  const auto& keys = resource.configuration_keys;
  return !keys || keys->empty() || std::find(keys->begin(), keys->end(), name) != keys->end();
}

Entry topic_entry(const ConfigRow& row, const TopicConfig& config, bool synonyms) {
  Entry entry;
  const auto set = config.find(std::string(row.name));
  const bool own = set != config.end();
  entry.name = row.name;
  entry.value = own ? set->second : std::string(row.fallback);
  entry.is_default = !own;
  entry.config_source = own ? topic_source : default_source;
  entry.config_type = static_cast<std::int8_t>(row.type);
  if (synonyms) {
    if (own) entry.synonyms.push_back({std::string(row.name), entry.value, topic_source});
    entry.synonyms.push_back({std::string(row.broker_name), std::string(row.fallback), default_source});
  }
  return entry;
}

void describe_topic(const World& world, const Context& context, const Request::Resource& wanted, bool synonyms,
                    Response::Resource& out) {
  if (refuse_topic_name(wanted.resource_name)) {
    out.error_code = ErrorCode::invalid_topic;
    return;
  }
  if (!world.authorizer.allows(context, Operation::describe_configs, Resource::topic, wanted.resource_name)) {
    out.error_code = ErrorCode::topic_authorization_failed;
    return;
  }
  const Topic* topic = world.controller.find(wanted.resource_name);
  if (topic == nullptr) {
    out.error_code = ErrorCode::unknown_topic_or_partition;
    out.error_message = "This server does not host this topic-partition.";
    return;
  }
  for (const ConfigRow& row : topic_config_table()) {
    if (asked_for(wanted, row.name)) out.configs.push_back(topic_entry(row, topic->config, synonyms));
  }
}

struct BrokerEntry {
  std::string name, value;
  ConfigType type;
};

std::vector<BrokerEntry> broker_entries(const World& world) {
  const BrokerSettings& settings = world.settings;
  const std::string node = std::to_string(settings.node.value());
  const std::string advertised =
      "PLAINTEXT://" + settings.advertised_host + ":" + std::to_string(settings.advertised_port);
  const auto millis = [](Duration d) { return std::to_string(to_millis(d)); };
  std::vector<BrokerEntry> entries{
      {"advertised.listeners", advertised, ConfigType::string},
      {"auto.create.topics.enable", settings.auto_create_topics ? "true" : "false", ConfigType::boolean},
      {"broker.id", node, ConfigType::int32},
      {"default.replication.factor", "1", ConfigType::int32},
      {"delete.topic.enable", "true", ConfigType::boolean},
      {"fetch.max.bytes", std::to_string(settings.fetch_bytes_max), ConfigType::int32},
      {"group.initial.rebalance.delay.ms", millis(settings.groups.initial_rebalance_delay), ConfigType::int32},
      {"group.max.session.timeout.ms", millis(settings.groups.session_timeout_max), ConfigType::int32},
      {"group.min.session.timeout.ms", millis(settings.groups.session_timeout_min), ConfigType::int32},
      {"node.id", node, ConfigType::int32},
      {"producer.id.expiration.ms", "86400000", ConfigType::int32},
      {"edgelog.producer.memory.ms", std::to_string(world.settings.agent_producer_memory_ms), ConfigType::int64},
      {"num.partitions", std::to_string(settings.controller.default_partitions), ConfigType::int32},
      {"offset.metadata.max.bytes", std::to_string(settings.groups.offset_metadata_max), ConfigType::int32},
      {"offsets.retention.minutes", std::to_string(to_millis(settings.groups.offsets_retention) / 60'000),
       ConfigType::int32},
      {"offsets.topic.num.partitions", std::to_string(settings.controller.offsets_partitions), ConfigType::int32},
  };
  for (const ConfigRow& row : topic_config_table()) {
    entries.push_back({std::string(row.broker_name), std::string(row.fallback), row.type});
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

void describe_broker(const World& world, const Request::Resource& wanted, bool synonyms, Response::Resource& out) {
  if (wanted.resource_name != std::to_string(world.settings.node.value())) {
    // An empty name asks for the cluster's dynamic defaults, of which there are none.
    if (wanted.resource_name.empty()) return;
    out.error_code = ErrorCode::invalid_request;
    out.error_message = text_or_null("Unexpected broker id, expected " + std::to_string(world.settings.node.value()) +
                                     ", but received " + wanted.resource_name);
    return;
  }
  for (const BrokerEntry& each : broker_entries(world)) {
    if (!asked_for(wanted, each.name)) continue;
    Entry entry;
    entry.name = each.name;
    entry.value = each.value;
    entry.read_only = true;
    entry.config_source = static_broker_source;
    entry.config_type = static_cast<std::int8_t>(each.type);
    if (synonyms) entry.synonyms.push_back({each.name, each.value, static_broker_source});
    out.configs.push_back(std::move(entry));
  }
}

}  // namespace

void handle_describe_configs(World& world, const Context& context, const wire::DescribeConfigsRequest& request) {
  const auto collected = collect<wire::DescribeConfigsResponse>(world, context);
  auto& response = collected->response;
  for (const auto& wanted : request.resources) {
    auto& out = response.results.emplace_back();
    out.resource_type = wanted.resource_type;
    out.resource_name = wanted.resource_name;
    if (response.results.size() > response_resources_max) {
      out.error_code = ErrorCode::invalid_request;
      out.error_message = "More resources than one request may name.";
    } else if (wanted.resource_type == topic_resource) {
      describe_topic(world, context, wanted, request.include_synonyms, out);
    } else if (wanted.resource_type == broker_resource) {
      describe_broker(world, wanted, request.include_synonyms, out);
    } else {
      out.error_code = ErrorCode::invalid_request;
      out.error_message = "Unsupported resource type: " + std::to_string(wanted.resource_type);
    }
    if (out.error_code == ErrorCode::none) out.error_message = "";  // as Kafka, which has null for none elsewhere
    if (wanted.resource_type != topic_resource) continue;
    collected->expect();
    world.waits.when(world.metadata.partition(), world.metadata.told_from(wanted.resource_name),
                     [collected](bool) { collected->arrive(); });
  }
  collected->arrive();
}

}  // namespace edgelog::broker
