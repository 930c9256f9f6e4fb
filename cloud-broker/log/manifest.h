#pragma once
// What is written down of a partition besides its batches, and of the whole shard at a checkpoint.
#include <cstdint>
#include <string>
#include <vector>

#include "cloud-broker/log/segment.h"
#include "common/base/result.h"

namespace edgelog::broker::disklog {

// An epoch begins at an offset. Empty epochs are kept: they will matter to Raft (kafka-protocol.md 4.3).
struct EpochStart {
  LeaderEpoch epoch;
  Offset start;
  bool operator==(const EpochStart&) const = default;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.epoch);
    v.field(m.start);
  }
};

// What was appended before `offset` was appended not after `ms`, and the rest not before. Turns time into offsets.
struct TimeMark {
  Offset offset;
  std::int64_t ms = 0;
  bool operator==(const TimeMark&) const = default;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.offset);
    v.field(m.ms);
  }
};

// When the log ended at `at`, ids of `kind` were forgotten whose last batch lay below `before`.
struct ProducerHorizon {
  Offset at;
  std::int8_t kind = 0;
  Offset before;
  bool operator==(const ProducerHorizon&) const = default;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.at);
    v.field(m.kind);
    v.field(m.before);
  }
};

struct Manifest {
  PartitionId partition;
  std::uint64_t applied = 0;  // changes up to this number (MetaEntry::number) are in it
  Offset log_start;
  std::vector<SegmentInfo> segments;  // by base; the last one is active
  std::vector<EpochStart> epochs;
  std::vector<TimeMark> marks;
  std::vector<ProducerHorizon> horizons;  // since the oldest snapshot
  std::vector<Offset> snapshots;          // of producers; oldest first, at most two
  std::uint32_t next_version = 1;         // for compaction
  Offset compacted_through;               // all that lies below was compacted
  std::string damage;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.partition);
    v.field(m.applied);
    v.field(m.log_start);
    v.field(m.segments);
    v.field(m.epochs);
    v.field(m.marks);
    v.field(m.horizons);
    v.field(m.snapshots);
    v.field(m.next_version);
    v.field(m.compacted_through);
    v.field(m.damage);
  }
};

// Where a partition stood: everything before is in its segments, durable.
struct FlushedPosition {
  PartitionId partition;
  std::uint64_t manifest = 0;  // sequence of its manifest, at least
  Offset segment;
  std::uint32_t version = 0;
  std::uint64_t position = 0;
  Offset end;
  std::int64_t first_append_ms = -1, last_append_ms = -1;  // of that segment
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.partition);
    v.field(m.manifest);
    v.field(m.segment);
    v.field(m.version);
    v.field(m.position);
    v.field(m.end);
    v.field(m.first_append_ms);
    v.field(m.last_append_ms);
  }
};

struct Checkpoint {
  LeaderEpoch epoch;                         // number of the start that wrote it
  std::uint64_t round = 0;                   // of the journal: later ones are to be done again
  std::uint64_t generation = 0, change = 0;  // highest numbers used so far
  bool clean = false;                        // the store was closed: nothing follows
  std::vector<FlushedPosition> partitions;
  template <class V>
  static void describe(V& v, auto& m) {
    v.field(m.epoch);
    v.field(m.round);
    v.field(m.generation);
    v.field(m.change);
    v.field(m.clean);
    v.field(m.partitions);
  }
};

Buffer encode(const Manifest& manifest);
Buffer encode(const Checkpoint& checkpoint);
bool decode(Bytes in, Manifest& out);
bool decode(Bytes in, Checkpoint& out);

}  // namespace edgelog::broker::disklog
