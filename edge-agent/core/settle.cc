#include "edge-agent/core/settle.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"
#include "common/uplink/names.h"
#include "common/wire/errors.h"
#include "edge-agent/core/gaps.h"
#include "edge-agent/core/sealing.h"

namespace edgelog::agent {
namespace {

using wire::ErrorCode;

// Disjoint ranges of indexes, ascending.
class Found {
 public:
  Found(const uplink::LookAnswer& answer, ProducerId origin) {
    for (const uplink::Sighting& s : answer.sightings)
      if (!s.is_fence && s.origin == origin && s.first <= s.last) ranges_.push_back({s.first, s.last});
    std::sort(ranges_.begin(), ranges_.end());
  }
  bool contains(EventIndex index) const {
    return std::any_of(ranges_.begin(), ranges_.end(),
                       [&](const auto& range) { return range.first <= index && index <= range.second; });
  }
  // What of [first, last] was not found, in contiguous pieces.
  std::vector<std::pair<EventIndex, EventIndex>> missing(EventIndex first, EventIndex last) const {
    std::vector<std::pair<EventIndex, EventIndex>> pieces;
    for (EventIndex at = first; at <= last;) {
      EventIndex next = at + 1;
      bool found = false;
      EventIndex until = last;
      for (const auto& [from, to] : ranges_) {
        if (from <= at && at <= to) {
          found = true;
          next = std::max(next, to + 1);
        } else if (from > at) {
          until = std::min(until, EventIndex{from.value() - 1});
        }
      }
      if (!found) {
        pieces.push_back({at, until});
        next = until + 1;
      }
      at = next;
    }
    return pieces;
  }
  EventIndex highest() const {
    EventIndex most{-1};
    for (const auto& range : ranges_) most = std::max(most, range.second);
    return most;
  }

 private:
  std::vector<std::pair<EventIndex, EventIndex>> ranges_;
};

bool refused_for_itself(std::int16_t error) {
  switch (static_cast<ErrorCode>(error)) {
    case ErrorCode::corrupt_message:
    case ErrorCode::message_too_large:
    case ErrorCode::record_list_too_large:
    case ErrorCode::invalid_timestamp: return true;
    default: return error == 87;  // INVALID_RECORD
  }
}

// Something that was taken later than the lane, by a later opening or another life of this log, is in the log.
bool later_origin_seen(const Stream& stream, const uplink::LookAnswer& answer) {
  return std::any_of(answer.sightings.begin(), answer.sightings.end(), [&](const uplink::Sighting& s) {
    if (s.is_fence || s.origin == stream.lanes.front().row.origin) return false;
    const auto known = stream.producers.find(s.origin);
    if (known == stream.producers.end() || known->second) return true;
    return std::any_of(stream.lanes.begin() + 1, stream.lanes.end(),
                       [&](const Lane& lane) { return lane.row.origin == s.origin; });
  });
}

// What is done with the batches of a lane, one after the other.
struct Settlement {
  State& state;
  Moment moment;
  Stream& stream;
  Lane& lane;
  const Found& found;
  bool range_is_gone;
  std::deque<Batch> kept;

  void name(const BatchRow& row, EventIndex first, EventIndex last, const char* reason) {
    state.counts.events_dropped += static_cast<std::uint64_t>(last - first + 1);
    add_gap(state, moment,
            {reason, stream.row.topic, row.origin, first, last, last - first + 1, row.taken, row.newest});
  }
  void drop(const Batch& batch) {
    account(stream, -batch.row.bytes);
    state.journal.add(DeleteBatch{stream.row.id, batch.row.first});
  }
  void keep(Batch batch) {
    batch.row.published = false;
    batch.row.anew = true;
    batch.offset = Offset{-1};
    batch.refusals = 0;
    batch.refused_since = never;
    number(lane, batch.row);
    state.counts.events_renumbered += static_cast<std::uint64_t>(batch.row.count());
    kept.push_back(std::move(batch));
  }
  void replace(const Batch& batch, const std::vector<std::pair<EventIndex, EventIndex>>& pieces) {
    Reseal reseal{stream.row.id, batch.row.first, {}, lane.row.late_before};
    account(stream, -batch.row.bytes);
    for (const auto& [first, last] : pieces) {
      Batch part = batch;
      part.row.first = first;
      part.row.last = last;
      keep(std::move(part));
      account(stream, kept.back().row.bytes);
      reseal.parts.push_back(kept.back().row);
    }
    state.journal.add(std::move(reseal));
  }
  void one(const Batch& batch) {
    const BatchRow& row = batch.row;
    const auto pieces = found.missing(row.first, row.last);
    std::int64_t missing = 0;
    for (const auto& [first, last] : pieces) missing += last - first + 1;
    state.counts.events_found += static_cast<std::uint64_t>(row.count() - missing);
    if (pieces.empty()) return drop(batch);
    if (row.damaged) {
      for (const auto& [first, last] : pieces) name(row, first, last, gap_reason::log_lost);
      return drop(batch);
    }
    if (range_is_gone && row.published) {
      for (const auto& [first, last] : pieces) name(row, first, last, gap_reason::unresolved);
      return drop(batch);
    }
    if (row.first == stream.cause.batch && refused_for_itself(stream.cause.error)) return refused(batch, missing);
    if (missing < row.count()) return replace(batch, pieces);
    keep(batch);
    state.journal.add(PutBatch{kept.back().row});
  }
  void refused(const Batch& batch, std::int64_t missing) {
    const BatchRow& row = batch.row;
    const auto error = static_cast<ErrorCode>(stream.cause.error);
    const auto pieces = found.missing(row.first, row.last);
    if (error == ErrorCode::invalid_timestamp && row.taken == row.oldest && missing == row.count()) {
      lane.stamp_before = stream.row.next;  // again, with timestamps of now
      keep(batch);
      return state.journal.add(PutBatch{kept.back().row});
    }
    const bool too_large = error == ErrorCode::message_too_large || error == ErrorCode::record_list_too_large;
    if (too_large && row.count() > 1 && missing == row.count()) {
      const EventIndex middle = row.first + (row.count() / 2 - 1);
      return replace(batch, {{row.first, middle}, {middle + 1, row.last}});
    }
    for (const auto& [first, last] : pieces) name(row, first, last, gap_reason::refused);
    ++state.counts.set_aside;
    account(stream, -row.bytes);
    state.journal.add(SetAside{stream.row.id, row.first, stream.cause.error});
  }
  void unsealed() {
    std::deque<Unsealed> left;
    for (const Unsealed& event : lane.unsealed) {
      if (!found.contains(event.index)) {
        left.push_back(event);
        continue;
      }
      ++state.counts.events_found;
      account(stream, -event.bytes);
      lane.unsealed_bytes -= event.bytes;
      state.journal.add(DeleteEvents{stream.row.id, event.index, event.index});
      close_gaps(stream, event.index, event.index);
    }
    lane.unsealed = std::move(left);
  }
};

// Behind all that was found stands a fence: the batch to be found there from now on (rule 9).
void expect_fence(Stream& stream, const uplink::LookAnswer& answer, ProducerId origin, EventIndex last) {
  Offset offset = stream.row.acknowledged.offset;
  const auto take = [&](ProducerId id, Offset at) {
    if (at <= offset || at >= answer.to) return;
    offset = at;
    stream.row.acknowledged = {id, uplink::fence_epoch, Sequence{0}, Sequence{0}, origin, last, at};
  };
  for (const uplink::Sighting& s : answer.sightings)
    if (s.is_fence) take(s.producer_id, s.offset);
  // The fence may have been taken for the lane before: what this one found goes with it all the same.
  if (stream.row.acknowledged.any()) stream.row.acknowledged.last_index = last;
}

}  // namespace

void settle(State& state, Moment moment, Stream& stream, const uplink::LookAnswer& answer) {
  Lane& lane = stream.lanes.front();
  const Found found(answer, lane.row.origin);
  const bool range_is_gone = answer.log_start > answer.from;
  // Where a part is gone, another life's later events may have stood there.
  const bool later_seen = later_origin_seen(stream, answer) || (range_is_gone && lane.row.opening < state.opening());
  for (const uplink::Sighting& s : answer.sightings)
    if (uplink::belongs_to(s.producer_id, state.config.agent)) learn_producer(state, stream, s.producer_id, true);
  lane.row.producer = new_producer_id(state, stream);
  lane.row.numbered = 0;
  lane.row.must_resolve = false;
  lane.row.opening = state.opening();
  lane.row.late_before = std::max(lane.row.late_before, later_seen ? stream.row.next : found.highest());
  learn_producer(state, stream, lane.row.producer, false);
  Settlement settlement{state, moment, stream, lane, found, range_is_gone, {}};
  for (const Batch& batch : lane.batches) settlement.one(batch);
  lane.batches = std::move(settlement.kept);
  settlement.unsealed();
  put_origin(state, lane);
  if (stream.cause.error == static_cast<std::int16_t>(ErrorCode::invalid_timestamp)) stream.row.floor = WallMillis{0};
  expect_fence(stream, answer, lane.row.origin, std::max(stream.row.acknowledged.last_index, found.highest()));
  stream.row.leader_epoch = answer.leader_epoch;
  if (!stream.has_earlier_lanes(state.opening())) stream.row.look_from = std::max(stream.row.look_from, answer.to);
  put_stream(state, stream);
  stream.window.restart(0);
  stream.known = false;
  stream.fences.clear();
  // A lane that is empty now is done with: the next one owes nothing to it.
  if (!refused_for_itself(stream.cause.error) && !lane.empty()) ++stream.fruitless;
  stream.cause = {};
  state.urgent = true;
  stream.state = Settling{state.journal.open_id()};
}

void went_back(State& state, Moment moment, Stream& stream, LeaderEpoch now) {
  ++state.counts.went_back;
  const Acknowledged& last = stream.row.acknowledged;
  add_gap(state, moment, {gap_reason::log_went_back, stream.row.topic, last.origin, EventIndex{-1}, last.last_index});
  stream.row.acknowledged = {};
  stream.row.look_from = Offset{0};
  stream.row.leader_epoch = now;
  put_stream(state, stream);
  // Whatever the first lane's id has in the log ends somewhere before what it was told. Where nothing waits, the
  // next lane begins with this: the fences of ids before may be lost.
  if (stream.lanes.empty()) current_lane(state, stream);
  stream.lanes.front().row.must_resolve = true;
  put_origin(state, stream.lanes.front());
  // Not before this is durable is anything fenced: a fence may come to stand again at the very place where the last
  // acknowledged one stood, and after a crash would pass for it.
  state.urgent = true;
  stream.state = Settling{state.journal.open_id()};
}

}  // namespace edgelog::agent
