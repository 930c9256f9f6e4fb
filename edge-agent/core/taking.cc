#include "edge-agent/core/taking.h"

#include <algorithm>

#include "common/base/assert.h"
#include "common/uplink/names.h"
#include "edge-agent/core/bounds.h"
#include "edge-agent/core/gaps.h"
#include "edge-agent/core/sealing.h"

namespace edgelog::agent {
namespace {

Taking outcome(Outcome what, const char* reason = "") { return {what, reason, {}}; }

// Why it cannot be taken whoever sends it; empty if it can.
const char* unfit(const State& state, const Taken& in) {
  if (in.events.size() > events_per_message_max) return "too many events in one message";
  if (in.kind != SourceKind::plain && (in.number < 0 || (in.modulus > 0 && in.number >= in.modulus)))
    return "its number is out of range";
  for (const TakenEvent& event : in.events) {
    const auto stream = state.streams.find(event.stream);
    if (stream == state.streams.end()) return "no such stream";
    if (stream->second->row.topic == uplink::gaps_topic) return "that stream is for gaps";  // its rows are no events
    if (event.bytes > state.config.event_bytes_max) return "larger than the limit for an event";
    if (event.bytes + state.config.event_overhead > stream->second->settings.bytes_max)
      return "larger than its stream may be";  // there is never room for it
  }
  return "";
}

// What the fullest of its streams says: take it, wait, or drop it. A ring keeps what is not confirmed: it need not be
// dropped, nor may it hold up what comes behind it from other devices. A stream that blocks drops the oldest for an
// input that cannot wait.
Outcome room_for(const State& state, const Taken& in) {
  if (state.short_of_space) return Outcome::blocked;
  if (state.new_bytes + state.under_way_bytes > state.config.pending_bytes_max) return Outcome::blocked;
  Outcome worst = Outcome::taken;
  for (const TakenEvent& event : in.events) {
    const Stream& stream = *state.streams.at(event.stream);
    if (!is_full(state, stream, event.bytes + state.config.event_overhead)) continue;
    const WhenFull full = stream.settings.when_full;
    if (full == WhenFull::drop_oldest) continue;
    if (full == WhenFull::block && in.can_wait) return Outcome::blocked;
    if (in.kind == SourceKind::ring) worst = Outcome::later;
    if (full == WhenFull::drop_newest && in.kind != SourceKind::ring) worst = Outcome::dropped;
  }
  return worst;
}

void name_hole(State& state, Moment moment, const Taken& in, const Sources::Verdict& verdict) {
  Gap gap;
  gap.reason = gap_reason::source_hole;
  gap.source = in.source;
  gap.incarnation = in.incarnation;
  gap.source_first = verdict.missing_first;
  gap.source_last = verdict.missing_last;
  gap.count = verdict.missing;
  add_gap(state, moment, std::move(gap));
}

// A full stream that drops the newest: the message goes, by name.
void drop_newest(State& state, Moment moment, const Taken& in) {
  for (const TakenEvent& event : in.events) {
    Gap gap;
    gap.reason = gap_reason::full;
    if (in.kind == SourceKind::plain) gap.stream = state.stream(event.stream).row.topic;
    gap.count = 1;
    gap.first_time = gap.last_time = state.clock.best(moment);
    if (in.kind != SourceKind::plain) {
      gap.source = in.source;
      gap.incarnation = in.incarnation;
      gap.source_first = gap.source_last = in.number;
    }
    add_gap(state, moment, std::move(gap));
    ++state.counts.events_dropped;
    if (in.kind != SourceKind::plain) break;  // named by its number, once
  }
}

void append(State& state, Moment moment, const TakenEvent& event) {
  Stream& stream = state.stream(event.stream);
  Lane& lane = current_lane(state, stream);
  const WallMillis timestamp = timestamp_now(state, moment, stream);
  const std::int32_t bytes = event.bytes + state.config.event_overhead;
  if (lane.unsealed.empty()) lane.linger_from = moment.now;
  const EventIndex index = stream.row.next;
  lane.unsealed.push_back({index, timestamp, bytes});
  lane.unsealed_bytes += bytes;
  account(stream, bytes);
  stream.row.floor = timestamp;
  stream.row.next = index + 1;
  put_stream(state, stream);
  state.assigned.push_back({event.stream, index, timestamp});
  state.new_bytes += bytes;
  ++state.counts.events_taken;
}

void acknowledge_later(State& state, std::uint64_t ticket) {
  if (ticket != 0) state.new_tickets.push_back(ticket);
}

Taking accept(State& state, Moment moment, const Taken& in, const Sources::Verdict& verdict) {
  if (verdict.judgement == Sources::Judgement::hole) name_hole(state, moment, in, verdict);
  state.sources.take(in, state.config);
  for (const TakenEvent& event : in.events) append(state, moment, event);
  for (const TakenEvent& event : in.events) {
    Stream& stream = state.stream(event.stream);
    seal_full(state, moment, stream, current_lane(state, stream));
    enforce_bytes(state, moment, stream);
  }
  acknowledge_later(state, in.ticket);
  state.new_since = std::min(state.new_since, moment.now);
  ++state.counts.messages_taken;
  return {Outcome::taken, "", state.assigned};
}

}  // namespace

Taking take(State& state, Moment moment, const Taken& in) {
  state.assigned.clear();
  const char* reason = unfit(state, in);
  if (*reason != 0) {
    ++state.counts.refused;
    return outcome(Outcome::refused, reason);
  }
  const Sources::Verdict verdict = state.sources.judge(in);
  if (verdict.judgement == Sources::Judgement::repeat || verdict.judgement == Sources::Judgement::not_next) {
    const bool repeat = verdict.judgement == Sources::Judgement::repeat;
    ++(repeat ? state.counts.repeats : state.counts.out_of_order);
    // A ring that is told nothing for now, since its stream is full, sends what comes behind that all the same: an
    // answer would make it send its whole window again.
    const bool waits = !repeat && room_for(state, in) == Outcome::later;
    if (in.kind == SourceKind::ring && !waits) state.sources.ask(in.source, in.incarnation, state.config);
    if (repeat) acknowledge_later(state, in.ticket);
    state.new_since = std::min(state.new_since, moment.now);
    return outcome(repeat ? Outcome::repeat : Outcome::out_of_order);
  }
  const Outcome room = room_for(state, in);
  if (room == Outcome::blocked || room == Outcome::later) {
    ++state.counts.blocked;
    return outcome(room, "the stream is full");
  }
  if (room == Outcome::taken) return accept(state, moment, in, verdict);
  if (verdict.judgement == Sources::Judgement::hole) name_hole(state, moment, in, verdict);
  state.sources.take(in, state.config);
  drop_newest(state, moment, in);
  acknowledge_later(state, in.ticket);
  return outcome(Outcome::dropped, "the stream is full");
}

void device_says(State& state, Moment moment, const DeviceSays& in) {
  const Sources::Lost lost = state.sources.says(in, state.config);
  const auto name = [&](const char* reason, std::int64_t first, std::int64_t last) {
    if (last < first) return;
    Gap gap;
    gap.reason = reason;
    gap.source = in.source;
    gap.incarnation = in.incarnation;
    gap.source_first = first;
    gap.source_last = last;
    gap.count = last - first + 1;
    add_gap(state, moment, std::move(gap));
  };
  name(gap_reason::confirmed_before, lost.confirmed_first, lost.confirmed_last);
  name(gap_reason::ring_lost, lost.lost_first, lost.lost_last);
  state.new_since = std::min(state.new_since, moment.now);
}

Instant round_due(const State& state) {
  if (state.journal.under_way()) return state.journal.retry_at();
  if (state.urgent || (!state.new_tickets.empty() && state.new_bytes == 0)) return Instant{};
  if (state.new_bytes > state.config.round_bytes || state.new_tickets.size() >= state.config.round_messages)
    return Instant{};
  return state.new_since == never ? never : state.new_since + state.config.round_linger;
}

void commit_round(State& state, Instant now, Effects& out) {
  state.sources.emit_confirmations(now, out);
  if (state.journal.under_way()) return state.journal.retry(now, out);
  if (!state.journal.empty()) state.new_since = std::min(state.new_since, now);
  if (round_due(state) > now) return;
  std::vector<Op> head;
  for (auto& [id, stream] : state.streams) {
    if (stream->dirty) head.push_back(PutStream{stream->row});
    stream->dirty = false;
    if (stream->new_from < stream->row.next)
      head.push_back(InsertEvents{id, stream->new_from, EventIndex{stream->row.next.value() - 1}});
    stream->new_from = stream->row.next;
  }
  if (state.sources.dirty()) {
    state.sources.collect(head);
    state.meta.source_used = state.sources.used();
  }
  for (const std::uint64_t ticket : state.new_tickets) state.journal.then(Acknowledge{ticket});
  state.new_tickets.clear();
  state.new_since = never;
  state.urgent = false;
  if (head.empty() && state.journal.empty()) return;
  state.under_way_bytes = state.new_bytes;
  state.new_bytes = 0;
  ++state.counts.commits;
  state.journal.commit(std::move(head), out);
}

namespace {

void set_size(State& state, const BatchRow& row, std::int32_t bytes) {
  Stream& stream = state.stream(row.stream);
  for (Lane& lane : stream.lanes)
    for (auto batch = lane.batches.rbegin(); batch != lane.batches.rend(); ++batch) {
      if (batch->row.first != row.first || batch->row.origin != row.origin || batch->row.last != row.last) continue;
      account(stream, bytes - batch->row.bytes);
      batch->row.bytes = bytes;
      return;
    }
}

}  // namespace

void round_committed(State& state, Instant now, const Committed& in, Effects& out) {
  std::size_t at = 0;
  const auto next_size = [&] {
    ASSERT(at < in.sealed_bytes.size());  // A1
    return in.sealed_bytes[at++];
  };
  for (const Op& op : state.journal.under_way_transaction().ops) {
    if (const auto* seal = std::get_if<Seal>(&op)) {
      set_size(state, seal->row, next_size());
    } else if (const auto* reseal = std::get_if<Reseal>(&op)) {
      for (const BatchRow& part : reseal->parts) set_size(state, part, next_size());
    }
  }
  state.under_way_bytes = 0;
  state.journal.committed(in.id, out);
  state.sources.committed();
  state.sources.emit_confirmations(now, out);
}

}  // namespace edgelog::agent
