#include "edge-agent/core/state.h"

#include <algorithm>

#include "common/base/assert.h"
#include "common/uplink/names.h"

namespace edgelog::agent {

ProducerId new_producer_id(State& state, const Stream& stream) {
  for (;;) {
    const auto id = uplink::make_producer_id(state.config.agent, static_cast<std::uint32_t>(state.random.next() >> 32));
    if (!stream.producers.contains(id)) return id;
  }
}

namespace {

// Places are kept for gaps, dead letters and what is configured: devices may name streams, these cannot be crowded out.
std::size_t places_kept(const State& state, std::string_view but) {
  std::size_t places = 0;
  const auto keep = [&](std::string_view topic) { places += topic != but && !state.by_topic.contains(topic) ? 1 : 0; };
  keep(uplink::gaps_topic);
  if (!state.config.streams.contains(std::string(uplink::dead_letter_topic))) keep(uplink::dead_letter_topic);
  for (const auto& [topic, settings] : state.config.streams)
    if (topic != uplink::gaps_topic) keep(topic);
  return places;
}

}  // namespace

Stream* create_stream(State& state, std::string_view topic) {
  const bool kept = topic == uplink::gaps_topic || topic == uplink::dead_letter_topic ||
                    state.config.streams.contains(std::string(topic));
  if (state.streams.size() + (kept ? 0 : places_kept(state, topic)) >= state.config.streams_max) return nullptr;
  std::int32_t id = 1;
  if (!state.streams.empty()) id = state.streams.rbegin()->first.value() + 1;
  StreamRow row;
  row.id = StreamId{id};
  row.topic = topic;
  const auto configured = state.config.streams.find(row.topic);
  const StreamSettings& settings =
      configured != state.config.streams.end() ? configured->second : state.config.defaults;
  auto stream = std::make_unique<Stream>(row, settings, state.config.resend, state.random.next());
  Stream& made = *stream;
  state.streams.emplace(row.id, std::move(stream));
  state.by_topic.emplace(row.topic, row.id);
  state.by_priority.push_back(row.id);
  std::stable_sort(state.by_priority.begin(), state.by_priority.end(), [&](StreamId a, StreamId b) {
    return state.stream(a).settings.priority > state.stream(b).settings.priority;
  });
  return &made;
}

Stream& gaps_stream(State& state) {
  const auto found = state.by_topic.find(uplink::gaps_topic);
  if (found != state.by_topic.end()) return state.stream(found->second);
  Stream* made = create_stream(state, uplink::gaps_topic);
  ASSERT(made != nullptr);  // the opening made room for it
  return *made;
}

Lane& current_lane(State& state, Stream& stream) {
  if (!stream.lanes.empty() && stream.lanes.back().is_current) return stream.lanes.back();
  Lane lane;
  lane.is_current = true;
  lane.row.stream = stream.row.id;
  lane.row.origin = lane.row.producer = new_producer_id(state, stream);
  lane.row.first = stream.row.next;
  lane.row.opening = state.opening();
  stream.lanes.push_back(std::move(lane));
  put_stream(state, stream);
  state.journal.add_first(PutOrigin{stream.lanes.back().row});
  learn_producer(state, stream, stream.lanes.back().row.producer, false);
  return stream.lanes.back();
}

void put_stream(State&, Stream& stream) { stream.dirty = true; }

void put_origin(State& state, const Lane& lane) { state.journal.add(PutOrigin{lane.row}); }

void learn_producer(State& state, Stream& stream, ProducerId id, bool stranger) {
  if (!stream.producers.emplace(id, stranger).second) return;
  stream.producers_by_age.push_back(id);
  state.journal.add_first(PutProducer{{stream.row.id, id, stranger}});
  if (stream.producers_by_age.size() <= state.config.producers_max) return;
  for (auto old = stream.producers_by_age.begin(); old != stream.producers_by_age.end(); ++old) {
    const bool in_use = std::any_of(stream.lanes.begin(), stream.lanes.end(), [&](const Lane& lane) {
      return lane.row.origin == *old || lane.row.producer == *old;
    });
    if (in_use) continue;
    state.journal.add(DeleteProducer{{stream.row.id, *old}});
    stream.producers.erase(*old);
    stream.producers_by_age.erase(old);
    return;
  }
}

WallMillis timestamp_now(const State& state, Moment moment, const Stream& stream) {
  const WallMillis best = state.clock.best(moment), floor = stream.row.floor;
  if (state.clock.live() && floor - state.clock.time(moment.now) > state.config.ahead_max) return best;
  return std::max(floor, best);
}

namespace {

bool of_earlier_opening(const State& state, const Lane& lane) {
  return lane.row.opening < state.opening() && !lane.empty();
}

}  // namespace

void clock_was_set_back(State& state) {
  for (auto& [id, stream] : state.streams)
    for (Lane& lane : stream->lanes) {
      const bool sent = !lane.batches.empty() && lane.batches.front().row.published;
      if (sent || of_earlier_opening(state, lane)) must_resolve(state, lane);
    }
}

void must_resolve(State& state, Lane& lane) {
  if (lane.row.must_resolve) return;
  lane.row.must_resolve = true;
  put_origin(state, lane);
}

void fences_may_be_lost(State& state, Stream& stream) {
  for (Lane& lane : stream.lanes)
    if (of_earlier_opening(state, lane)) must_resolve(state, lane);
}

void retire_lanes(State& state, Stream& stream) {
  while (!stream.lanes.empty() && stream.lanes.front().empty() && !stream.lanes.front().row.must_resolve &&
         !stream.lanes.front().is_current) {
    ASSERT(stream.window.empty());  // A3
    state.journal.add(DeleteOrigin{stream.row.id, stream.lanes.front().row.origin});
    stream.lanes.pop_front();
    stream.known = false;
  }
}

}  // namespace edgelog::agent
