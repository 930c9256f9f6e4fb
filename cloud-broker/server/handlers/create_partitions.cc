// CreatePartitions (37), versions 0-3. `count` is the new total. Answered once durable.
// Refuses per topic: 29, 3, 17 (internal), 37 (not more than there are), 39 (assigned to a broker that is not
// there), 42 (named twice), 44, 56.
#include "common/wire/create_partitions.h"

#include <map>
#include <utility>

#include "cloud-broker/server/handlers/collect.h"
#include "cloud-broker/server/handlers/handlers.h"
#include "cloud-broker/server/handlers/shared.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;
using Request = wire::CreatePartitionsRequest;
using Response = wire::CreatePartitionsResponse;

MetadataDecision decide(const World& world, const Context& context, const Request::Topic& topic, bool twice) {
  if (twice) return {ErrorCode::invalid_request, "Duplicate topic in request.", {}};
  if (!world.authorizer.allows(context, Operation::alter, Resource::topic, topic.name)) {
    return {ErrorCode::topic_authorization_failed, not_authorized, {}};
  }
  MetadataDecision decision = world.controller.add_partitions(topic.name, topic.count);
  if (decision.error != ErrorCode::none || !topic.assignments) return decision;
  const auto added = static_cast<std::size_t>(topic.count - world.controller.find(topic.name)->partitions);
  bool fits = topic.assignments->size() == added;
  for (const auto& each : *topic.assignments)
    fits = fits && each.broker_ids == std::vector<NodeId>{world.settings.node};
  if (fits) return decision;
  return {
      ErrorCode::invalid_replica_assignment, "One assignment per new partition is needed, to the broker there is.", {}};
}

}  // namespace

void handle_create_partitions(World& world, const Context& context, const wire::CreatePartitionsRequest& request) {
  std::map<std::string, int> named;
  for (const auto& topic : request.topics) ++named[topic.name];
  const auto collected = collect<Response>(world, context);
  collected->response.results.reserve(named.size());
  for (const auto& topic : request.topics) {
    const int times = std::exchange(named[topic.name], 0);
    if (times == 0) continue;  // it was answered where it was named first
    const std::size_t i = collected->response.results.size();
    collected->response.results.emplace_back().name = topic.name;
    MetadataDecision decision = decide(world, context, topic, times > 1);
    if (request.validate_only) decision.record.reset();
    collected->expect();
    world.metadata.perform(std::move(decision), context.at.wall, [collected, i](ErrorCode error, std::string why) {
      collected->response.results[i].error_code = error;
      collected->response.results[i].error_message = text_or_null(std::move(why));
      collected->arrive();
    });
  }
  collected->arrive();
}

}  // namespace edgelog::broker
