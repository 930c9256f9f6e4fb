// ListGroups (16), versions 0-5: every group, or those in the given states (v4) of the given types (v5); all
// groups here are "classic". A state that is not known filters everything away, as in Kafka. Held until all that it
// shows is durable.
#include "common/wire/list_groups.h"

#include <algorithm>
#include <cctype>

#include "cloud-broker/server/handlers/collect.h"
#include "cloud-broker/server/handlers/group_shared.h"
#include "cloud-broker/server/handlers/handlers.h"

namespace edgelog::broker {

namespace {

bool same_ignoring_case(const std::string& a, const std::string& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

bool passes(const std::vector<std::string>& filter, const std::string& value) {
  return filter.empty() || std::any_of(filter.begin(), filter.end(),
                                       [&](const std::string& each) { return same_ignoring_case(each, value); });
}

}  // namespace

void handle_list_groups(World& world, const Context& context, const wire::ListGroupsRequest& request) {
  const auto collected = collect<wire::ListGroupsResponse>(world, context);
  const std::string type = "classic";
  for (const group::Coordinator* coordinator : world.groups.coordinators()) {
    for (const group::Listed& each : coordinator->list()) {
      if (!passes(request.states_filter, each.state) || !passes(request.types_filter, type)) continue;
      if (!world.authorizer.allows(context, Operation::describe, Resource::group, each.group)) continue;
      collected->response.groups.push_back({each.group, each.protocol_type, each.state, type});
    }
  }
  for (const Partition* partition : world.groups.partitions()) {
    collected->expect();
    world.waits.when(*partition, partition->end(), [collected](bool) { collected->arrive(); });
  }
  collected->arrive();
}

}  // namespace edgelog::broker
