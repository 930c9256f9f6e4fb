#pragma once
// What goes into and comes out of the gateway's core: plain values. Payload bytes stay with the driver,
// which names each by a Ticket. Kafka's error codes stand as they are; what has no code of its own
// (connection lost, no leader known, timed out at the client) comes as NETWORK_EXCEPTION (13),
// LEADER_NOT_AVAILABLE (5) or REQUEST_TIMED_OUT (7).
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/uplink/messages.h"
#include "common/uplink/names.h"

namespace edgelog::gateway {

using Ticket = Strong<struct TicketTag, std::uint64_t>;  // a payload that the driver holds; never used twice
using ReadId = Strong<struct ReadIdTag, std::uint64_t>;  // one question to the log on behalf of looks

// What the driver has read of a payload's header (docs: record batch v2). Nothing below `well_formed`
// means anything unless that is true.
struct BatchFacts {
  std::int64_t bytes = 0;
  bool well_formed = false;  // exactly one batch of magic 2, its length the payload's
  bool crc_ok = false;
  std::uint32_t crc = 0;  // as the header has it: tells copies of one batch from another of the same name
  ProducerId producer_id{-1};
  ProducerEpoch producer_epoch{-1};
  Sequence first{-1};
  std::int32_t record_count = 0;
  std::int32_t last_offset_delta = 0;
  bool control = false, transactional = false, log_append_time = false;
  bool fence_record = false;  // its one record carries header_fence with this producer id; looked at for small fences
};

// ---- Inputs

struct BatchArrived {
  Ticket ticket;
  std::string agent, topic;                 // from the MQTT topic
  std::optional<PartitionIndex> partition;  // user property `p`; nothing: absent or no number
  BatchFacts facts;
};
struct LookArrived {
  std::string agent, topic;
  uplink::LookRequest request;
};
// The log's answer to a Produce. leader_epoch: what was known when it was sent, never a later one.
struct Produced {
  Ticket ticket;
  std::int16_t error = 0;
  Offset offset{-1};
  LeaderEpoch leader_epoch{-1};
};
// The topics that agents may write, complete, as they stand now. Comes at start, upon change, and every 10 s.
struct TopicsKnown {
  std::int64_t producer_memory_ms = 0;
  std::vector<uplink::TopicEntry> topics;
};
// Answer to AskRange.
struct RangeKnown {
  ReadId id;
  std::int16_t error = 0;
  Offset log_start, end;
  LeaderEpoch leader_epoch{-1};
};
// A batch that Read came across.
struct BatchSeen {
  Offset base, last;  // of its records, both included
  LeaderEpoch leader_epoch;
  ProducerId producer_id;
  ProducerEpoch producer_epoch;
  Sequence first;
  std::int32_t record_count = 0;
  std::optional<uplink::OriginMark> origin;  // of its first record
  bool fence = false;                        // its first record carries header_fence
};
// Answer to Read: everything in [from, next) was looked at. next == from: nothing came, ask again.
struct RangeRead {
  ReadId id;
  std::int16_t error = 0;
  Offset next;
  std::vector<BatchSeen> batches;  // by offset
};
struct ShardsAssigned {
  std::vector<std::uint32_t> shards;  // complete; each below uplink::shard_count
};
// A new MQTT session has begun: what arrives from here on was not left over from an earlier one.
struct SessionStarted {};
struct Tick {};

using Input = std::variant<BatchArrived, LookArrived, Produced, TopicsKnown, RangeKnown, RangeRead, ShardsAssigned,
                           SessionStarted, Tick>;

// ---- Effects, to be performed in order

// Append the payload. Ends with one Produced, unless Released first. The driver does not begin to send
// it after `not_after`. Batches with the same `lane` reach the log in the order of their effects.
struct Produce {
  Ticket ticket;
  std::string topic;
  PartitionIndex partition;
  Instant not_after;
  std::uint32_t lane;
};
struct AnswerBatch {
  std::string agent;
  uplink::BatchAnswer answer;
};
struct AnswerLook {
  std::string agent;
  uplink::LookAnswer answer;
};
enum class Release : std::uint8_t {
  answered,   // an AnswerBatch went before it
  malformed,  // no header that an answer could echo
  expired,    // held for too long
  full,       // a bound was reached
  copy,       // the same batch is in hand already
  not_ready,  // the topics are not known yet
  stale,      // may have lain in a buffer while this process slept
};
// The end of a ticket: exactly one for each BatchArrived. The driver forgets the payload, and takes it
// back from the client where that has not sent it.
struct Released {
  Ticket ticket;
  Release reason;
};
// Ask the partition's leader for log start, end offset (the high watermark) and leader epoch.
struct AskRange {
  ReadId id;
  std::string topic;
  PartitionIndex partition;
};
// Read a piece of [from, to), as much as one fetch gives, or less. Report batches whose producer id carries one
// of `prefixes` (id >> 32, sorted). If `spot`, only the batch at `from` is of interest: report it, whose ever it is.
struct Read {
  ReadId id;
  std::string topic;
  PartitionIndex partition;
  Offset from, to;
  bool spot = false;
  std::vector<std::uint32_t> prefixes;
};
// Publish retained; the driver puts its clock into gateway_time when it does.
struct PublishTopics {
  uplink::TopicList list;
};
struct Subscribe {
  std::uint32_t shard;
};
struct Unsubscribe {
  std::uint32_t shard;
};
// This process slept: end the MQTT session, begin a new one (clean), then say SessionStarted.
struct Reconnect {};

using Effect = std::variant<Produce, AnswerBatch, AnswerLook, Released, AskRange, Read, PublishTopics, Subscribe,
                            Unsubscribe, Reconnect>;
using Effects = std::vector<Effect>;

}  // namespace edgelog::gateway
