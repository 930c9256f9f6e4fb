#include "cloud-broker/server/handlers/table.h"

#include <array>

#include "cloud-broker/server/handlers/handlers.h"
#include "common/wire/all.h"
#include "common/wire/decode_request.h"

namespace edgelog::broker {

namespace {

// Kafka closes the connection of a request that it cannot parse; so do we.
template <class Request, void (*handle)(World&, const Context&, const Request&)>
void decode_and_handle(World& world, const Context& context, Bytes body) {
  Request request;
  if (!wire::decode_request(body, context.version, request)) {
    world.metrics.malformed.add();
    return world.replies.close(context);
  }
  handle(world, context, request);
}

template <class Request, void (*handle)(World&, const Context&, const Request&)>
constexpr Route route() {
  return {&Request::api, &decode_and_handle<Request, handle>};
}

constexpr std::array table{
    route<wire::ProduceRequest, handle_produce>(),
    route<wire::FetchRequest, handle_fetch>(),
    route<wire::ListOffsetsRequest, handle_list_offsets>(),
    route<wire::MetadataRequest, handle_metadata>(),
    route<wire::OffsetCommitRequest, handle_offset_commit>(),
    route<wire::OffsetFetchRequest, handle_offset_fetch>(),
    route<wire::FindCoordinatorRequest, handle_find_coordinator>(),
    route<wire::JoinGroupRequest, handle_join_group>(),
    route<wire::HeartbeatRequest, handle_heartbeat>(),
    route<wire::LeaveGroupRequest, handle_leave_group>(),
    route<wire::SyncGroupRequest, handle_sync_group>(),
    route<wire::DescribeGroupsRequest, handle_describe_groups>(),
    route<wire::ListGroupsRequest, handle_list_groups>(),
    Route{&wire::api_versions_api, &handle_api_versions},
    route<wire::CreateTopicsRequest, handle_create_topics>(),
    route<wire::DeleteTopicsRequest, handle_delete_topics>(),
    route<wire::DeleteRecordsRequest, handle_delete_records>(),
    route<wire::InitProducerIdRequest, handle_init_producer_id>(),
    route<wire::OffsetForLeaderEpochRequest, handle_offset_for_leader_epoch>(),
    route<wire::DescribeConfigsRequest, handle_describe_configs>(),
    route<wire::AlterConfigsRequest, handle_alter_configs>(),
    route<wire::CreatePartitionsRequest, handle_create_partitions>(),
    route<wire::DeleteGroupsRequest, handle_delete_groups>(),
    route<wire::IncrementalAlterConfigsRequest, handle_incremental_alter_configs>(),
    route<wire::OffsetDeleteRequest, handle_offset_delete>(),
    route<wire::DescribeClusterRequest, handle_describe_cluster>(),
};

}  // namespace

std::span<const Route> handler_table() { return table; }

}  // namespace edgelog::broker
