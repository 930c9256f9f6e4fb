#include "edge-agent/core/bounds.h"

#include <algorithm>

#include "common/base/assert.h"
#include "common/uplink/names.h"
#include "edge-agent/core/gaps.h"

namespace edgelog::agent {
namespace {

constexpr Duration age_check_every = seconds(10);

// Takes things off the queue, from the oldest on, and names them.
struct Drop {
  State& state;
  Moment moment;
  Stream& stream;
  const char* reason;
  std::int64_t freed = 0;

  void name(const Lane& lane, EventIndex first, EventIndex last, WallMillis first_time, WallMillis last_time,
            std::int64_t bytes) {
    freed += bytes;
    account(stream, -bytes);
    state.counts.events_dropped += static_cast<std::uint64_t>(last - first + 1);
    add_gap(state, moment,
            {reason, stream.row.topic, lane.row.origin, first, last, last - first + 1, first_time, last_time});
  }
  void mark(Lane& lane) {
    if (lane.row.must_resolve) return;
    lane.row.must_resolve = true;  // rule 7: an id that lost events is fenced and looked for
    put_origin(state, lane);
  }
  void batch(Lane& lane, std::deque<Batch>::iterator at) {
    ASSERT(!at->row.published);  // A7
    const BatchRow row = at->row;
    mark(lane);
    state.journal.add(DeleteBatch{stream.row.id, row.first});
    lane.batches.erase(at);
    name(lane, row.first, row.last, row.taken, row.newest, row.bytes);
  }
  // `bytes` of the lane's unsealed events, oldest first: contiguous ones in one piece.
  void unsealed(Lane& lane, std::int64_t bytes) {
    while (!lane.unsealed.empty() && bytes > 0) {
      const Run run = front_run(lane, bytes);
      mark(lane);
      lane.unsealed.erase(lane.unsealed.begin(), lane.unsealed.begin() + static_cast<std::ptrdiff_t>(run.events));
      lane.unsealed_bytes -= run.bytes;
      state.journal.add(DeleteEvents{stream.row.id, run.first, run.last});
      close_gaps(stream, run.first, run.last);
      bytes -= run.bytes;
      name(lane, run.first, run.last, run.oldest, run.newest, run.bytes);
    }
  }
};

std::deque<Batch>::iterator first_unpublished(Lane& lane) {
  return std::find_if(lane.batches.begin(), lane.batches.end(), [](const Batch& b) { return !b.row.published; });
}

}  // namespace

bool is_full(const State&, const Stream& stream, std::int64_t more) {
  return stream.bytes + more > stream.settings.bytes_max;
}

std::int64_t drop_oldest(State& state, Moment moment, Stream& stream, std::int64_t bytes, const char* reason) {
  Drop drop{state, moment, stream, reason};
  for (std::size_t i = 0; i < stream.lanes.size() && drop.freed < bytes; ++i) {
    Lane& lane = stream.lanes[i];
    // What a gap takes in the gaps' own stream is not dropped by the drop that it describes.
    const std::size_t events = lane.unsealed.size();
    for (auto at = first_unpublished(lane); at != lane.batches.end() && drop.freed < bytes;
         at = first_unpublished(lane))
      drop.batch(lane, at);
    if (drop.freed < bytes && events > 0) drop.unsealed(lane, bytes - drop.freed);
  }
  if (drop.freed > 0) state.urgent = true;
  return drop.freed;
}

void enforce_bytes(State& state, Moment moment, Stream& stream) {
  if (stream.bytes <= stream.settings.bytes_max) return;
  const std::int64_t over = stream.bytes - stream.settings.bytes_max;
  drop_oldest(state, moment, stream, std::max(over, stream.settings.bytes_max / 16), gap_reason::overflow);
}

namespace {

// Ages are the monotonic clock's alone: an event is too old if its index is below one that was the next an age ago.
// What earlier openings took counts as taken when this one began, for nobody knows which of their timestamps a right
// clock gave: a machine that begins in the year of its image would have its whole backlog dropped once the cloud is
// there.
EventIndex old_before(Stream& stream, Instant now) {
  auto& marks = stream.taken_marks;
  const Duration age = stream.settings.age_max;
  if (marks.empty() || now - marks.back().at >= Duration{age.value() / 64}) marks.push_back({now, stream.row.next});
  while (marks.size() > 1 && now - marks[1].at >= age) marks.pop_front();
  return now - marks.front().at >= age ? marks.front().next : EventIndex{0};
}

}  // namespace

void enforce_age(State& state, Moment moment, Stream& stream) {
  if (moment.now < stream.next_age_check) return;
  stream.next_age_check = moment.now + age_check_every;
  const EventIndex before = old_before(stream, moment.now);
  Drop drop{state, moment, stream, gap_reason::age};
  for (std::size_t i = 0; i < stream.lanes.size(); ++i) {
    Lane& lane = stream.lanes[i];
    for (auto at = first_unpublished(lane); at != lane.batches.end() && at->row.last < before;
         at = first_unpublished(lane))
      drop.batch(lane, at);
    if (first_unpublished(lane) != lane.batches.end()) return;
    std::int64_t bytes = 0;
    for (const Unsealed& event : lane.unsealed) {
      if (event.index >= before) break;
      bytes += event.bytes;
    }
    if (bytes > 0) drop.unsealed(lane, bytes);
    if (!lane.unsealed.empty()) return;
  }
}

void enforce_log(State& state, Moment moment, std::int64_t log_bytes) {
  if (log_bytes <= state.config.log_bytes_max) return;
  if (!state.journal.is_durable(state.log_dropped_in)) return;  // what was dropped last still counts
  std::int64_t wanted = std::max(log_bytes - state.config.log_bytes_max, state.config.log_bytes_max / 16);
  for (auto id = state.by_priority.rbegin(); id != state.by_priority.rend() && wanted > 0; ++id) {
    Stream& stream = state.stream(*id);
    if (stream.row.topic != uplink::gaps_topic)
      wanted -= drop_oldest(state, moment, stream, wanted, gap_reason::overflow);
  }
  state.log_dropped_in = state.journal.open_id();
}

}  // namespace edgelog::agent
