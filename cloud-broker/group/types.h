#pragma once
// What goes into the group coordinator and comes out of it, in the protocol's words but without its versions.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cloud-broker/group/records.h"
#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/wire/errors.h"

namespace edgelog::broker::group {

using wire::ErrorCode;

struct Settings {
  Duration initial_rebalance_delay = seconds(3);  // Kafka's group.initial.rebalance.delay.ms
  Duration session_timeout_min = seconds(6), session_timeout_max = seconds(1800);
  Duration new_member_join_timeout = seconds(300);  // Kafka's constant: a join nobody waits for any more
  Duration offsets_retention = seconds(7 * 24 * 3600);
  Duration expiry_check_period = seconds(600);
  std::size_t groups_max = 10'000;          // per coordinator
  std::size_t members_max = 1'000;          // per group, pending ones too
  std::size_t member_bytes_max = 16 << 20;  // subscriptions and assignments of a group's members together
  std::size_t bytes_max = 32 << 20;         // and of all groups of a coordinator
  std::size_t offset_metadata_max = 4096;   // Kafka's offset.metadata.max.bytes
  std::size_t offsets_max = 100'000;        // per group
  // Records of offsets that one request may write: four times what Kafka takes (its max.message.bytes), and a small
  // part of what the partition does. A name of 32 KiB is in each of them.
  std::size_t step_bytes_max = 4 << 20;
  std::size_t expiry_bytes_max = 1 << 20;  // and one look for old offsets, which then goes on
};

// Both clocks of the step: timers count by `now`, records carry `wall`.
struct At {
  Instant now;
  WallMillis wall;
};

using Token = Strong<struct TokenTag, std::uint64_t>;  // a caller who is answered later

struct Protocol {
  std::string name;
  Buffer metadata;
  bool operator==(const Protocol&) const = default;
};

// Who says it is a member: JoinGroup, SyncGroup, Heartbeat, OffsetCommit all carry this.
struct Who {
  std::string member_id;
  std::optional<std::string> instance_id;  // KIP-345
  std::int32_t generation = -1;
};

struct JoinRequest {
  std::string group;
  Who who;
  std::string client_id, client_host;  // host with Kafka's leading slash
  std::string protocol_type;
  std::vector<Protocol> protocols;  // most preferred first
  Duration session_timeout, rebalance_timeout;
  bool knows_member_id_required = true;  // JoinGroup v4+ (KIP-394)
  bool knows_skip_assignment = false;    // JoinGroup v9+ (KIP-814)
};

struct JoinMember {
  std::string member_id;
  std::optional<std::string> instance_id;
  Buffer metadata;
};

struct JoinResponse {
  ErrorCode error = ErrorCode::none;
  std::int32_t generation = -1;
  std::optional<std::string> protocol_type, protocol;
  std::string leader, member_id;
  bool skip_assignment = false;
  std::vector<JoinMember> members;  // for the leader only
};

struct SyncRequest {
  std::string group;
  Who who;
  std::optional<std::string> protocol_type, protocol;  // v5+: must be the group's
  std::map<std::string, Buffer> assignments;           // from the leader: member id -> assignment
};

struct SyncResponse {
  ErrorCode error = ErrorCode::none;
  std::optional<std::string> protocol_type, protocol;
  Buffer assignment;
};

struct LeaveMember {
  std::string member_id;
  std::optional<std::string> instance_id;
};

struct CommitPartition {
  std::string topic;
  PartitionIndex partition;
  CommittedOffset offset;
};

struct CommitRequest {
  std::string group;
  Who who;
  std::vector<CommitPartition> partitions;
};

struct DescribedMember {
  std::string member_id;
  std::optional<std::string> instance_id;
  std::string client_id, client_host;
  Buffer metadata, assignment;
};

struct Described {
  std::string group, state, protocol_type, protocol;  // state "Dead": no such group
  std::vector<DescribedMember> members;
};

struct Listed {
  std::string group, protocol_type, state;
};

struct Answer {
  Token token;
  std::variant<JoinResponse, SyncResponse> response;
};

// What one step asks for. The caller appends `records` and hands each to replay() before the next step,
// and holds everything that this step answers until they are committed. Where the log refuses them, it
// replays the GroupRecords all the same (members ahead of the log rejoin after a restart, which is
// harmless) but no OffsetRecord, and answers with an error.
struct Effects {
  std::vector<Record> records;
  std::vector<Answer> answers;
};

}  // namespace edgelog::broker::group
