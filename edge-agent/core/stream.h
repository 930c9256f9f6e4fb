#pragma once
// A stream's queue: what was taken and is not acknowledged, in order, by lanes. A lane is what one opening of the
// log took; it goes out under one producer id at a time, and the next lane waits until it is resolved (rule 1).
// Within a lane the batches come first, oldest first, then the unsealed events; the first batches of the first
// lane are those in flight, number by number as in the window. Plain data and arithmetic; decisions are
// elsewhere (flow, sealing, recovery, bounds).
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "common/window/window.h"
#include "edge-agent/core/config.h"
#include "edge-agent/core/rows.h"

namespace edgelog::agent {

struct Unsealed {
  EventIndex index;
  WallMillis timestamp;
  std::int32_t bytes = 0;  // with overhead
};

struct Batch {
  BatchRow row;
  std::int64_t marked_in = 0;  // transaction with its mark `published`
  Offset offset{-1};           // once answered
  LeaderEpoch leader_epoch{-1};
  Instant sent_at{};
  Instant refused_since = never;  // answered with an error that may last
  std::uint32_t refusals = 0;     // since it is the oldest in flight
};

struct Lane {
  OriginRow row;
  std::deque<Batch> batches;
  std::deque<Unsealed> unsealed;
  std::int64_t unsealed_bytes = 0;
  Instant linger_from{};        // when the first unsealed event was taken
  bool is_current = false;      // of this opening: it takes
  EventIndex stamp_before{-1};  // events below get timestamps of now: theirs were refused
  bool empty() const { return batches.empty() && unsealed.empty(); }
};

// Why a recovery began.
struct Cause {
  const char* reason = "";
  EventIndex batch{-1};    // the batch that was refused, if one was
  std::int16_t error = 0;  // with this
};

struct Fence {
  ProducerId id{no_producer};
  bool stranger = false;
  bool answered = false;
  Offset offset{-1};
};

// States of a stream towards the cloud: README.md has the diagram.
struct Flowing {};
// Rule 9: does the last acknowledged batch still stand there?
struct Checking {
  std::int64_t look_id = 0;
  Offset from;
  Instant due{};
  std::uint32_t sendings = 0;
};
// Rule 7, first: all of `fences` until answered with success.
struct Fencing {
  Instant due{};
  std::uint32_t sendings = 0;
  Instant refused_since = never;
  std::int16_t refused_with = 0;
};
struct Looking {
  std::int64_t look_id = 0;
  Offset from;
  Instant due{};
  std::uint32_t sendings = 0;
};
// The renumbering, or that the log went back, is on its way to the disk.
struct Settling {
  std::int64_t transaction = 0;
};

struct Stream {
  Stream(StreamRow r, const StreamSettings& s, window::Backoff backoff, std::uint64_t seed)
      : row(std::move(r)), settings(s), window(backoff, seed), new_from(row.next) {}

  StreamRow row;
  StreamSettings settings;
  std::deque<Lane> lanes;
  window::Window window;                 // number window.begin() + i is lanes[0].batches[i]
  std::int64_t bytes = 0;                // of all lanes, with overhead
  EventIndex new_from;                   // events from here on are not yet part of a transaction
  bool awaits_time = false;              // nothing goes out before the cloud's time is told once more
  bool dirty = false;                    // row differs from what was added to the journal last
  std::map<ProducerId, bool> producers;  // ids known; true: a stranger's
  std::deque<ProducerId> producers_by_age;
  // For edgelog.gaps alone: what is unsealed of the current lane, and of each kind and source the last of them.
  std::deque<GapRow> gaps;
  using GapKey = std::tuple<std::string, std::string, ProducerId, SourceName, std::string>;
  std::map<GapKey, EventIndex> last_gaps;

  std::variant<Flowing, Checking, Fencing, Looking, Settling> state;
  std::vector<Fence> fences;    // of the recovery that goes on
  LeaderEpoch fence_epoch{-1};  // under which the last of them was answered
  Cause cause;
  std::uint32_t fruitless = 0;    // recoveries since a batch succeeded last that left something, not refused for itself
  std::int16_t refused_with = 0;  // the last refusal since
  Instant stale_since = never;    // an older leader epoch is told since (rule 9)
  Instant verified_until{};       // a check passed lately: an answer under an older epoch is of the log before it
  bool known = false;             // the log knows the lane's id: a batch of it succeeded since connecting (rule 4)
  std::string waits_for;          // nothing is sent, and why
  Instant next_age_check{};
  struct Mark {
    Instant at;
    EventIndex next;  // of the stream, then
  };
  std::deque<Mark> taken_marks;  // a few, over the last age_max

  bool in_state(auto tag) const { return std::holds_alternative<decltype(tag)>(state); }
  bool has_earlier_lanes(std::int64_t opening) const;
};

// Takes the bytes of a batch, or of one event, off or onto the stream's account.
void account(Stream& stream, std::int64_t bytes);
// Contiguous indexes of unsealed events from the front of a lane, at most `bytes_max` bytes, at least one event.
struct Run {
  EventIndex first, last;
  WallMillis oldest, newest;
  std::int64_t bytes = 0;
  std::size_t events = 0;
};
Run front_run(const Lane& lane, std::int64_t bytes_max);
Stream::GapKey key_of(const Gap& gap);
// Gaps from `first` through `last` are sealed or gone: nothing is merged into them.
void close_gaps(Stream& stream, EventIndex first, EventIndex last);
// The first event in the queue that is neither acknowledged nor dropped: `next` if there is none.
EventIndex oldest_index(const Stream& stream);
WallMillis oldest_taken(const Stream& stream);  // -1: none

}  // namespace edgelog::agent
