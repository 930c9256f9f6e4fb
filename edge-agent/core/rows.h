#pragma once
// What the agent's log remembers, row by row, as the core knows it: docs/FORMATS.md, "The agent's log".
// Payload bytes are the driver's; here an event is (stream, index) with a size and a timestamp.
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/strong.h"
#include "common/base/time.h"

namespace edgelog::agent {

// A stream's row id in this log. A stream is one Kafka topic as this agent writes it.
using StreamId = Strong<struct StreamIdTag, std::int32_t>;

// The batch that was acknowledged last with all before it: what rule 9 looks for at its offset.
struct Acknowledged {
  ProducerId producer{no_producer};
  ProducerEpoch producer_epoch;  // 0, or 32767: a fence, behind all that a look found
  Sequence first_sequence, last_sequence;
  ProducerId origin{no_producer};
  EventIndex last_index{-1};  // the last event acknowledged, by this batch or ahead of it by a look
  Offset offset{-1};          // of its first record; -1: nothing yet
  bool any() const { return offset.value() >= 0; }
};

struct StreamRow {
  StreamId id;
  std::string topic;
  EventIndex next;               // of the next event to be taken
  WallMillis floor{0};           // the timestamp given last; the next is none lower
  PartitionIndex partition{-1};  // fixed before the first publish (rule 2)
  LeaderEpoch leader_epoch{-1};  // of the partition, as of `acknowledged` or of the choice of the partition
  Offset look_from{-1};          // no unresolved event of ours lies below it (rule 7); -1: not known
  Acknowledged acknowledged;
};

// What one opening of the log took for one stream, and the producer id under which it goes.
struct OriginRow {
  StreamId stream;
  ProducerId origin{no_producer};    // the producer id under which its events were taken
  EventIndex first;                  // its first event; it reaches to the next origin's first
  std::int64_t opening = 0;          // that took it, or that resolved it last
  ProducerId producer{no_producer};  // goes out as; differs from origin once renumbered
  std::int64_t numbered = 0;         // events sealed under `producer`: the next sequence is this modulo 2^31
  bool must_resolve = false;         // lost events to overflow: rule 7 before it goes on
  EventIndex late_before{-1};        // events below are late: what stood behind them is in the log
};

// The order of lanes. Where two begin at one event the former is empty: it waits to be resolved, or was just resolved
// (and so renumbered), and the later one is of a later opening.
inline bool goes_before(const OriginRow& a, const OriginRow& b) {
  if (a.stream != b.stream) return a.stream < b.stream;
  if (a.first != b.first) return a.first < b.first;
  const bool a_renumbered = a.producer != a.origin, b_renumbered = b.producer != b.origin;
  if (a_renumbered != b_renumbered) return a_renumbered;
  return a.opening < b.opening;
}

// One sealed batch; its key is (stream, first). Everything in it is of one origin, without a missing index.
struct BatchRow {
  StreamId stream;
  EventIndex first, last;  // both included
  ProducerId origin{no_producer};
  ProducerId producer{no_producer};
  std::int64_t sequence = 0;  // of its first record, not wrapped
  bool anew = false;          // id, sequence and marks are not those in its bytes: sealed anew before its publish
  WallMillis oldest, newest;  // record timestamps
  WallMillis taken;           // when its first event was taken; differs from `oldest` once stamped anew
  std::int32_t bytes = 0;
  bool published = false;  // set and committed before its first publish
  bool damaged = false;    // its bytes are lost: no column, known when the log is opened
  std::int64_t count() const { return last - first + 1; }
};

// An event that is durable and not yet sealed.
struct EventRow {
  StreamId stream;
  EventIndex index;
  WallMillis timestamp;
  std::int32_t bytes = 0;
};

// A source is a device as an input names it; `incarnation` is empty where the firmware has none.
struct SourceName {
  std::string input, device;
  auto operator<=>(const SourceName&) const = default;
};

// The last number taken of one (device, incarnation), written in the transaction of its event.
struct SourceRow {
  SourceName source;
  std::string incarnation;
  std::int64_t last = 0;
  std::int64_t used = 0;  // grows with each writing of any source: the least is the longest idle
};

// One of a source's last 64 messages, for sources without an incarnation.
struct RecentRow {
  SourceName source;
  std::int32_t slot = 0;  // 0..63, round and round
  std::int64_t number = 0;
  std::uint64_t payload_hash = 0;
};

// What was dropped or lost, by name. It travels as a record of the stream edgelog.gaps; while unsealed it is a
// row, so that its neighbour can be merged into it.
struct Gap {
  std::string reason;  // see gap_reason
  std::string stream;  // topic; empty: a source's
  ProducerId origin{no_producer};
  EventIndex first{-1}, last{-1};  // -1: not known
  std::int64_t count = 0;          // events; 0: not known
  WallMillis first_time{-1}, last_time{-1};
  SourceName source;  // empty: a stream's
  std::string incarnation;
  std::int64_t source_first = -1, source_last = -1;
  bool operator==(const Gap&) const = default;
};

namespace gap_reason {
inline constexpr const char* overflow = "overflow";            // the stream's bound in bytes
inline constexpr const char* age = "age";                      // the stream's bound in age
inline constexpr const char* full = "full";                    // policy drop-newest
inline constexpr const char* refused = "refused";              // the log refused it for itself: set aside
inline constexpr const char* unresolved = "unresolved";        // retention took where it might have been seen
inline constexpr const char* log_went_back = "log_went_back";  // the cloud log was put back behind our acknowledgements
inline constexpr const char* log_lost = "log_lost";            // the agent's own log was damaged
inline constexpr const char* source_hole = "source_hole";      // a number was skipped
inline constexpr const char* ring_lost = "ring_lost";          // the device's ring overflowed
inline constexpr const char* confirmed_before = "confirmed_before";  // to the device, by a log that was put back
}  // namespace gap_reason

struct GapRow {
  EventIndex index;  // in the stream edgelog.gaps
  WallMillis timestamp;
  Gap gap;
};

// An id of this agent that this log knows: under which it sent something itself, or a stranger's (of a life of
// this log that went on from an older image), met in the cloud log and fenced there. A look need not fence it.
struct ProducerRow {
  StreamId stream;
  ProducerId id{no_producer};
  bool stranger = false;
};

struct MetaRow {
  std::int64_t opening = 0;      // how often this log was opened
  std::int64_t source_used = 0;  // the greatest SourceRow::used
};

// All of the log but the payloads, as read when it is opened. Rows in ascending order of their keys:
// (stream, first/index), sources by name, incarnation and so on.
struct Persisted {
  MetaRow meta;
  std::vector<StreamRow> streams;
  std::vector<OriginRow> origins;
  std::vector<ProducerRow> producers;
  std::vector<BatchRow> batches;
  std::vector<EventRow> events;  // unsealed gaps stand here too, with their bytes as `gap_bytes`
  std::vector<GapRow> gaps;
  std::vector<SourceRow> sources;
  std::vector<RecentRow> recents;
  std::vector<Gap> lost;  // of a damaged log: what is known not to be in these rows
};

inline constexpr std::int32_t gap_bytes = 320;  // what an unsealed gap counts for
inline constexpr std::int32_t recent_slots = 64;

}  // namespace edgelog::agent
