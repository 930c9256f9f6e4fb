// Where the codecs of these messages are compiled, once.
#include "common/wire/delete_groups.h"
#include "common/wire/describe_groups.h"
#include "common/wire/find_coordinator.h"
#include "common/wire/heartbeat.h"
#include "common/wire/join_group.h"
#include "common/wire/leave_group.h"
#include "common/wire/list_groups.h"
#include "common/wire/offset_commit.h"
#include "common/wire/offset_delete.h"
#include "common/wire/offset_fetch.h"
#include "common/wire/sync_group.h"

namespace edgelog::wire {

template bool decode(Bytes, Version, FindCoordinatorRequest&);
template void encode(const FindCoordinatorRequest&, Version, Buffer&);
template bool decode(Bytes, Version, FindCoordinatorResponse&);
template void encode(const FindCoordinatorResponse&, Version, Buffer&);
template bool decode(Bytes, Version, JoinGroupRequest&);
template void encode(const JoinGroupRequest&, Version, Buffer&);
template bool decode(Bytes, Version, JoinGroupResponse&);
template void encode(const JoinGroupResponse&, Version, Buffer&);
template bool decode(Bytes, Version, SyncGroupRequest&);
template void encode(const SyncGroupRequest&, Version, Buffer&);
template bool decode(Bytes, Version, SyncGroupResponse&);
template void encode(const SyncGroupResponse&, Version, Buffer&);
template bool decode(Bytes, Version, HeartbeatRequest&);
template void encode(const HeartbeatRequest&, Version, Buffer&);
template bool decode(Bytes, Version, HeartbeatResponse&);
template void encode(const HeartbeatResponse&, Version, Buffer&);
template bool decode(Bytes, Version, LeaveGroupRequest&);
template void encode(const LeaveGroupRequest&, Version, Buffer&);
template bool decode(Bytes, Version, LeaveGroupResponse&);
template void encode(const LeaveGroupResponse&, Version, Buffer&);
template bool decode(Bytes, Version, OffsetCommitRequest&);
template void encode(const OffsetCommitRequest&, Version, Buffer&);
template bool decode(Bytes, Version, OffsetCommitResponse&);
template void encode(const OffsetCommitResponse&, Version, Buffer&);
template bool decode(Bytes, Version, OffsetFetchRequest&);
template void encode(const OffsetFetchRequest&, Version, Buffer&);
template bool decode(Bytes, Version, OffsetFetchResponse&);
template void encode(const OffsetFetchResponse&, Version, Buffer&);
template bool decode(Bytes, Version, ListGroupsRequest&);
template void encode(const ListGroupsRequest&, Version, Buffer&);
template bool decode(Bytes, Version, ListGroupsResponse&);
template void encode(const ListGroupsResponse&, Version, Buffer&);
template bool decode(Bytes, Version, DescribeGroupsRequest&);
template void encode(const DescribeGroupsRequest&, Version, Buffer&);
template bool decode(Bytes, Version, DescribeGroupsResponse&);
template void encode(const DescribeGroupsResponse&, Version, Buffer&);
template bool decode(Bytes, Version, DeleteGroupsRequest&);
template void encode(const DeleteGroupsRequest&, Version, Buffer&);
template bool decode(Bytes, Version, DeleteGroupsResponse&);
template void encode(const DeleteGroupsResponse&, Version, Buffer&);
template bool decode(Bytes, Version, OffsetDeleteRequest&);
template void encode(const OffsetDeleteRequest&, Version, Buffer&);
template bool decode(Bytes, Version, OffsetDeleteResponse&);
template void encode(const OffsetDeleteResponse&, Version, Buffer&);

}  // namespace edgelog::wire
