// Metadata (3), versions 0-13. All topics for null (v0: for an empty list), none for an empty one. A topic
// that is missing is made where the broker's auto_create_topics and the request allow it, and is answered
// once it is durable; else UNKNOWN_TOPIC_OR_PARTITION(3), by id UNKNOWN_TOPIC_ID(100), for an impossible
// name INVALID_TOPIC_EXCEPTION(17). A damaged partition has no leader: LEADER_NOT_AVAILABLE(5).
#include "common/wire/metadata.h"

#include <set>
#include <string_view>
#include <vector>

#include "cloud-broker/server/handlers/collect.h"
#include "cloud-broker/server/handlers/handlers.h"
#include "cloud-broker/server/handlers/shared.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;
using Response = wire::MetadataResponse;

Response::Topic describe(const World& world, const Topic& topic, bool with_operations) {
  Response::Topic out;
  out.name = topic.name;
  out.topic_id = topic.id;
  out.is_internal = is_internal(topic.name);
  if (with_operations) out.topic_authorized_operations = topic_operations;
  const NodeId self = world.settings.node;
  for (std::int32_t index = 0; index < topic.partitions; ++index) {
    Response::Topic::Partition each;
    each.partition_index = PartitionIndex{index};
    each.replica_nodes = {self};
    const Partition* partition = world.find(topic, each.partition_index);
    if (partition != nullptr && partition->damage().empty()) {
      each.leader_id = self;
      each.leader_epoch = partition->leader_epoch();
      each.isr_nodes = {self};
    } else {
      each.error_code = ErrorCode::leader_not_available;
      each.leader_id = NodeId{-1};
      each.offline_replicas = {self};
    }
    out.partitions.push_back(std::move(each));
  }
  return out;
}

struct Wanted {
  std::optional<std::string> name;
  Uuid id{};
  ErrorCode refused = ErrorCode::none;                   // of its creation
  std::optional<Response::Topic> answer = std::nullopt;  // as it was asked for: what comes later may not be durable
};

Response::Topic answer(const World& world, const Context& context, const Wanted& wanted, bool with_operations) {
  const bool by_id = !wanted.name;
  const Topic* topic = by_id ? world.controller.find(wanted.id) : world.controller.find(*wanted.name);
  const bool allowed =
      topic == nullptr || world.authorizer.allows(context, Operation::describe, Resource::topic, topic->name);
  const bool refused = by_id && wanted.refused != ErrorCode::none;
  if (topic != nullptr && allowed && !refused) return describe(world, *topic, with_operations);
  Response::Topic out;
  out.name = wanted.name;
  if (by_id) out.topic_id = wanted.id;
  if (!by_id) out.is_internal = is_internal(*wanted.name);
  if (!allowed) {
    out.error_code = ErrorCode::topic_authorization_failed;
  } else if (wanted.refused != ErrorCode::none) {
    out.error_code = wanted.refused;
  } else {
    out.error_code = by_id ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition;
  }
  return out;
}

// Makes what is missing. The answer to a creation that was refused stands in `wanted`.
void create_missing(World& world, std::vector<Wanted>& wanted, const std::shared_ptr<Collect<Response>>& collected) {
  const Context& context = collected->context();
  for (Wanted& each : wanted) {
    if (!each.name || world.controller.find(*each.name) != nullptr) continue;
    if (*each.name == offsets_topic) {
      world.groups.when_ready(context.at, [](bool) {});
      continue;
    }
    if (!world.authorizer.allows(context, Operation::create, Resource::topic, *each.name)) continue;
    collected->expect();
    world.metadata.perform(world.controller.create({*each.name, -1, -1, {}}, world.metadata.fresh_id()),
                           context.at.wall, [&each, collected](ErrorCode error, const std::string&) {
                             if (error != ErrorCode::topic_already_exists) each.refused = error;
                             if (error != ErrorCode::none) each.answer.reset();
                             collected->arrive();
                           });
  }
}

// What is said of topics that are there. Held until it is durable.
void answer_known(World& world, std::vector<Wanted>& wanted, const std::shared_ptr<Collect<Response>>& collected,
                  bool with_operations) {
  for (Wanted& each : wanted) {
    const Topic* const topic = each.name ? world.controller.find(*each.name) : world.controller.find(each.id);
    if (topic != nullptr) each.answer = answer(world, collected->context(), each, with_operations);
    const std::string name = topic != nullptr ? topic->name : each.name.value_or("");
    collected->expect();
    world.waits.when(world.metadata.partition(), world.metadata.told_from(name),
                     [collected](bool) { collected->arrive(); });
  }
}

}  // namespace

void handle_metadata(World& world, const Context& context, const wire::MetadataRequest& request) {
  const auto collected = collect<Response>(world, context);
  const auto wanted = std::make_shared<std::vector<Wanted>>();
  const bool all = !request.topics || (context.version == 0 && request.topics->empty());
  if (all) {
    for (const auto& [name, topic] : world.controller.topics()) wanted->push_back({name, topic.id});
  } else {
    std::set<std::pair<std::string_view, Uuid>> named;  // a topic is answered once, as in Kafka
    for (const auto& each : *request.topics) {
      if (!named.insert({each.name ? std::string_view(*each.name) : std::string_view(), each.topic_id}).second)
        continue;
      // An id goes before a name, and only 12 made ids a way to ask (KIP-516).
      const bool by_id = context.version >= 10 && (!each.name || each.topic_id != Uuid{});
      wanted->push_back({by_id ? std::nullopt : each.name, each.topic_id});
      if (by_id && context.version < 12) wanted->back().refused = ErrorCode::invalid_request;
      if (!by_id && each.name && refuse_topic_name(*each.name)) wanted->back().refused = ErrorCode::invalid_topic;
    }
  }
  collected->finish = [&world, wanted, all, &held = collected->context(),
                       with_operations = request.include_topic_authorized_operations,
                       cluster_too = request.include_cluster_authorized_operations](Response& response) {
    response.brokers.push_back(
        {world.settings.node, world.settings.advertised_host, world.settings.advertised_port, {}});
    response.cluster_id = world.store.identity().cluster_id;
    response.controller_id = world.settings.node;
    if (cluster_too) response.cluster_authorized_operations = cluster_operations;
    for (Wanted& each : *wanted) {
      Response::Topic topic = each.answer ? std::move(*each.answer) : answer(world, held, each, with_operations);
      // In a list of all, what went meanwhile is left out.
      if (!all || topic.error_code == ErrorCode::none) response.topics.push_back(std::move(topic));
    }
  };
  if (!all && request.allow_auto_topic_creation && world.settings.auto_create_topics)
    create_missing(world, *wanted, collected);
  answer_known(world, *wanted, collected, request.include_topic_authorized_operations);
  collected->arrive();
}

}  // namespace edgelog::broker
