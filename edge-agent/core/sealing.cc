#include "edge-agent/core/sealing.h"

#include <algorithm>

#include "common/base/assert.h"

namespace edgelog::agent {
namespace {

// Rules 6 and 8: timestamps of now for what was refused for its own, and for what grew old before its first publish.
WallMillis stamp_for(const State& state, Moment moment, const Lane& lane, EventIndex first, WallMillis oldest,
                     WallMillis newest) {
  const bool refused = first < lane.stamp_before;
  if (!refused && !is_old(state, moment.now, oldest, newest)) return WallMillis{-1};
  return state.clock.known() ? state.clock.time(moment.now) : moment.wall;
}

}  // namespace

void number(Lane& lane, BatchRow& row) {
  row.producer = lane.row.producer;
  row.sequence = lane.row.numbered;
  lane.row.numbered += row.count();
}

bool is_old(const State& state, Instant now, WallMillis oldest, WallMillis newest) {
  if (!state.clock.known() || state.memory.value() <= 0) return false;
  const WallMillis time = state.clock.time(now);
  // A timestamp that lies ahead was given by a clock that was wrong: how old it is nobody knows.
  const bool ahead = state.clock.live() && newest - time > state.config.ahead_max;
  return ahead || time - oldest > Duration{state.memory.value() / 2};
}

Batch& seal_front(State& state, Moment moment, Stream& stream, Lane& lane) {
  const Run run = front_run(lane, state.config.batch_bytes);
  Batch batch;
  BatchRow& row = batch.row;
  row.stream = stream.row.id;
  row.first = run.first;
  row.last = run.last;
  row.origin = lane.row.origin;
  row.oldest = row.taken = run.oldest;
  row.newest = run.newest;
  row.bytes = static_cast<std::int32_t>(run.bytes);  // until the driver says what they came to
  number(lane, row);
  const WallMillis stamp = stamp_for(state, moment, lane, run.first, run.oldest, run.newest);
  if (stamp.value() >= 0) row.oldest = row.newest = stamp;
  lane.unsealed.erase(lane.unsealed.begin(), lane.unsealed.begin() + static_cast<std::ptrdiff_t>(run.events));
  lane.unsealed_bytes -= run.bytes;
  lane.linger_from = moment.now;
  close_gaps(stream, run.first, run.last);
  lane.batches.push_back(batch);
  ++state.counts.batches_sealed;
  put_origin(state, lane);
  state.journal.add(Seal{row, lane.row.late_before, stamp});
  return lane.batches.back();
}

void seal_full(State& state, Moment moment, Stream& stream, Lane& lane) {
  while (lane.unsealed_bytes >= state.config.batch_bytes) seal_front(state, moment, stream, lane);
}

void seal_anew(State& state, Moment moment, Stream& stream, Lane& lane, Batch& batch) {
  ASSERT(!batch.row.published);  // A4
  BatchRow& row = batch.row;
  row.anew = false;
  const WallMillis stamp = stamp_for(state, moment, lane, row.first, row.oldest, row.newest);
  if (stamp.value() >= 0) row.oldest = row.newest = stamp;
  ++state.counts.batches_resealed;
  state.journal.add(Reseal{stream.row.id, row.first, {row}, lane.row.late_before, stamp});
}

Instant linger_end(const Stream& stream, const Lane& lane) {
  if (lane.unsealed.empty()) return never;
  return lane.is_current ? lane.linger_from + stream.settings.linger : Instant{};
}

}  // namespace edgelog::agent
