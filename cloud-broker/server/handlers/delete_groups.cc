// DeleteGroups (42), versions 0-2: forgets a group without members, with its offsets. Answered once durable.
// Refuses per group: 30, 68 (has members), 69 (no such group), 15 (also where it has more offsets than go at once:
// asked again it goes on).
#include "common/wire/delete_groups.h"

#include "cloud-broker/server/handlers/collect.h"
#include "cloud-broker/server/handlers/group_shared.h"
#include "cloud-broker/server/handlers/handlers.h"

namespace edgelog::broker {

using wire::ErrorCode;

void handle_delete_groups(World& world, const Context& context, const wire::DeleteGroupsRequest& request) {
  const auto collected = collect<wire::DeleteGroupsResponse>(world, context);
  collected->response.results.resize(request.groups.size());
  for (std::size_t i = 0; i < request.groups.size(); ++i) {
    auto& out = collected->response.results[i];
    out.group_id = request.groups[i];
    if (!world.authorizer.allows(context, Operation::remove, Resource::group, out.group_id)) {
      out.error_code = ErrorCode::group_authorization_failed;
      continue;
    }
    if (!world.groups.ready()) {
      out.error_code = ErrorCode::group_id_not_found;
      continue;
    }
    collected->expect();
    world.groups.write<ErrorCode>(
        context.at, request.groups[i],
        [&](group::Coordinator& coordinator, group::Effects& effects) {
          return coordinator.remove(context.at, request.groups[i], effects);
        },
        [collected, i](ErrorCode failed, ErrorCode error) {
          collected->response.results[i].error_code = failed != ErrorCode::none ? failed : error;
          collected->arrive();
        });
  }
  collected->arrive();
}

}  // namespace edgelog::broker
