#include "edge-agent/core/opening.h"

#include <algorithm>

#include "common/base/assert.h"
#include "common/uplink/names.h"
#include "edge-agent/core/gaps.h"

namespace edgelog::agent {
namespace {

Lane* lane_of(Stream& stream, EventIndex index) {
  const auto behind =
      std::find_if(stream.lanes.begin(), stream.lanes.end(), [&](const Lane& lane) { return lane.row.first > index; });
  return behind == stream.lanes.begin() ? nullptr : &*(behind - 1);
}

void open_streams(State& state, const Persisted& persisted) {
  for (const StreamRow& row : persisted.streams) {
    const auto configured = state.config.streams.find(row.topic);
    const StreamSettings& settings =
        configured != state.config.streams.end() ? configured->second : state.config.defaults;
    state.streams.emplace(row.id, std::make_unique<Stream>(row, settings, state.config.resend, state.random.next()));
    state.by_topic.emplace(row.topic, row.id);
    state.by_priority.push_back(row.id);
  }
  std::stable_sort(state.by_priority.begin(), state.by_priority.end(), [&](StreamId a, StreamId b) {
    return state.stream(a).settings.priority > state.stream(b).settings.priority;
  });
  for (const ProducerRow& row : persisted.producers) {
    Stream& stream = state.stream(row.stream);
    if (stream.producers.emplace(row.id, row.stranger).second) stream.producers_by_age.push_back(row.id);
  }
  auto origins = persisted.origins;
  std::stable_sort(origins.begin(), origins.end(), goes_before);
  for (const OriginRow& row : origins) {
    Lane lane;
    lane.row = row;
    // Renumbered by a life of this log: another one, from an older image, may have done so under another id.
    if (row.producer != row.origin) lane.row.must_resolve = true;
    state.stream(row.stream).lanes.push_back(std::move(lane));
  }
}

void open_queues(State& state, const Persisted& persisted) {
  for (const BatchRow& row : persisted.batches) {
    Stream& stream = state.stream(row.stream);
    Lane* lane = lane_of(stream, row.first);
    ASSERT(lane != nullptr && lane->row.origin == row.origin);  // A8
    lane->batches.push_back(Batch{row});
    account(stream, row.bytes);
    if (row.damaged) must_resolve(state, *lane);  // it may be in the log all the same: looked for, else a gap
    if (!row.published) continue;
    ASSERT(lane == &stream.lanes.front() || lane->row.origin == row.origin);
    ASSERT(stream.window.end() - stream.window.begin() + 1 == lane->batches.size());  // A3: a prefix of the first lane
    stream.window.admit();
  }
  for (const EventRow& row : persisted.events) {
    Stream& stream = state.stream(row.stream);
    Lane* lane = lane_of(stream, row.index);
    ASSERT(lane != nullptr);  // A8
    const bool is_gap = stream.row.topic == uplink::gaps_topic;
    const std::int32_t bytes = row.bytes + (is_gap ? 0 : state.config.event_overhead);
    lane->unsealed.push_back({row.index, row.timestamp, bytes});
    lane->unsealed_bytes += bytes;
    account(stream, bytes);
  }
}

}  // namespace

void open(State& state, Moment moment, Persisted persisted, bool log_lost) {
  state.meta = persisted.meta;
  ++state.meta.opening;
  state.last_look_id = static_cast<std::int64_t>(state.random.next() >> 16);
  state.journal.add(PutMeta{state.meta});
  state.urgent = true;
  state.sources.open(persisted);
  open_streams(state, persisted);
  open_queues(state, persisted);
  gaps_stream(state);
  for (auto& [id, stream] : state.streams) retire_lanes(state, *stream);
  for (Gap& gap : persisted.lost) add_gap(state, moment, std::move(gap));
  if (!log_lost) return;
  Gap gap;
  gap.reason = gap_reason::log_lost;
  gap.stream = "*";
  add_gap(state, moment, std::move(gap));
}

}  // namespace edgelog::agent
