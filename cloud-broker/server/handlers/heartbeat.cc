// Heartbeat (12), versions 0-4. REBALANCE_IN_PROGRESS(27) tells a member to join again, as often as it asks.
// Refuses: 30, 24, 25, 22, 82.
#include "common/wire/heartbeat.h"

#include "cloud-broker/server/handlers/group_shared.h"
#include "cloud-broker/server/handlers/handlers.h"

namespace edgelog::broker {

using wire::ErrorCode;

void handle_heartbeat(World& world, const Context& context, const wire::HeartbeatRequest& request) {
  wire::HeartbeatResponse response;
  response.error_code = check_group(world, context, request.group_id);
  if (response.error_code == ErrorCode::none) {
    response.error_code =
        world.groups.ready()
            ? world.groups.heartbeat(context.at, request.group_id,
                                     who(request.member_id, request.group_instance_id, request.generation_id))
            : ErrorCode::unknown_member_id;
  }
  world.replies.send(context, response);
}

}  // namespace edgelog::broker
