#pragma once
// Every message at once, for what goes over all of them: tests, fuzzers, tools. Others include the one
// header they need.
#include "common/wire/alter_configs.h"
#include "common/wire/api_versions.h"
#include "common/wire/create_partitions.h"
#include "common/wire/create_topics.h"
#include "common/wire/delete_groups.h"
#include "common/wire/delete_records.h"
#include "common/wire/delete_topics.h"
#include "common/wire/describe_cluster.h"
#include "common/wire/describe_configs.h"
#include "common/wire/describe_groups.h"
#include "common/wire/fetch.h"
#include "common/wire/find_coordinator.h"
#include "common/wire/heartbeat.h"
#include "common/wire/incremental_alter_configs.h"
#include "common/wire/init_producer_id.h"
#include "common/wire/join_group.h"
#include "common/wire/leave_group.h"
#include "common/wire/list_groups.h"
#include "common/wire/list_offsets.h"
#include "common/wire/metadata.h"
#include "common/wire/offset_commit.h"
#include "common/wire/offset_delete.h"
#include "common/wire/offset_fetch.h"
#include "common/wire/offset_for_leader_epoch.h"
#include "common/wire/produce.h"
#include "common/wire/sasl_authenticate.h"
#include "common/wire/sasl_handshake.h"
#include "common/wire/sync_group.h"

namespace edgelog::wire {

// Calls visit.template operator()<Request, Response>() for each API.
template <class Visit>
void for_each_api(Visit&& visit) {
  visit.template operator()<ApiVersionsRequest, ApiVersionsResponse>();
  visit.template operator()<MetadataRequest, MetadataResponse>();
  visit.template operator()<ProduceRequest, ProduceResponse>();
  visit.template operator()<FetchRequest, FetchResponse>();
  visit.template operator()<ListOffsetsRequest, ListOffsetsResponse>();
  visit.template operator()<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>();
  visit.template operator()<InitProducerIdRequest, InitProducerIdResponse>();
  visit.template operator()<FindCoordinatorRequest, FindCoordinatorResponse>();
  visit.template operator()<JoinGroupRequest, JoinGroupResponse>();
  visit.template operator()<SyncGroupRequest, SyncGroupResponse>();
  visit.template operator()<HeartbeatRequest, HeartbeatResponse>();
  visit.template operator()<LeaveGroupRequest, LeaveGroupResponse>();
  visit.template operator()<OffsetCommitRequest, OffsetCommitResponse>();
  visit.template operator()<OffsetFetchRequest, OffsetFetchResponse>();
  visit.template operator()<ListGroupsRequest, ListGroupsResponse>();
  visit.template operator()<DescribeGroupsRequest, DescribeGroupsResponse>();
  visit.template operator()<DeleteGroupsRequest, DeleteGroupsResponse>();
  visit.template operator()<OffsetDeleteRequest, OffsetDeleteResponse>();
  visit.template operator()<CreateTopicsRequest, CreateTopicsResponse>();
  visit.template operator()<DeleteTopicsRequest, DeleteTopicsResponse>();
  visit.template operator()<CreatePartitionsRequest, CreatePartitionsResponse>();
  visit.template operator()<DescribeConfigsRequest, DescribeConfigsResponse>();
  visit.template operator()<AlterConfigsRequest, AlterConfigsResponse>();
  visit.template operator()<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>();
  visit.template operator()<DescribeClusterRequest, DescribeClusterResponse>();
  visit.template operator()<DeleteRecordsRequest, DeleteRecordsResponse>();
  visit.template operator()<SaslHandshakeRequest, SaslHandshakeResponse>();
  visit.template operator()<SaslAuthenticateRequest, SaslAuthenticateResponse>();
}

}  // namespace edgelog::wire
