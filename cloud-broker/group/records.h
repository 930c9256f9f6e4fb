#pragma once
// The records of `__consumer_offsets`, byte for byte as Kafka writes them (GroupMetadataKey/Value and
// OffsetCommitKey/Value of its message definitions), so that Kafka's own tools read them. Written: offset
// key v1, value v3 (v1 where a client asked for a retention time of its own); group key v2, value v3. Read:
// every version that is not flexible. docs/FORMATS.md, "Groups".
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/time.h"

namespace edgelog::broker::group {

struct OffsetKey {
  std::string group, topic;
  PartitionIndex partition;
  auto operator<=>(const OffsetKey&) const = default;
};

struct CommittedOffset {
  Offset offset;
  LeaderEpoch leader_epoch{-1};  // -1: the client did not say
  std::string metadata;
  WallMillis committed_at;
  std::optional<WallMillis> expires_at;  // OffsetCommit v2-4 with a retention time
  bool operator==(const CommittedOffset&) const = default;
};

struct OffsetRecord {
  OffsetKey key;
  std::optional<CommittedOffset> value;  // none: a tombstone
  bool operator==(const OffsetRecord&) const = default;
};

struct GroupMember {
  std::string member_id;
  std::optional<std::string> instance_id;
  std::string client_id, client_host;
  std::int32_t rebalance_timeout_ms = 0, session_timeout_ms = 0;
  Buffer subscription, assignment;  // subscription: of the protocol that was chosen
  bool operator==(const GroupMember&) const = default;
};

struct GroupSnapshot {
  std::string protocol_type;
  std::int32_t generation = 0;
  std::optional<std::string> protocol, leader;
  WallMillis state_since{-1};
  std::vector<GroupMember> members;
  bool operator==(const GroupSnapshot&) const = default;
};

struct GroupRecord {
  std::string group;
  std::optional<GroupSnapshot> value;  // none: the group is gone
  bool operator==(const GroupRecord&) const = default;
};

// Bytes that the record of an offset takes in the log, at most.
constexpr std::size_t offset_record_bytes(std::string_view group, std::string_view topic,
                                          std::string_view metadata = {}) {
  constexpr std::size_t fixed = 80;  // all fields of key and value, and what a batch puts around them
  return fixed + group.size() + topic.size() + metadata.size();
}

using Record = std::variant<OffsetRecord, GroupRecord>;

struct EncodedRecord {
  Buffer key;
  std::optional<Buffer> value;
};

EncodedRecord encode(const Record& record);
// Nothing for a key or value of a kind or version that we do not know (Kafka 4.x writes others here, for
// groups of the new protocol), or that is malformed: `why` then says which.
std::optional<Record> decode(Bytes key, std::optional<Bytes> value, const char*& why);

}  // namespace edgelog::broker::group
