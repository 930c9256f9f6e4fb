// IncrementalAlterConfigs (44), versions 0-1 (KIP-339): sets, deletes, appends to or subtracts from single
// settings of a topic, all of a resource or none. Answered once durable.
// Refuses per resource: 29, 3, 40 (unknown name, bad value, append to what is no list), 42 (not a topic, an
// unknown operation, a missing value), 56.
#include "common/wire/incremental_alter_configs.h"

#include "cloud-broker/server/handlers/alter.h"
#include "cloud-broker/server/handlers/handlers.h"

namespace edgelog::broker {

void handle_incremental_alter_configs(World& world, const Context& context,
                                      const wire::IncrementalAlterConfigsRequest& request) {
  alter_each<wire::IncrementalAlterConfigsResponse>(
      world, context, request, [&](const auto& wanted) -> MetadataDecision {
        std::vector<ConfigChange> changes;
        for (const auto& each : wanted.configs) {
          if (each.config_operation < 0 || each.config_operation > static_cast<std::int8_t>(ConfigOp::subtract)) {
            return {wire::ErrorCode::invalid_request, "Unknown operation on " + each.name, {}};
          }
          changes.push_back({each.name, static_cast<ConfigOp>(each.config_operation), each.value});
        }
        return world.controller.alter(wanted.resource_name, changes);
      });
}

}  // namespace edgelog::broker
