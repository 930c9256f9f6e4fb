// SyncGroup (14), versions 0-5: the leader's assignments become durable, then every member gets its own.
// Refuses: 30, 24, 25, 22, 27, 23 (the protocol that v5 must name is not the group's), 82, 15, 81 (more assignments
// than a group may hold: the generation stays, and the leader may hand in less).
#include "common/wire/sync_group.h"

#include "cloud-broker/server/handlers/group_shared.h"
#include "cloud-broker/server/handlers/handlers.h"

namespace edgelog::broker {

using wire::ErrorCode;

namespace {

void answer(World& world, const Context& context, const group::SyncResponse& synced) {
  wire::SyncGroupResponse response;
  response.error_code = synced.error;
  response.protocol_type = synced.protocol_type;
  response.protocol_name = synced.protocol;
  response.assignment = synced.assignment;
  world.replies.send(context, response);
}

}  // namespace

void handle_sync_group(World& world, const Context& context, const wire::SyncGroupRequest& request) {
  ErrorCode error = check_group(world, context, request.group_id);
  if (error == ErrorCode::none && !world.groups.ready()) error = ErrorCode::unknown_member_id;
  if (error != ErrorCode::none) return answer(world, context, {error, {}, {}, {}});
  group::SyncRequest sync;
  sync.group = request.group_id;
  sync.who = who(request.member_id, request.group_instance_id, request.generation_id);
  if (context.version >= 5) {
    if (!request.protocol_type || !request.protocol_name) {
      return answer(world, context, {ErrorCode::inconsistent_group_protocol, {}, {}, {}});
    }
    sync.protocol_type = request.protocol_type;
    sync.protocol = request.protocol_name;
  }
  for (const auto& each : request.assignments) {
    sync.assignments[each.member_id] = Buffer(each.assignment.begin(), each.assignment.end());
  }
  world.groups.sync(context.at, sync, [&world, kept = without_frame(context)](const group::SyncResponse& synced) {
    answer(world, kept, synced);
  });
}

}  // namespace edgelog::broker
