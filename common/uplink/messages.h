#pragma once
// What an agent and a gateway say to each other over MQTT, beside the record batches themselves.
// docs/FORMATS.md has every byte. Each payload begins with a version byte; a version that is not known
// is counted and dropped. Integers are big-endian, strings and arrays as in the Kafka protocol's
// classic (not flexible) encoding, through the same visitor codec.
//
//   edgelog/1/up/<shard>/<agent>/<topic>    agent    one record batch; user property "p" = partition
//   edgelog/1/look/<shard>/<agent>/<topic>  agent    LookRequest
//   edgelog/1/ack/<agent>                   gateway  Answers
//   edgelog/1/topics            (retained)  gateway  TopicList
//   edgelog/1/hb/<agent>                    agent    Heartbeat
//   edgelog/1/state/<agent>     (retained)  agent    "online" / "offline" (its will)
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/wire/codec.h"

namespace edgelog::uplink {

inline constexpr std::int8_t version = 1;

// What names a batch: the fields of its header that an answer echoes. A fence is a batch too.
struct BatchName {
  std::string topic;
  ProducerId producer_id;
  ProducerEpoch producer_epoch;
  Sequence first, last;
  bool operator==(const BatchName&) const = default;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.topic);
    v.field(m.producer_id);
    v.field(m.producer_epoch);
    v.field(m.first);
    v.field(m.last);
  }
};

struct BatchAnswer {
  BatchName batch;
  PartitionIndex partition;
  std::int16_t error = 0;  // Kafka's code; 0: durable, or a duplicate of what is durable
  Offset offset{-1};       // of its first record, when error is 0
  LeaderEpoch leader_epoch{-1};
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.batch);
    v.field(m.partition);
    v.field(m.error);
    v.field(m.offset);
    v.field(m.leader_epoch);
  }
};

// Read the partition for what the agent has in it: rule 7 and 9 of docs/ARCHITECTURE.md. The range goes
// from `from` to the end offset that the gateway asks for after it has received this.
struct LookRequest {
  std::int8_t format = version;
  std::int64_t look_id = 0;  // the agent's; the answer echoes it
  PartitionIndex partition;
  Offset from;                          // first offset to read
  bool check_only = false;              // only look whether `expected` still stands there
  std::optional<BatchAnswer> expected;  // the last acknowledged batch, to be found at its offset
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.format);
    v.field(m.look_id);
    v.field(m.partition);
    v.field(m.from);
    v.field(m.check_only);
    v.field(m.expected);
  }
};

enum class Expectation : std::int8_t {
  not_asked = 0,
  found = 1,     // it stands there
  replaced = 2,  // something else stands there, or the log ends before it: see found_epoch
  gone = 3,      // below the log's start: retention took it
};

// Events of one origin that lie in the partition under one producer id, without a hole between.
struct Sighting {
  ProducerId producer_id;  // of the batches
  ProducerId origin;       // id under which the events were taken
  EventIndex first, last;  // both included
  Offset offset;           // of the first one
  bool is_fence = false;   // a fence marker of producer_id, without events
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.producer_id);
    v.field(m.origin);
    v.field(m.first);
    v.field(m.last);
    v.field(m.offset);
    v.field(m.is_fence);
  }
};

struct LookAnswer {
  std::int64_t look_id = 0;
  std::string topic;
  PartitionIndex partition;
  std::int16_t error = 0;        // nothing below is valid unless 0; the agent asks again
  Offset from, to;               // what was read: [from, to)
  Offset log_start;              // above `from`: a part of the range is gone
  LeaderEpoch leader_epoch{-1};  // the partition's now
  std::int8_t expectation = 0;   // Expectation
  LeaderEpoch found_epoch{
      -1};  // leader epoch of what stands at the expected offset, or the current one if the log ends before
  std::vector<Sighting> sightings;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.look_id);
    v.field(m.topic);
    v.field(m.partition);
    v.field(m.error);
    v.field(m.from);
    v.field(m.to);
    v.field(m.log_start);
    v.field(m.leader_epoch);
    v.field(m.expectation);
    v.field(m.found_epoch);
    v.field(m.sightings);
  }
};

struct Answers {
  std::int8_t format = version;
  WallMillis gateway_time;
  std::vector<BatchAnswer> batches;
  std::vector<LookAnswer> looks;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.format);
    v.field(m.gateway_time);
    v.field(m.batches);
    v.field(m.looks);
  }
};

struct TopicPartition {
  Offset end{-1};  // -1: not known now
  LeaderEpoch leader_epoch{-1};
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.end);
    v.field(m.leader_epoch);
  }
};

struct TopicEntry {
  std::string name;
  std::int32_t message_bytes_max = 0;      // the topic's max.message.bytes
  std::vector<TopicPartition> partitions;  // by index
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.name);
    v.field(m.message_bytes_max);
    v.field(m.partitions);
  }
};

struct TopicList {
  std::int8_t format = version;
  WallMillis gateway_time;
  std::int64_t producer_memory_ms = 0;  // how long the log remembers a producer id; by its last batch
  std::vector<TopicEntry> topics;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.format);
    v.field(m.gateway_time);
    v.field(m.producer_memory_ms);
    v.field(m.topics);
  }
};

struct StreamState {
  std::string topic;
  EventIndex oldest, newest, acknowledged;  // next not yet acknowledged, next to be taken, as counts
  std::int64_t bytes = 0;                   // in the local log
  std::int64_t oldest_ms = -1;              // when the oldest unacknowledged was taken
  std::int8_t state = 0;  // 0 flowing, 1 fencing, 2 looking, 3 waiting for the log's permission, 4 full
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.topic);
    v.field(m.oldest);
    v.field(m.newest);
    v.field(m.acknowledged);
    v.field(m.bytes);
    v.field(m.oldest_ms);
    v.field(m.state);
  }
};

struct Heartbeat {
  std::int8_t format = version;
  std::string software_version;
  WallMillis agent_time;
  std::int8_t clock_trusted = 0;
  std::int64_t disk_free_bytes = -1;
  std::vector<StreamState> streams;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.format);
    v.field(m.software_version);
    v.field(m.agent_time);
    v.field(m.clock_trusted);
    v.field(m.disk_free_bytes);
    v.field(m.streams);
  }
};

Buffer encode(const LookRequest&);
Buffer encode(const Answers&);
Buffer encode(const TopicList&);
Buffer encode(const Heartbeat&);
// False: not this version, or not well-formed.
bool decode(Bytes, LookRequest&);
bool decode(Bytes, Answers&);
bool decode(Bytes, TopicList&);
bool decode(Bytes, Heartbeat&);

}  // namespace edgelog::uplink
