// DescribeGroups (15), versions 0-5. Members carry the chosen protocol's metadata and their assignment while
// the group is Stable. An unknown group is "Dead" without an error. Refuses per group: 30, and 15 for
// what would make the answer too large.
#include "common/wire/describe_groups.h"

#include <deque>

#include "cloud-broker/server/handlers/collect.h"
#include "cloud-broker/server/handlers/group_shared.h"
#include "cloud-broker/server/handlers/handlers.h"
#include "cloud-broker/server/handlers/shared.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;
using Response = wire::DescribeGroupsResponse;

std::size_t bytes_of(const group::Described& group) {
  std::size_t sum = sizeof group;
  for (const auto& each : group.members) {
    sum += sizeof each + each.member_id.size() + each.client_id.size() + each.metadata.size() + each.assignment.size();
  }
  return sum;
}

void fill(Response::Group& out, const group::Described& from, bool with_operations) {
  out.group_state = from.state;
  out.protocol_type = from.protocol_type;
  out.protocol_data = from.protocol;
  if (with_operations) out.authorized_operations = group_operations;
  for (const auto& member : from.members) {
    out.members.push_back({member.member_id, member.instance_id, member.client_id, member.client_host, member.metadata,
                           member.assignment});
  }
}

}  // namespace

void handle_describe_groups(World& world, const Context& context, const wire::DescribeGroupsRequest& request) {
  const auto collected = collect<Response>(world, context);
  const auto described = std::make_shared<std::deque<group::Described>>();  // owns the bytes that the response shows
  std::size_t bytes = 0;
  collected->finish = [described](Response&) {};
  collected->response.groups.resize(request.groups.size());
  for (std::size_t i = 0; i < request.groups.size(); ++i) {
    Response::Group& out = collected->response.groups[i];
    out.group_id = request.groups[i];
    if (!world.authorizer.allows(context, Operation::describe, Resource::group, out.group_id)) {
      out.error_code = ErrorCode::group_authorization_failed;
      continue;
    }
    if (!world.groups.ready()) {
      out.group_state = "Dead";
      continue;
    }
    collected->expect();
    const auto look = [&](const group::Coordinator& coordinator) {
      if (bytes > response_bytes_max) {
        out.error_code = ErrorCode::coordinator_not_available;  // asked for alone it can be told
        return;
      }
      described->push_back(coordinator.describe(out.group_id));
      bytes += bytes_of(described->back());
      fill(out, described->back(), request.include_authorized_operations);
    };
    world.groups.read(out.group_id, look, [collected] { collected->arrive(); });
  }
  collected->arrive();
}

}  // namespace edgelog::broker
