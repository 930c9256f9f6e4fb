#include "gateway/core/looks.h"

#include <algorithm>

#include "common/base/assert.h"
#include "gateway/core/errors.h"

namespace edgelog::gateway {
namespace {

std::uint32_t prefix_of(ProducerId id) {
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(id.value()) >> 32);
}

bool stands_there(const uplink::BatchAnswer& expected, const BatchSeen& batch) {
  const uplink::BatchName& name = expected.batch;
  return batch.base == expected.offset && batch.producer_id == name.producer_id && batch.first == name.first &&
         batch.producer_epoch == name.producer_epoch && batch.first + (batch.record_count - 1) == name.last;
}

}  // namespace

Looks::Looks(const LookConfig& config, std::uint64_t seed) : config_(config), prng_(seed) {}

void Looks::ask(Instant now, const LookArrived& in, Effects& out) {
  metrics_.asked.add();
  const PartitionKey key{in.topic, in.request.partition.value()};
  const auto same = [&](const Waiter& w) { return w.agent == in.agent; };
  Waiter waiter{in.agent, prefix_of(uplink::make_producer_id(in.agent, 0)), in.request};
  if (const auto entry = partitions_.find(key); entry != partitions_.end()) {
    Partition& partition = entry->second;
    for (const Waiter& w : partition.round.waiters)
      if (partition.running && same(w) && w.request.look_id == in.request.look_id) return;  // asked again: on its way
    const auto waiting = std::find_if(partition.next.begin(), partition.next.end(), same);
    if (waiting != partition.next.end()) {
      *waiting = std::move(waiter);  // an agent's stream looks for one thing at a time: the newest
      return;
    }
  }
  const auto own = waiting_of_.find(in.agent);
  if (waiting_ >= config_.waiters_max || (own != waiting_of_.end() && own->second >= config_.agent_waiters_max)) {
    metrics_.refused_full.add();
    return;  // the agent asks again
  }
  ++waiting_;
  ++waiting_of_[in.agent];
  metrics_.waiting.set(static_cast<std::int64_t>(waiting_));
  Partition& partition = partitions_[key];
  partition.next.push_back(std::move(waiter));
  if (!partition.running) ready_.insert(key);
  take_turns(now, out);
}

// In their order, beginning behind the one that had the last turn.
void Looks::take_turns(Instant now, Effects& out) {
  while (!ready_.empty() && open_.size() < config_.questions_max) {
    auto turn = ready_.upper_bound(last_turn_);
    if (turn == ready_.end()) turn = ready_.begin();
    last_turn_ = *turn;
    ready_.erase(turn);
    const auto entry = partitions_.find(last_turn_);
    ASSERT(entry != partitions_.end());  // L3
    take_turn(now, entry, out);
  }
}

void Looks::take_turn(Instant now, Entry entry, Effects& out) {
  if (!entry->second.running) start_round(entry);
  if (entry->second.round.range_known) return go_on(now, entry, out);
  begin(now, entry, out);
}

void Looks::start_round(Entry entry) {
  Partition& partition = entry->second;
  partition.running = true;
  partition.round = Round{};
  partition.round.waiters.swap(partition.next);
  metrics_.rounds.add();
}

void Looks::wake_at(Entry entry, Instant when) {
  Round& round = entry->second.round;
  if (round.wake != never) alarms_.erase({round.wake, entry->first});
  round.wake = when;
  if (when != never) alarms_.emplace(when, entry->first);
}

// From the beginning: also when the log has changed under the reader.
void Looks::begin(Instant now, Entry entry, Effects& out) {
  Round& round = entry->second.round;
  round.range_known = false;
  for (Waiter& waiter : round.waiters) {
    waiter.answer = {};
    waiter.answer.look_id = waiter.request.look_id;
    waiter.answer.topic = entry->first.first;
    waiter.answer.partition = waiter.request.partition;
    waiter.expectation_open = waiter.overflow = false;
  }
  ask_range(now, entry, out);
}

void Looks::go_on(Instant now, Entry entry, Effects& out) {
  Round& round = entry->second.round;
  Read read{{}, entry->first.first, PartitionIndex{entry->first.second}, {}, {}};
  for (const Waiter& waiter : round.waiters) {
    if (!waiter.expectation_open) continue;
    read.from = waiter.request.expected->offset;
    read.to = read.from + 1;
    read.spot = true;
    return ask_read(now, entry, Asked::spot, std::move(read), out);
  }
  ASSERT(round.next < round.end);  // L3
  for (const Waiter& waiter : round.waiters)
    if (!waiter.request.check_only) read.prefixes.push_back(waiter.prefix);
  std::sort(read.prefixes.begin(), read.prefixes.end());
  read.prefixes.erase(std::unique(read.prefixes.begin(), read.prefixes.end()), read.prefixes.end());
  read.from = round.next;
  read.to = round.end;
  ask_read(now, entry, Asked::piece, std::move(read), out);
}

void Looks::ask_range(Instant now, Entry entry, Effects& out) {
  Round& round = entry->second.round;
  round.asked = Asked::range;
  round.id = ReadId{++last_id_};
  round.asked_at = now;
  wake_at(entry, now + config_.answer_timeout);
  open_.emplace(round.id, entry->first);
  out.push_back(AskRange{round.id, entry->first.first, PartitionIndex{entry->first.second}});
}

void Looks::ask_read(Instant now, Entry entry, Asked what, Read read, Effects& out) {
  Round& round = entry->second.round;
  round.asked = what;
  round.id = read.id = ReadId{++last_id_};
  round.asked_from = read.from;
  round.asked_at = now;
  wake_at(entry, now + config_.answer_timeout);
  open_.emplace(round.id, entry->first);
  out.push_back(std::move(read));
}

Looks::Entry Looks::take_open(ReadId id) {
  const auto open = open_.find(id);
  if (open == open_.end()) return partitions_.end();
  const auto entry = partitions_.find(open->second);
  ASSERT(entry != partitions_.end() && entry->second.running && entry->second.round.id == id);  // L1
  open_.erase(open);
  return entry;
}

void Looks::on(Instant now, const RangeKnown& in, Effects& out) {
  const auto entry = take_open(in.id);
  if (entry == partitions_.end()) return;
  Round& round = entry->second.round;
  ASSERT(round.asked == Asked::range);  // L1
  if (in.error != 0) return failed(now, entry, in.error, out);
  round.range_known = true;
  round.log_start = in.log_start;
  round.end = in.end;
  round.leader_epoch = in.leader_epoch;
  judge_ends(round);
  succeeded(entry, out);
}

void Looks::on(Instant now, const RangeRead& in, Effects& out) {
  const auto entry = take_open(in.id);
  if (entry == partitions_.end()) return;
  Round& round = entry->second.round;
  ASSERT(round.asked == Asked::spot || round.asked == Asked::piece);  // L1
  if (in.error != 0) return failed(now, entry, in.error, out);
  if (in.next <= round.asked_from) return failed(now, entry, code(ErrorCode::request_timed_out), out);
  metrics_.batches_seen.add(in.batches.size());
  // Here only: a log that tells its range and is never read must be given up too.
  round.failing_since = never;
  round.failures = 0;
  if (round.asked == Asked::spot) {
    judge_spot(round, round.asked_from, in.batches);
  } else {
    for (const BatchSeen& batch : in.batches)
      if (batch.last >= round.asked_from && batch.base < round.end) note(round, batch);
    round.next = in.next;
  }
  succeeded(entry, out);
}

bool Looks::wants_more(const Round& round) {
  return round.next < round.end ||
         std::any_of(
             round.waiters.begin(), round.waiters.end(), [](const Waiter& waiter) { return waiter.expectation_open; });
}

// What is next waits for its turn, which comes in the same step where nobody else waits.
void Looks::succeeded(Entry entry, Effects& out) {
  Round& round = entry->second.round;
  if (!wants_more(round)) return answer_all(entry, 0, out);
  round.asked = Asked::nothing;
  wake_at(entry, never);
  ready_.insert(entry->first);
}

// What the range alone says: where to read, and whether the expected batch can stand within it at all.
void Looks::judge_ends(Round& round) {
  round.next = round.end;
  for (Waiter& waiter : round.waiters) {
    uplink::LookAnswer& answer = waiter.answer;
    const Offset from = std::max(waiter.request.from, Offset{0});
    answer.from = from;
    answer.to = round.end;
    answer.log_start = round.log_start;
    answer.leader_epoch = round.leader_epoch;
    if (!waiter.request.check_only) round.next = std::min(round.next, std::max(from, round.log_start));
    if (!waiter.request.expected) continue;
    const Offset expected = waiter.request.expected->offset;
    waiter.expectation_open = expected >= round.log_start && expected < round.end;
    if (waiter.expectation_open) continue;
    const bool gone = expected < round.log_start;
    answer.expectation = static_cast<std::int8_t>(gone ? uplink::Expectation::gone : uplink::Expectation::replaced);
    if (!gone) answer.found_epoch = round.leader_epoch;
  }
}

// Of all whose offset lies in what came, not only of the one for whom it was read.
void Looks::judge_spot(Round& round, Offset at, const std::vector<BatchSeen>& batches) {
  for (Waiter& waiter : round.waiters) {
    if (!waiter.expectation_open) continue;
    const Offset offset = waiter.request.expected->offset;
    const auto there = std::find_if(batches.begin(), batches.end(),
                                    [&](const BatchSeen& b) { return b.base <= offset && offset <= b.last; });
    if (there == batches.end() && offset != at) continue;
    const bool found = there != batches.end() && stands_there(*waiter.request.expected, *there);
    waiter.expectation_open = false;
    waiter.answer.expectation =
        static_cast<std::int8_t>(found ? uplink::Expectation::found : uplink::Expectation::replaced);
    waiter.answer.found_epoch = there != batches.end() ? there->leader_epoch : round.leader_epoch;
  }
}

// Adds a batch to what its agent is told, to the range that it continues where there is one.
void Looks::note(Round& round, const BatchSeen& batch) {
  for (Waiter& waiter : round.waiters) {
    if (waiter.request.check_only || waiter.prefix != prefix_of(batch.producer_id) || batch.last < waiter.answer.from)
      continue;
    if (!batch.fence && !batch.origin) continue;
    auto& all = waiter.answer.sightings;
    uplink::Sighting sighting{batch.producer_id, batch.producer_id, EventIndex{0}, EventIndex{-1}, batch.base, true};
    if (!batch.fence) {
      const EventIndex first = batch.origin->index;
      sighting = {batch.producer_id, batch.origin->origin, first, first + (batch.record_count - 1), batch.base, false};
      const auto before = std::find_if(all.rbegin(), all.rend(), [&](const uplink::Sighting& s) {
        return !s.is_fence && s.producer_id == sighting.producer_id && s.origin == sighting.origin;
      });
      if (before != all.rend() && before->last + 1 == sighting.first) {
        before->last = sighting.last;
        continue;
      }
    }
    if (all.size() < config_.sightings_max)
      all.push_back(sighting);
    else
      waiter.overflow = true;
  }
}

void Looks::failed(Instant now, Entry entry, std::int16_t error, Effects& out) {
  Round& round = entry->second.round;
  metrics_.retries.add();
  const bool lasts = !is_retriable(error) && error != code(ErrorCode::offset_out_of_range);
  if (round.failing_since == never) round.failing_since = round.asked_at;
  if (lasts || now - round.failing_since >= config_.retry_total) return answer_all(entry, error, out);
  // The log's start has moved, or the log went back: nothing that was read of it can be relied on.
  if (error == code(ErrorCode::offset_out_of_range)) round.range_known = false;
  round.asked = Asked::nothing;
  const std::int64_t doubled = config_.retry_min.value() << std::min<std::uint32_t>(round.failures++, 10);
  const std::int64_t whole = std::min(config_.retry_max.value(), doubled);
  wake_at(entry, now + Duration{prng_.between(whole / 2, whole)});
}

void Looks::answer_all(Entry entry, std::int16_t error, Effects& out) {
  Partition& partition = entry->second;
  for (Waiter& waiter : partition.round.waiters) {
    if (error == 0 && waiter.overflow)
      waiter.answer.error = code(ErrorCode::message_too_large);
    else
      waiter.answer.error = error;
    if (waiter.answer.error != 0) waiter.answer.sightings.clear();
    (waiter.answer.error == 0 ? metrics_.answered_ok : metrics_.answered_error).add();
    if (const auto own = waiting_of_.find(waiter.agent); --own->second == 0) waiting_of_.erase(own);
    out.push_back(AnswerLook{std::move(waiter.agent), std::move(waiter.answer)});
  }
  waiting_ -= partition.round.waiters.size();
  metrics_.waiting.set(static_cast<std::int64_t>(waiting_));
  wake_at(entry, never);
  partition.running = false;
  partition.round = Round{};
  if (partition.next.empty())
    partitions_.erase(entry);
  else
    ready_.insert(entry->first);
}

void Looks::tick(Instant now, Effects& out) {
  while (!alarms_.empty() && alarms_.begin()->first <= now) {
    const auto entry = partitions_.find(alarms_.begin()->second);
    ASSERT(entry != partitions_.end() && entry->second.running);  // L3
    Round& round = entry->second.round;
    wake_at(entry, never);
    if (round.asked == Asked::nothing) {
      ready_.insert(entry->first);
    } else {
      open_.erase(round.id);
      failed(now, entry, code(ErrorCode::request_timed_out), out);
    }
  }
  take_turns(now, out);
}

Instant Looks::deadline() const { return alarms_.empty() ? never : alarms_.begin()->first; }

}  // namespace edgelog::gateway
