#pragma once
// What the core wants done. The driver performs effects in their order. A Commit is one atomic transaction of
// the log; there is never more than one under way, and whatever depends on its rows being durable is emitted
// after its Committed only. So the process may die between any two effects.
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "common/uplink/messages.h"
#include "edge-agent/core/rows.h"

namespace edgelog::agent {

// --- Row operations, applied in order --------------------------------------------------------------------

// Writes (or overwrites) the row by its key: id; (stream, origin); (stream, first); and so on.
struct PutMeta {
  MetaRow row;
};
struct PutStream {
  StreamRow row;
};
struct PutOrigin {
  OriginRow row;
};
struct DeleteOrigin {
  StreamId stream;
  ProducerId origin;
};
struct PutProducer {
  ProducerRow row;
};
struct DeleteProducer {
  ProducerRow row;
};
struct PutSource {
  SourceRow row;
};
// Without an incarnation, its RecentRows go too.
struct DeleteSource {
  SourceName source;
  std::string incarnation;
};
struct PutRecent {
  RecentRow row;
};
// A gap of the stream edgelog.gaps (a new one, or one that grew): it is the event at row.index.
struct PutGap {
  GapRow row;
};

// Events that were taken: the driver has their payloads. [first, last].
struct InsertEvents {
  StreamId stream;
  EventIndex first, last;
};
// Unsealed events (in edgelog.gaps: gap rows) go.
struct DeleteEvents {
  StreamId stream;
  EventIndex first, last;
};

// Encodes the unsealed events [row.first, row.last] (in edgelog.gaps: from the gap rows) into one record batch
// (v2, zstd) with row.producer, epoch 0, row.sequence mod 2^31, the first record's header edgelog.origin =
// (row.origin, row.first), writes it with its row, and deletes the events. An event that this very transaction
// inserted need not be written first. Records below late_before get the header edgelog.late. stamp >= 0: all
// records get this timestamp, and edgelog.taken says the former one where none stands there yet.
struct Seal {
  BatchRow row;  // its bytes: to be filled in
  EventIndex late_before{-1};
  WallMillis stamp{-1};
};
// The batch at (stream, first) is decoded; `parts`, disjoint subranges of it, take its place, each encoded as in
// Seal. Records in no part are gone.
struct Reseal {
  StreamId stream;
  EventIndex first;
  std::vector<BatchRow> parts;  // sealed_bytes: one for each
  EventIndex late_before{-1};
  WallMillis stamp{-1};
};
// The row's fields alone change (published, producer, sequence); the bytes stay as they are.
struct PutBatch {
  BatchRow row;
};
struct DeleteBatch {
  StreamId stream;
  EventIndex first;
};
// The log refused it for itself: its bytes go to the table of dead letters with the error code (bounded by the
// driver, the oldest go first), and out of the batches.
struct SetAside {
  StreamId stream;
  EventIndex first;
  std::int16_t error;
};

using Op =
    std::variant<PutMeta, PutStream, PutOrigin, DeleteOrigin, PutProducer, DeleteProducer, PutSource, DeleteSource,
                 PutRecent, PutGap, InsertEvents, DeleteEvents, Seal, Reseal, PutBatch, DeleteBatch, SetAside>;

struct Transaction {
  std::int64_t id = 0;
  std::vector<Op> ops;
};

// --- Effects ---------------------------------------------------------------------------------------------

// Run it in one SQLite transaction and step Committed or CommitFailed with its id.
struct Commit {
  Transaction transaction;
};

// Publish the stored bytes of this batch to the stream's up topic with the partition. QoS 1. Nothing where the row
// is gone or has another producer or sequence by now.
struct PublishBatch {
  std::string topic;
  PartitionIndex partition;
  BatchRow batch;
};
// Publish a fence for this id: (id, epoch 32767, sequence 0), one record with the header edgelog.fence,
// with this timestamp.
struct PublishFence {
  std::string topic;
  PartitionIndex partition;
  ProducerId id{no_producer};
  WallMillis timestamp;
};
struct PublishLook {
  std::string topic;
  uplink::LookRequest request;
};

// To the device: all numbers of this incarnation through `through` are durable here; go on behind it.
struct ConfirmDevice {
  SourceName source;
  std::string incarnation;
  std::int64_t through = 0;
};
// To the input that gave this ticket: durable.
struct Acknowledge {
  std::uint64_t ticket = 0;
};
// Something for the log of the process, worth a line.
struct Notice {
  std::string text;
};

using Effect = std::variant<Commit, PublishBatch, PublishFence, PublishLook, ConfirmDevice, Acknowledge, Notice>;
using Effects = std::vector<Effect>;

}  // namespace edgelog::agent
