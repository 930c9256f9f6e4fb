// JoinGroup (11), versions 0-9: answered when the rebalance is complete. cloud-broker/group has the rules.
// Version 0 has no rebalance time-out: the session's counts. Below 4 a new member gets its id at once, from 4
// on with MEMBER_ID_REQUIRED(79) first.
// Refuses: 30, 24, 26, 25, 23, 81, 82, 15 (no coordinator now).
#include "common/wire/join_group.h"

#include "cloud-broker/server/handlers/group_shared.h"
#include "cloud-broker/server/handlers/handlers.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;

group::JoinRequest to_core(const Context& context, const wire::JoinGroupRequest& request) {
  group::JoinRequest join;
  join.group = request.group_id;
  join.who = who(request.member_id, request.group_instance_id, -1);
  join.client_id = context.client_id;
  join.client_host = context.client_host;
  join.protocol_type = request.protocol_type;
  for (const auto& each : request.protocols) {
    join.protocols.push_back({each.name, Buffer(each.metadata.begin(), each.metadata.end())});
  }
  join.session_timeout = milliseconds(request.session_timeout_ms.value());
  const bool has_rebalance_timeout = context.version >= 1 && request.rebalance_timeout_ms.value() >= 0;
  join.rebalance_timeout =
      has_rebalance_timeout ? milliseconds(request.rebalance_timeout_ms.value()) : join.session_timeout;
  join.knows_member_id_required = context.version >= 4;
  join.knows_skip_assignment = context.version >= 9;
  return join;
}

void answer(World& world, const Context& context, const group::JoinResponse& joined) {
  wire::JoinGroupResponse response;
  response.error_code = joined.error;
  response.generation_id = joined.generation;
  response.protocol_type = joined.protocol_type;
  response.protocol_name = joined.protocol;
  // Null is not allowed before 7, and Kafka sends it from there on for errors.
  if (context.version < 7 && !response.protocol_name) response.protocol_name = "";
  response.leader = joined.leader;
  response.member_id = joined.member_id;
  response.skip_assignment = joined.skip_assignment;
  for (const auto& each : joined.members) response.members.push_back({each.member_id, each.instance_id, each.metadata});
  world.replies.send(context, response);
}

}  // namespace

void handle_join_group(World& world, const Context& context, const wire::JoinGroupRequest& request) {
  const auto refuse = [&](ErrorCode error) {
    group::JoinResponse refused;
    refused.error = error;
    refused.member_id = request.member_id;
    answer(world, context, refused);
  };
  if (const ErrorCode error = check_group(world, context, request.group_id); error != ErrorCode::none)
    return refuse(error);
  world.groups.when_ready(context.at, [&](bool ready) {
    if (!ready) return refuse(ErrorCode::coordinator_not_available);
    world.groups.join(
        context.at, to_core(context, request),
        [&world, kept = without_frame(context)](const group::JoinResponse& joined) { answer(world, kept, joined); });
  });
}

}  // namespace edgelog::broker
