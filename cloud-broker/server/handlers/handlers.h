#pragma once
// One function per API; each .cc begins with its contract. A handler answers exactly once, at once or
// later, through World::replies, with the context that it was given (whose frame is then gone).
#include "cloud-broker/server/world.h"

namespace edgelog::wire {
struct MetadataRequest;
struct ProduceRequest;
struct FetchRequest;
struct ListOffsetsRequest;
struct OffsetForLeaderEpochRequest;
struct InitProducerIdRequest;
struct CreateTopicsRequest;
struct DeleteTopicsRequest;
struct CreatePartitionsRequest;
struct DeleteRecordsRequest;
struct DescribeConfigsRequest;
struct AlterConfigsRequest;
struct IncrementalAlterConfigsRequest;
struct DescribeClusterRequest;
struct FindCoordinatorRequest;
struct JoinGroupRequest;
struct SyncGroupRequest;
struct HeartbeatRequest;
struct LeaveGroupRequest;
struct OffsetCommitRequest;
struct OffsetFetchRequest;
struct OffsetDeleteRequest;
struct ListGroupsRequest;
struct DescribeGroupsRequest;
struct DeleteGroupsRequest;
}  // namespace edgelog::wire

namespace edgelog::broker {

void handle_api_versions(World& world, const Context& context, Bytes body);
void handle_metadata(World& world, const Context& context, const wire::MetadataRequest& request);
void handle_produce(World& world, const Context& context, const wire::ProduceRequest& request);
void handle_fetch(World& world, const Context& context, const wire::FetchRequest& request);
void handle_list_offsets(World& world, const Context& context, const wire::ListOffsetsRequest& request);
void handle_offset_for_leader_epoch(World& world, const Context& context,
                                    const wire::OffsetForLeaderEpochRequest& request);
void handle_init_producer_id(World& world, const Context& context, const wire::InitProducerIdRequest& request);
void handle_create_topics(World& world, const Context& context, const wire::CreateTopicsRequest& request);
void handle_delete_topics(World& world, const Context& context, const wire::DeleteTopicsRequest& request);
void handle_create_partitions(World& world, const Context& context, const wire::CreatePartitionsRequest& request);
void handle_delete_records(World& world, const Context& context, const wire::DeleteRecordsRequest& request);
void handle_describe_configs(World& world, const Context& context, const wire::DescribeConfigsRequest& request);
void handle_alter_configs(World& world, const Context& context, const wire::AlterConfigsRequest& request);
void handle_incremental_alter_configs(World& world, const Context& context,
                                      const wire::IncrementalAlterConfigsRequest& request);
void handle_describe_cluster(World& world, const Context& context, const wire::DescribeClusterRequest& request);
void handle_find_coordinator(World& world, const Context& context, const wire::FindCoordinatorRequest& request);
void handle_join_group(World& world, const Context& context, const wire::JoinGroupRequest& request);
void handle_sync_group(World& world, const Context& context, const wire::SyncGroupRequest& request);
void handle_heartbeat(World& world, const Context& context, const wire::HeartbeatRequest& request);
void handle_leave_group(World& world, const Context& context, const wire::LeaveGroupRequest& request);
void handle_offset_commit(World& world, const Context& context, const wire::OffsetCommitRequest& request);
void handle_offset_fetch(World& world, const Context& context, const wire::OffsetFetchRequest& request);
void handle_offset_delete(World& world, const Context& context, const wire::OffsetDeleteRequest& request);
void handle_list_groups(World& world, const Context& context, const wire::ListGroupsRequest& request);
void handle_describe_groups(World& world, const Context& context, const wire::DescribeGroupsRequest& request);
void handle_delete_groups(World& world, const Context& context, const wire::DeleteGroupsRequest& request);

}  // namespace edgelog::broker
