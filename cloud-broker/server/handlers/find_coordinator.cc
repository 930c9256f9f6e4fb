// FindCoordinator (10), versions 0-6; several keys from 4. This broker coordinates every group, and makes
// `__consumer_offsets` when a group is first asked for.
// Refuses: 30, 15 (the topic cannot be made now), 42 (unknown kind of key), and for a
// transactional id 53, which clients take as final: there are no transactions yet.
#include "common/wire/find_coordinator.h"

#include "cloud-broker/server/handlers/handlers.h"
#include "cloud-broker/server/handlers/shared.h"

namespace edgelog::broker {

namespace {

using wire::ErrorCode;
using Coordinator = wire::FindCoordinatorResponse::Coordinator;

enum KeyType : std::int8_t { group_key = 0, transaction_key = 1 };

Coordinator find_one(const World& world, const Context& context, const std::string& key, std::int8_t type, bool ready) {
  Coordinator out;
  out.key = key;
  out.node_id = NodeId{-1};
  out.port = -1;
  if (type == transaction_key) {
    out.error_code = ErrorCode::transactional_id_authorization_failed;
    out.error_message = "This broker has no transactions.";
  } else if (type != group_key) {
    out.error_code = ErrorCode::invalid_request;
    out.error_message = "Unknown key type.";
  } else if (!world.authorizer.allows(context, Operation::describe, Resource::group, key)) {
    out.error_code = ErrorCode::group_authorization_failed;
  } else if (!ready) {
    out.error_code = ErrorCode::coordinator_not_available;
  } else {
    out.node_id = world.settings.node;
    out.host = world.settings.advertised_host;
    out.port = world.settings.advertised_port;
  }
  return out;
}

}  // namespace

void handle_find_coordinator(World& world, const Context& context, const wire::FindCoordinatorRequest& request) {
  const auto answer = [&](bool ready) {
    wire::FindCoordinatorResponse response;
    if (context.version >= 4) {
      for (const auto& key : request.coordinator_keys) {
        response.coordinators.push_back(find_one(world, context, key, request.key_type, ready));
      }
      response.node_id = NodeId{-1};
    } else {
      Coordinator only = find_one(world, context, request.key, request.key_type, ready);
      response.error_code = only.error_code;
      response.error_message = only.error_message;
      response.node_id = only.node_id;
      response.host = only.host;
      response.port = only.port;
    }
    world.replies.send(context, response);
  };
  if (request.key_type != group_key) return answer(true);
  world.groups.when_ready(context.at, answer);
}

}  // namespace edgelog::broker
