#include "edge-agent/core/flow.h"

#include <algorithm>

#include "common/base/assert.h"
#include "common/uplink/names.h"
#include "common/wire/errors.h"
#include "edge-agent/core/recovery.h"
#include "edge-agent/core/sealing.h"

namespace edgelog::agent {
namespace {

using wire::ErrorCode;

bool has_room(const State& state) { return state.handed < state.config.handed_max; }

std::size_t in_flight(const Stream& stream) {
  return static_cast<std::size_t>(stream.window.end() - stream.window.begin());
}

// The log may be about to forget the id, and with it all that is in flight: it goes by the timestamps of the last batch
// that it took, which may be older than those of one before it that was stamped anew.
bool any_old(const State& state, Instant now, const Stream& stream) {
  const Lane& lane = stream.lanes.front();
  for (std::size_t i = 0; i < in_flight(stream); ++i)
    if (is_old(state, now, lane.batches[i].row.oldest, lane.batches[i].row.newest)) return true;
  return false;
}

// Rule 4: one as long as the log may not know the id, or may be about to forget it.
void set_limit(const State& state, Instant now, Stream& stream) {
  stream.window.set_limit(stream.known && !any_old(state, now, stream) ? state.config.window_max : 1);
}

void publish(State& state, Moment moment, Stream& stream, std::uint64_t number, Batch& batch, Effects& out) {
  ASSERT(batch.row.published && state.journal.is_durable(batch.marked_in));  // A4
  ++(stream.window.sendings(number) == 0 ? state.counts.batches_published : state.counts.batches_sent_again);
  stream.window.sent(number, moment.now);
  batch.sent_at = moment.now;
  ++state.handed;
  out.push_back(PublishBatch{stream.row.topic, stream.row.partition, batch.row});
}

// Rule 8: what an earlier opening stamped lies ahead of the one time that was told, which may be an old list that is
// kept, or the stamps are of a clock that was wrong. The next time that is told decides.
bool awaits_time(const State& state, Instant now, const Stream& stream) {
  const Lane& lane = stream.lanes.front();
  if (state.clock.live() || lane.row.opening >= state.opening()) return false;
  const WallMillis limit = state.clock.time(now) + state.config.ahead_max;
  // Stamps may go back: of a clock that was wrong and set right. What is sealed next is judged as it will be sealed.
  return (!lane.unsealed.empty() && front_run(lane, state.config.batch_bytes).newest > limit) ||
         std::any_of(lane.batches.begin(), lane.batches.end(), [&](const Batch& b) { return b.row.newest > limit; });
}

// Sends again what is due. False: the stream has left its state.
bool send_again(State& state, Moment moment, Stream& stream, Effects& out) {
  Lane& lane = stream.lanes.front();
  while (has_room(state)) {
    const auto number = stream.window.due(moment.now);
    if (!number) return true;
    Batch& batch = lane.batches[static_cast<std::size_t>(*number - stream.window.begin())];
    if (!state.journal.is_durable(batch.marked_in)) {  // its first publish waits for its mark
      stream.window.defer(*number);
      continue;
    }
    if (any_old(state, moment.now, stream)) {  // rule 8
      begin_recovery(state, moment, stream, {"older than half of the log's memory"});
      return false;
    }
    publish(state, moment, stream, *number, batch, out);
  }
  return true;
}

// The lane's next batch to publish for the first time, sealed if need be; nothing if there is none or it must wait.
Batch* next_batch(State& state, Moment moment, Stream& stream) {
  Lane& lane = stream.lanes.front();
  const std::size_t at = in_flight(stream);
  if (at < lane.batches.size()) return &lane.batches[at];
  if (lane.unsealed.empty() || linger_end(stream, lane) > moment.now) return nullptr;
  // What an earlier opening took may be published already, by another life of this log: it is not sealed anew
  // with other timestamps before it was looked for.
  const Run run = front_run(lane, state.config.batch_bytes);
  if (lane.row.opening < state.opening() && is_old(state, moment.now, run.oldest, run.newest)) {
    begin_recovery(state, moment, stream, {"older than half of the log's memory"});
    return nullptr;
  }
  return &seal_front(state, moment, stream, lane);
}

// One more batch is to be published: its mark is committed, then it goes (rule 3; see marked()).
bool mark_next(State& state, Moment moment, Stream& stream) {
  Batch* batch = next_batch(state, moment, stream);
  if (batch == nullptr) return false;
  Lane& lane = stream.lanes.front();
  const bool old = is_old(state, moment.now, batch->row.oldest, batch->row.newest);
  if (old && lane.row.opening < state.opening()) {  // rule 8
    begin_recovery(state, moment, stream, {"older than half of the log's memory"});
    return false;
  }
  if (batch->row.anew || old) seal_anew(state, moment, stream, lane, *batch);
  const std::uint64_t number = stream.window.admit();
  stream.window.defer(number);
  batch->row.published = true;
  batch->marked_in = state.journal.open_id();
  state.urgent = true;
  state.journal.add(PutBatch{batch->row});
  put_stream(state, stream);  // partition and where to look from, at the latest now
  return true;
}

void flow(State& state, Moment moment, Stream& stream, Effects& out) {
  retire_lanes(state, stream);
  stream.awaits_time = false;
  if (stream.lanes.empty()) return;
  if (stream.lanes.front().row.must_resolve)
    return begin_recovery(state, moment, stream, {"events of the id were dropped"});
  stream.awaits_time = awaits_time(state, moment.now, stream);
  if (stream.awaits_time) return void(stream.waits_for = "the cloud's time");
  set_limit(state, moment.now, stream);
  if (!send_again(state, moment, stream, out)) return;
  while (stream.window.has_room() && has_room(state) && mark_next(state, moment, stream)) {
  }
}

const uplink::TopicPartition* told(const State& state, const Stream& stream) {
  const auto entry = state.topics.find(stream.row.topic);
  if (entry == state.topics.end() || stream.row.partition.value() < 0) return nullptr;
  const auto at = static_cast<std::size_t>(stream.row.partition.value());
  return at < entry->second.partitions.size() ? &entry->second.partitions[at] : nullptr;
}

bool can_place(const State& state, const Stream& stream) {
  const auto entry = state.topics.find(stream.row.topic);
  if (entry == state.topics.end() || entry->second.partitions.empty()) return false;
  const auto count = static_cast<std::int32_t>(entry->second.partitions.size());
  const auto at = static_cast<std::size_t>(uplink::partition_of(state.config.agent, count).value());
  const uplink::TopicPartition& there = entry->second.partitions[at];
  return there.end.value() >= 0 && there.leader_epoch.value() >= 0;
}

// Answered batches at the front go; the last of them is what the log is asked for from now on (rules 5 and 9).
void acknowledge_prefix(State& state, Stream& stream, std::uint64_t before) {
  Lane& lane = stream.lanes.front();
  const auto count = static_cast<std::size_t>(stream.window.begin() - before);
  for (std::size_t i = 0; i < count; ++i) {
    const Batch& batch = lane.batches.front();
    ASSERT(batch.offset.value() >= 0);  // A5
    const BatchRow& row = batch.row;
    stream.row.acknowledged = {row.producer,
                               uplink::event_epoch,
                               Sequence{0} + row.sequence,
                               Sequence{0} + (row.sequence + row.count() - 1),
                               row.origin,
                               std::max(stream.row.acknowledged.last_index, row.last),
                               batch.offset};
    const bool other_epoch = stream.row.leader_epoch != batch.leader_epoch;
    stream.row.leader_epoch = batch.leader_epoch;
    if (!stream.has_earlier_lanes(state.opening()))
      stream.row.look_from = other_epoch ? batch.offset : std::max(stream.row.look_from, batch.offset);
    else if (other_epoch)
      stream.row.look_from = Offset{0};  // the first that is acknowledged: nothing says where the log went back to
    ++state.counts.batches_acknowledged;
    state.counts.events_acknowledged += static_cast<std::uint64_t>(row.count());
    account(stream, -row.bytes);
    state.journal.add(DeleteBatch{stream.row.id, row.first});
    lane.batches.pop_front();
  }
  if (count == 0) return;
  put_stream(state, stream);  // no hurry: what a crash forgets is sent again, and the log knows it
  if (!lane.batches.empty()) {
    lane.batches.front().refusals = 0;
    lane.batches.front().refused_since = never;
  }
}

void succeeded(State& state, Moment moment, Stream& stream, std::uint64_t number, Batch& batch,
               const uplink::BatchAnswer& answer) {
  if (answer.offset.value() < 0 || answer.leader_epoch.value() < 0) return;
  if (answer.leader_epoch != stream.row.leader_epoch && stream.row.acknowledged.any()) {
    // Rule 9: whether the log went back must be known before anything new is taken for acknowledged. Of a log that was
    // checked under a later epoch since, this tells nothing: what it took may be what was lost. It is sent again.
    if (answer.leader_epoch > stream.row.leader_epoch || moment.now >= stream.verified_until)
      begin_check(state, stream);
    return;
  }
  stream.known = true;
  stream.fruitless = 0;
  stream.refused_with = 0;
  batch.offset = answer.offset;
  batch.leader_epoch = answer.leader_epoch;
  const std::uint64_t before = stream.window.begin();
  stream.window.answered(number);
  acknowledge_prefix(state, stream, before);
}

void out_of_order(State& state, Moment moment, Stream& stream, std::uint64_t number, Batch& batch) {
  if (number != stream.window.begin()) {  // rule 6: the older one first, again
    stream.window.hold(number);
    Batch& oldest = stream.lanes.front().batches.front();
    if (moment.now - oldest.sent_at > Duration{state.config.resend.first.value() / 4})
      stream.window.resend(stream.window.begin());
    return;
  }
  // Nothing older: but an answer to a copy from before may come late, so it is asked once more.
  if (++batch.refusals == 1) return stream.window.resend(number);
  begin_recovery(state, moment, stream, {"out of order with nothing older"});
}

void refused(State& state, Moment moment, Stream& stream, std::uint64_t number, Batch& batch, std::int16_t error) {
  ++state.counts.refused;
  stream.refused_with = error;
  if (error == static_cast<std::int16_t>(ErrorCode::out_of_order_sequence_number))
    return out_of_order(state, moment, stream, number, batch);
  if (error == static_cast<std::int16_t>(ErrorCode::invalid_producer_epoch))
    return begin_recovery(state, moment, stream, {"the id is fenced"});
  if (batch.refused_since == never) batch.refused_since = moment.now;
  if (moment.now - batch.refused_since >= state.config.lasting)
    begin_recovery(state, moment, stream, {"refused", batch.row.first, error});
}

}  // namespace

bool may_pass(std::int16_t error) { return wire::may_pass(static_cast<ErrorCode>(error)); }

void on_batch_answer(State& state, Moment moment, const uplink::BatchAnswer& answer) {
  const auto id = state.by_topic.find(answer.batch.topic);
  if (id == state.by_topic.end()) return void(++state.counts.answers_ignored);
  Stream& stream = state.stream(id->second);
  if (answer.partition != stream.row.partition) return void(++state.counts.answers_ignored);
  if (answer.batch.producer_epoch == uplink::fence_epoch) return on_fence_answer(state, moment, stream, answer);
  if (stream.in_state(Flowing{}) && !stream.lanes.empty() && answer.batch.producer_epoch == uplink::event_epoch) {
    Lane& lane = stream.lanes.front();
    for (std::uint64_t number = stream.window.begin(); number != stream.window.end(); ++number) {
      Batch& batch = lane.batches[static_cast<std::size_t>(number - stream.window.begin())];
      const BatchRow& row = batch.row;
      if (answer.batch.producer_id != row.producer || answer.batch.first != Sequence{0} + row.sequence ||
          answer.batch.last != Sequence{0} + (row.sequence + row.count() - 1))
        continue;
      if (stream.window.is_answered(number)) break;
      if (answer.error == 0) return succeeded(state, moment, stream, number, batch, answer);
      if (!may_pass(answer.error)) return refused(state, moment, stream, number, batch, answer.error);
      return;
    }
  }
  ++state.counts.answers_ignored;
}

void on_listed(State& state, Stream& stream) {
  if (stream.row.partition.value() < 0) {  // rule 2: once, and for ever
    if (!can_place(state, stream)) return;
    const auto& partitions = state.topics.at(stream.row.topic).partitions;
    const auto partition = uplink::partition_of(state.config.agent, static_cast<std::int32_t>(partitions.size()));
    const uplink::TopicPartition& there = partitions[static_cast<std::size_t>(partition.value())];
    stream.row.partition = partition;
    stream.row.leader_epoch = there.leader_epoch;
    // What an earlier opening took may have been sent by another life of this log: then it may stand anywhere.
    stream.row.look_from = stream.has_earlier_lanes(state.opening()) ? Offset{0} : there.end;
    return put_stream(state, stream);
  }
  const uplink::TopicPartition* there = told(state, stream);
  if (there == nullptr || !stream.in_state(Flowing{})) return;
  const bool other_epoch = there->leader_epoch.value() >= 0 && there->leader_epoch != stream.row.leader_epoch;
  const Acknowledged& acknowledged = stream.row.acknowledged;
  if (acknowledged.any()) {
    const bool ends_before = there->end.value() >= 0 && there->end <= acknowledged.offset;
    if (other_epoch || ends_before) return begin_check(state, stream);
  } else if (other_epoch) {
    fences_may_be_lost(state, stream);
    stream.row.leader_epoch = there->leader_epoch;
    stream.row.look_from = Offset{0};
    return put_stream(state, stream);
  }
  if (there->end.value() < 0 || !stream.window.empty() || stream.has_earlier_lanes(state.opening())) return;
  // Rule 7: nothing of ours that is not resolved lies below what the log's end was while nothing was in flight.
  stream.row.look_from = std::max(stream.row.look_from, there->end);
}

void marked(State& state, Stream& stream) {
  if (stream.lanes.empty()) return;
  for (std::uint64_t number = stream.window.begin(); number != stream.window.end(); ++number) {
    const Batch& batch = stream.lanes.front().batches[static_cast<std::size_t>(number - stream.window.begin())];
    if (stream.window.sendings(number) == 0 && state.journal.is_durable(batch.marked_in)) stream.window.resend(number);
  }
}

void pump(State& state, Moment moment, Stream& stream, Effects& out) {
  if (!state.connected || !state.listed) return;
  stream.waits_for.clear();
  if (stream.row.partition.value() < 0) on_listed(state, stream);  // it began after the list came
  if (stream.row.partition.value() < 0 || told(state, stream) == nullptr) {
    stream.waits_for = "topic is not listed";
    return;
  }
  if (stream.in_state(Flowing{})) flow(state, moment, stream, out);
  if (!stream.in_state(Flowing{})) pump_recovery(state, moment, stream, out);
  if (stream.fruitless > 1 && stream.waits_for.empty() && stream.refused_with != 0)
    stream.waits_for = "refused again and again with " + std::to_string(stream.refused_with);
}

Instant pump_due(const State& state, const Stream& stream) {
  if (!state.connected || !state.listed) return never;
  if (stream.row.partition.value() < 0 && !stream.lanes.empty() && can_place(state, stream)) return Instant{};
  if (stream.row.partition.value() < 0 || told(state, stream) == nullptr) return never;
  if (!has_room(state)) return never;
  if (!stream.in_state(Flowing{})) return recovery_due(stream);
  if (stream.lanes.empty()) return never;
  const Lane& lane = stream.lanes.front();
  if (stream.awaits_time) return never;
  Instant due = stream.window.deadline();
  if (!stream.window.has_room()) return due;
  if (in_flight(stream) < lane.batches.size() || lane.row.must_resolve) return Instant{};
  if (lane.empty() && !lane.is_current) return stream.lanes.size() > 1 ? Instant{} : due;
  return std::min(due, linger_end(stream, lane));
}

}  // namespace edgelog::agent
