// CreateTopics (19), versions 0-7. Answered once the topics are durable and visible. -1 for partitions or
// replication factor means the default; assignments may name this broker only. v5+ gives partitions, factor
// and configs back, v7 the topic id. validate_only does every check and nothing else.
// Refuses per topic: 29, 17 (name, collision, internal), 36, 37, 38, 39, 40 (unknown or bad config), 42 (named
// twice), 44 (the broker's bound on topics and partitions), 56.
#include "common/wire/create_topics.h"

#include <map>
#include <set>
#include <utility>

#include "cloud-broker/server/handlers/collect.h"
#include "cloud-broker/server/handlers/handlers.h"
#include "cloud-broker/server/handlers/shared.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;
using Request = wire::CreateTopicsRequest;
using Response = wire::CreateTopicsResponse;

MetadataDecision refuse(ErrorCode error, std::string why) { return {error, std::move(why), std::nullopt}; }

// Manual assignment: partitions 0..n-1, each on brokers that exist, without repeats.
MetadataDecision check_assignments(const World& world, const Request::Topic& topic, NewTopic& wanted) {
  if (topic.num_partitions != -1 || topic.replication_factor != -1) {
    return refuse(ErrorCode::invalid_request,
                  "Both numPartitions or replicationFactor and replicasAssignments were set.");
  }
  std::set<PartitionIndex> indexes;
  for (const auto& each : topic.assignments) {
    if (!indexes.insert(each.partition_index).second || each.broker_ids != std::vector<NodeId>{world.settings.node}) {
      return refuse(ErrorCode::invalid_replica_assignment,
                    "Partitions must be numbered from 0 and lie on the broker there is.");
    }
  }
  if (indexes.rbegin()->value() + 1 != static_cast<std::int32_t>(indexes.size()) || indexes.begin()->value() != 0) {
    return refuse(ErrorCode::invalid_replica_assignment, "Partitions must be numbered consecutively from 0.");
  }
  wanted.partitions = static_cast<std::int32_t>(indexes.size());
  wanted.replication_factor = 1;
  return {};
}

MetadataDecision decide(World& world, const Context& context, const Request::Topic& topic, bool twice) {
  if (twice) return refuse(ErrorCode::invalid_request, "Duplicate topic name.");
  if (!world.authorizer.allows(context, Operation::create, Resource::topic, topic.name)) {
    return refuse(ErrorCode::topic_authorization_failed, not_authorized);
  }
  NewTopic wanted{topic.name, topic.num_partitions, topic.replication_factor, {}};
  MetadataDecision bad;
  if (!topic.assignments.empty()) {
    bad = check_assignments(world, topic, wanted);
  }
  for (const auto& config : topic.configs) {
    if (!config.value)
      return refuse(ErrorCode::invalid_config, "Null value not supported for topic configs: " + config.name);
    wanted.config[config.name] = *config.value;
  }
  if (bad.error == ErrorCode::none) return world.controller.create(wanted, world.metadata.fresh_id());
  // What is wrong with the name or the configuration is said first.
  MetadataDecision other = world.controller.create({wanted.name, 1, 1, wanted.config}, Uuid{});
  return other.error == ErrorCode::none || other.error == ErrorCode::policy_violation ? bad : other;
}

void fill(Response::Topic& out, const TopicRecord::Value& made) {
  out.topic_id = made.id;
  out.num_partitions = made.partitions;
  out.replication_factor = 1;
  for (const ConfigRow& row : topic_config_table()) {
    const auto set = made.config.find(std::string(row.name));
    const bool own = set != made.config.end();
    out.configs->push_back({std::string(row.name), own ? set->second : std::string(row.fallback), false,
                            static_cast<std::int8_t>(own ? 1 : 5), false});
  }
}

}  // namespace

void handle_create_topics(World& world, const Context& context, const wire::CreateTopicsRequest& request) {
  const auto collected = collect<Response>(world, context);
  std::map<std::string, int> named;
  for (const auto& topic : request.topics) ++named[topic.name];
  collected->response.topics.reserve(named.size());
  for (const auto& topic : request.topics) {
    const int times = std::exchange(named[topic.name], 0);
    if (times == 0) continue;  // it was answered where it was named first
    const std::size_t i = collected->response.topics.size();
    Response::Topic& out = collected->response.topics.emplace_back();
    out.name = topic.name;
    out.configs.emplace();  // where there is an error, Kafka sends an empty list and not null
    MetadataDecision decision = i < response_resources_max
                                    ? decide(world, context, topic, times > 1)
                                    : refuse(ErrorCode::policy_violation, "More topics than one request may make.");
    std::optional<TopicRecord::Value> made;
    if (decision.error == ErrorCode::none) made = std::get<TopicRecord>(*decision.record).value;
    if (request.validate_only) decision.record.reset();
    collected->expect();
    world.metadata.perform(std::move(decision), context.at.wall,
                           [collected, i, made](ErrorCode error, std::string why) {
                             Response::Topic& answer = collected->response.topics[i];
                             answer.error_code = error;
                             answer.error_message = text_or_null(std::move(why));
                             if (error == ErrorCode::none) fill(answer, *made);
                             collected->arrive();
                           });
  }
  collected->arrive();
}

}  // namespace edgelog::broker
