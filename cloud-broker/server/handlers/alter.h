#pragma once
// What AlterConfigs and IncrementalAlterConfigs share: they differ in what they make of a topic's settings alone.
#include <map>
#include <utility>

#include "cloud-broker/server/handlers/collect.h"
#include "cloud-broker/server/handlers/shared.h"

namespace edgelog::broker {

// Each resource is judged by itself, by `decide(resource)` if it is a topic that the client may alter, and answered
// once that is durable. One that is named twice is refused: Kafka does not say which of the two would count.
template <class Request, class Decide>
MetadataDecision decide_altered(const World& world, const Context& context, const typename Request::Resource& wanted,
                                bool twice, const Decide& decide) {
  using wire::ErrorCode;
  constexpr std::int8_t topic_resource = 2;
  if (twice) return {ErrorCode::invalid_request, "Each resource must appear once.", {}};
  if (wanted.resource_type != topic_resource) return {ErrorCode::invalid_request, "Only topics can be altered.", {}};
  if (!world.authorizer.allows(context, Operation::alter_configs, Resource::topic, wanted.resource_name)) {
    return {ErrorCode::topic_authorization_failed, not_authorized, {}};
  }
  return decide(wanted);
}

template <class Response, class Request, class Decide>
void alter_each(World& world, const Context& context, const Request& request, const Decide& decide) {
  const auto collected = collect<Response>(world, context);
  collected->response.topics.resize(request.resources.size());
  std::map<std::pair<std::int8_t, std::string>, int> named;
  for (const auto& each : request.resources) ++named[{each.resource_type, each.resource_name}];
  for (std::size_t i = 0; i < request.resources.size(); ++i) {
    const auto& wanted = request.resources[i];
    collected->response.topics[i].resource_type = wanted.resource_type;
    collected->response.topics[i].resource_name = wanted.resource_name;
    const bool twice = named[{wanted.resource_type, wanted.resource_name}] > 1;
    MetadataDecision decision = decide_altered<Request>(world, context, wanted, twice, decide);
    if (request.validate_only) decision.record.reset();
    collected->expect();
    world.metadata.perform(std::move(decision), context.at.wall,
                           [collected, i](wire::ErrorCode error, std::string why) {
                             collected->response.topics[i].error_code = error;
                             collected->response.topics[i].error_message = text_or_null(std::move(why));
                             collected->arrive();
                           });
  }
  collected->arrive();
}

}  // namespace edgelog::broker
