// IncrementalAlterConfigs (44), versions 0-1 (KIP-339): sets, deletes, appends to or subtracts from single
// settings of a topic, all of a resource or none. Answered once durable.
// Refuses per resource: 29, 3, 40 (unknown name, bad value, append to what is no list), 42 (not a topic, an
// unknown operation, a missing value), 56.
#include "common/wire/incremental_alter_configs.h"

#include <map>
#include <utility>

#include "cloud-broker/server/handlers/collect.h"
#include "cloud-broker/server/handlers/handlers.h"
#include "cloud-broker/server/handlers/shared.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;

MetadataDecision decide(const World& world, const Context& context,
                        const wire::IncrementalAlterConfigsRequest::Resource& wanted) {
  constexpr std::int8_t topic_resource = 2;
  if (wanted.resource_type != topic_resource) return {ErrorCode::invalid_request, "Only topics can be altered.", {}};
  if (!world.authorizer.allows(context, Operation::alter_configs, Resource::topic, wanted.resource_name)) {
    return {ErrorCode::topic_authorization_failed, not_authorized, {}};
  }
  std::vector<ConfigChange> changes;
  for (const auto& each : wanted.configs) {
    if (each.config_operation < 0 || each.config_operation > static_cast<std::int8_t>(ConfigOp::subtract)) {
      return {ErrorCode::invalid_request, "Unknown operation on " + each.name, {}};
    }
    changes.push_back({each.name, static_cast<ConfigOp>(each.config_operation), each.value});
  }
  return world.controller.alter(wanted.resource_name, changes);
}

}  // namespace

void handle_incremental_alter_configs(World& world, const Context& context,
                                      const wire::IncrementalAlterConfigsRequest& request) {
  const auto collected = collect<wire::IncrementalAlterConfigsResponse>(world, context);
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
