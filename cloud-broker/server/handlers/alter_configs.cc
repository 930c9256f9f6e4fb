// AlterConfigs (33), versions 0-2: replaces a topic's configuration by the one given; what is not named falls
// back to its default. Answered once durable. Of brokers nothing can be altered: their settings are a file.
// Refuses per resource: 29, 3, 40 (unknown name, bad value), 42 (not a topic, or named twice), 56.
#include "common/wire/alter_configs.h"

#include <map>
#include <utility>

#include "cloud-broker/server/handlers/collect.h"
#include "cloud-broker/server/handlers/handlers.h"
#include "cloud-broker/server/handlers/shared.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;

MetadataDecision decide(const World& world, const Context& context, const wire::AlterConfigsRequest::Resource& wanted) {
  constexpr std::int8_t topic_resource = 2;
  if (wanted.resource_type != topic_resource) return {ErrorCode::invalid_request, "Only topics can be altered.", {}};
  if (!world.authorizer.allows(context, Operation::alter_configs, Resource::topic, wanted.resource_name)) {
    return {ErrorCode::topic_authorization_failed, not_authorized, {}};
  }
  TopicConfig config;
  for (const auto& each : wanted.configs) {
    if (!each.value) return {ErrorCode::invalid_request, "Null value not supported for " + each.name, {}};
    config[each.name] = *each.value;
  }
  return world.controller.replace_config(wanted.resource_name, config);
}

}  // namespace

void handle_alter_configs(World& world, const Context& context, const wire::AlterConfigsRequest& request) {
  const auto collected = collect<wire::AlterConfigsResponse>(world, context);
  collected->response.topics.resize(request.resources.size());
  std::map<std::pair<std::int8_t, std::string>, int> named;
  for (const auto& each : request.resources) ++named[{each.resource_type, each.resource_name}];
  for (std::size_t i = 0; i < request.resources.size(); ++i) {
    const auto& wanted = request.resources[i];
    collected->response.topics[i].resource_type = wanted.resource_type;
    collected->response.topics[i].resource_name = wanted.resource_name;
    const bool twice = named[{wanted.resource_type, wanted.resource_name}] > 1;
    MetadataDecision decision =
        twice ? MetadataDecision{ErrorCode::invalid_request, "Each resource must appear once.", {}}
              : decide(world, context, wanted);
    if (request.validate_only) decision.record.reset();
    collected->expect();
    world.metadata.perform(std::move(decision), context.at.wall, [collected, i](ErrorCode error, std::string why) {
      collected->response.topics[i].error_code = error;
      collected->response.topics[i].error_message = text_or_null(std::move(why));
      collected->arrive();
    });
  }
  collected->arrive();
}

}  // namespace edgelog::broker
