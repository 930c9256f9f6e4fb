#pragma once
// Names and ids that agent and gateway derive in the same way. Pure functions.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace edgelog::uplink {

inline constexpr std::uint32_t shard_count = 64;
inline constexpr ProducerEpoch event_epoch{0};
inline constexpr ProducerEpoch fence_epoch{32767};

// Record headers that belong to the transport. All other headers are the event's own.
inline constexpr std::string_view header_origin =
    "edgelog.origin";  // first record of a batch: origin id, event index; 16 bytes
inline constexpr std::string_view header_fence = "edgelog.fence";  // a fence marker; the fenced id, 8 bytes
inline constexpr std::string_view header_late =
    "edgelog.late";  // what stood behind it in its stream may stand before it
inline constexpr std::string_view header_taken =
    "edgelog.taken";  // when it was taken, if the record's timestamp is not that; decimal ms

// Topics of our own.
inline constexpr std::string_view gaps_topic = "edgelog.gaps";
inline constexpr std::string_view fleet_topic = "edgelog.fleet";
inline constexpr std::string_view dead_letter_topic = "edgelog.dead-letters";

// [a-z0-9._-]{1,64}
bool valid_agent_id(std::string_view agent);
// [a-zA-Z0-9._-]{1,249}, not "." nor "..": Kafka's rule for a topic.
bool valid_topic(std::string_view topic);
// One that devices' events may go to: neither ours ("edgelog.") nor the log's own ("__").
bool valid_event_topic(std::string_view topic);

// Kafka's murmur2 (the Java client's default partitioner), as a non-negative number.
std::uint32_t murmur2(std::string_view key);
std::uint32_t shard_of(std::string_view agent);
PartitionIndex partition_of(std::string_view agent, std::int32_t partition_count);

// Bits 01, 30 bits of SHA-256(agent), 32 random bits: no cluster hands out such an id.
ProducerId make_producer_id(std::string_view agent, std::uint32_t random);
using edgelog::is_agent_producer_id;                     // bits 01: of some agent
bool belongs_to(ProducerId id, std::string_view agent);  // of this one

std::string up_topic(std::string_view agent, std::string_view topic);
std::string look_topic(std::string_view agent, std::string_view topic);
std::string ack_topic(std::string_view agent);
std::string heartbeat_topic(std::string_view agent);
std::string state_topic(std::string_view agent);
inline constexpr std::string_view topics_topic = "edgelog/1/topics";

struct UpAddress {
  std::uint32_t shard;
  std::string agent, topic;
  bool look;  // a LookRequest; otherwise a batch
};
// Of an MQTT topic edgelog/1/{up,look}/<shard>/<agent>/<topic>; nothing if it is malformed or the shard is not the
// agent's.
std::optional<UpAddress> parse_up_topic(std::string_view mqtt_topic);

// Value of header_origin.
struct OriginMark {
  ProducerId origin;
  EventIndex index;
};
Buffer encode(const OriginMark&);
std::optional<OriginMark> decode_origin(Bytes value);

}  // namespace edgelog::uplink
