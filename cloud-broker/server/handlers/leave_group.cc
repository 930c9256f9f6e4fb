// LeaveGroup (13), versions 0-5; a list of members from 3, static ones by instance id alone. Each has its own
// error: 25 unknown, 82 fenced. Refuses as a whole: 30, 24.
#include "common/wire/leave_group.h"

#include "cloud-broker/server/handlers/group_shared.h"
#include "cloud-broker/server/handlers/handlers.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;
using Errors = std::vector<ErrorCode>;

void answer(World& world, const Context& context, const std::vector<group::LeaveMember>& members, ErrorCode error,
            const Errors& errors) {
  wire::LeaveGroupResponse response;
  response.error_code = error;
  if (context.version < 3 && error == ErrorCode::none && !errors.empty()) response.error_code = errors.front();
  if (context.version >= 3 && error == ErrorCode::none) {
    for (std::size_t i = 0; i < members.size(); ++i) {
      response.members.push_back({members[i].member_id, members[i].instance_id, errors[i]});
    }
  }
  world.replies.send(context, response);
}

}  // namespace

void handle_leave_group(World& world, const Context& context, const wire::LeaveGroupRequest& request) {
  std::vector<group::LeaveMember> members;
  if (context.version < 3) members.push_back({request.member_id, std::nullopt});
  for (const auto& each : request.members) members.push_back({each.member_id, each.group_instance_id});
  if (const ErrorCode error = check_group(world, context, request.group_id); error != ErrorCode::none) {
    return answer(world, context, members, error, {});
  }
  if (!world.groups.ready()) {
    return answer(world, context, members, ErrorCode::none, Errors(members.size(), ErrorCode::unknown_member_id));
  }
  world.groups.write<Errors>(
      context.at, request.group_id,
      [&](group::Coordinator& coordinator, group::Effects& effects) {
        return coordinator.leave(context.at, request.group_id, members, effects);
      },
      [&world, kept = without_frame(context), members](ErrorCode error, const Errors& errors) {
        answer(world, kept, members, error, errors);
      });
}

}  // namespace edgelog::broker
