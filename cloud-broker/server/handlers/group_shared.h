#pragma once
// What the handlers of the group APIs have in common.
#include <string>

#include "cloud-broker/server/world.h"
#include "common/wire/errors.h"

namespace edgelog::broker {

inline group::Who who(std::string member_id, std::optional<std::string> instance_id, std::int32_t generation) {
  return {std::move(member_id), std::move(instance_id), generation};
}

// Before anything else of a member's request.
inline wire::ErrorCode check_group(const World& world, const Context& context, const std::string& group) {
  if (!world.authorizer.allows(context, Operation::read, Resource::group, group))
    return wire::ErrorCode::group_authorization_failed;
  return group.empty() ? wire::ErrorCode::invalid_group_id : wire::ErrorCode::none;
}

inline Context without_frame(const Context& context) {
  Context kept = context;
  kept.frame = {};
  return kept;
}

}  // namespace edgelog::broker
