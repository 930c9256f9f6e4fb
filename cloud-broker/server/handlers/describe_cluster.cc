// DescribeCluster (60), versions 0-1: the cluster's id and its one broker, which is the controller.
// Refuses: MISMATCHED_ENDPOINT_TYPE(114) where controllers are asked for, 115 for what is neither.
#include "common/wire/describe_cluster.h"

#include "cloud-broker/server/handlers/handlers.h"
#include "cloud-broker/server/handlers/shared.h"

namespace edgelog::broker {

void handle_describe_cluster(World& world, const Context& context, const wire::DescribeClusterRequest& request) {
  wire::DescribeClusterResponse response;
  constexpr std::int8_t brokers = 1, controllers = 2;
  response.endpoint_type = brokers;
  if (request.endpoint_type != brokers) {
    response.error_code = request.endpoint_type == controllers ? wire::ErrorCode::mismatched_endpoint_type
                                                               : wire::ErrorCode::unsupported_endpoint_type;
    response.error_message = "This is a broker's endpoint.";
    return world.replies.send(context, response);
  }
  response.cluster_id = world.store.identity().cluster_id;
  response.controller_id = world.settings.node;
  response.brokers.push_back({world.settings.node, world.settings.advertised_host, world.settings.advertised_port, {}});
  if (request.include_cluster_authorized_operations) response.cluster_authorized_operations = cluster_operations;
  world.replies.send(context, response);
}

}  // namespace edgelog::broker
