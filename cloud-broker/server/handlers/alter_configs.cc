// AlterConfigs (33), versions 0-2: replaces a topic's configuration by the one given; what is not named falls
// back to its default. Answered once durable. Of brokers nothing can be altered: their settings are a file.
// Refuses per resource: 29, 3, 40 (unknown name, bad value), 42 (not a topic, or named twice), 56.
#include "common/wire/alter_configs.h"

#include "cloud-broker/server/handlers/alter.h"
#include "cloud-broker/server/handlers/handlers.h"

namespace edgelog::broker {

void handle_alter_configs(World& world, const Context& context, const wire::AlterConfigsRequest& request) {
  alter_each<wire::AlterConfigsResponse>(world, context, request, [&](const auto& wanted) -> MetadataDecision {
    TopicConfig config;
    for (const auto& each : wanted.configs) {
      if (!each.value) {
        return {wire::ErrorCode::invalid_request, "Null value not supported for " + each.name, {}};
      }
      config[each.name] = *each.value;
    }
    return world.controller.replace_config(wanted.resource_name, config);
  });
}

}  // namespace edgelog::broker
