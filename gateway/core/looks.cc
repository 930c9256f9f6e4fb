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
  if (waiting_ >= config_.waiters_max) {
    metrics_.refused_full.add();
    return;  // the agent asks again
  }
  ++waiting_;
  metrics_.waiting.set(static_cast<std::int64_t>(waiting_));
  partitions_[key].next.push_back(std::move(waiter));
  start_rounds(now, out);
}

// Partitions take turns, beginning behind the one that was started last.
void Looks::start_rounds(Instant now, Effects& out) {
  auto entry = partitions_.upper_bound(last_started_);
  for (std::size_t seen = 0; seen < partitions_.size() && running_.size() < config_.rounds_max; ++seen, ++entry) {
    if (entry == partitions_.end()) entry = partitions_.begin();
    Partition& partition = entry->second;
    if (partition.running || partition.next.empty()) continue;
    partition.running = true;
    partition.round = Round{};
    partition.round.waiters.swap(partition.next);
    partition.round.progress = now;
    running_.insert(entry->first);
    last_started_ = entry->first;
    metrics_.rounds.add();
    begin(now, entry, out);
  }
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
  go_on(now, entry, out);
}

void Looks::go_on(Instant now, Entry entry, Effects& out) {
  Round& round = entry->second.round;
  if (!round.range_known) return ask_range(now, entry, out);
  Read read{{}, entry->first.first, PartitionIndex{entry->first.second}, {}, {}};
  for (const Waiter& waiter : round.waiters) {
    if (!waiter.expectation_open) continue;
    read.from = waiter.request.expected->offset;
    read.to = read.from + 1;
    read.all = true;
    return ask_read(now, entry, Asked::spot, std::move(read), out);
  }
  if (round.next >= round.end) return answer_all(entry, 0, out);
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
  round.wake = now + config_.answer_timeout;
  open_.emplace(round.id, entry->first);
  out.push_back(AskRange{round.id, entry->first.first, PartitionIndex{entry->first.second}});
}

void Looks::ask_read(Instant now, Entry entry, Asked what, Read read, Effects& out) {
  Round& round = entry->second.round;
  round.asked = what;
  round.id = read.id = ReadId{++last_id_};
  round.asked_from = read.from;
  round.wake = now + config_.answer_timeout;
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
  go_on(now, entry, out);
}

void Looks::on(Instant now, const RangeRead& in, Effects& out) {
  const auto entry = take_open(in.id);
  if (entry == partitions_.end()) return;
  Round& round = entry->second.round;
  ASSERT(round.asked == Asked::spot || round.asked == Asked::piece);  // L1
  if (in.error != 0) return failed(now, entry, in.error, out);
  if (in.next <= round.asked_from) return failed(now, entry, code(ErrorCode::request_timed_out), out);
  round.progress = now;
  round.failures = 0;
  metrics_.batches_seen.add(in.batches.size());
  if (round.asked == Asked::spot) {
    judge_spot(round, round.asked_from, in.batches);
  } else {
    for (const BatchSeen& batch : in.batches)
      if (batch.last >= round.asked_from && batch.base < round.end) note(round, batch);
    round.next = in.next;
  }
  go_on(now, entry, out);
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

void Looks::judge_spot(Round& round, Offset at, const std::vector<BatchSeen>& batches) {
  const auto there =
      std::find_if(batches.begin(), batches.end(), [&](const BatchSeen& b) { return b.base <= at && at <= b.last; });
  for (Waiter& waiter : round.waiters) {
    if (!waiter.expectation_open || waiter.request.expected->offset != at) continue;
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
  if (lasts || now - round.progress >= config_.retry_total) return answer_all(entry, error, out);
  // The log's start has moved, or the log went back: nothing that was read of it can be relied on.
  if (error == code(ErrorCode::offset_out_of_range)) round.range_known = false;
  round.asked = Asked::nothing;
  const std::int64_t doubled = config_.retry_min.value() << std::min<std::uint32_t>(round.failures++, 10);
  const std::int64_t whole = std::min(config_.retry_max.value(), doubled);
  round.wake = now + Duration{prng_.between(whole / 2, whole)};
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
    out.push_back(AnswerLook{std::move(waiter.agent), std::move(waiter.answer)});
  }
  waiting_ -= partition.round.waiters.size();
  metrics_.waiting.set(static_cast<std::int64_t>(waiting_));
  partition.running = false;
  partition.round = Round{};
  running_.erase(entry->first);
  if (partition.next.empty()) partitions_.erase(entry);
}

void Looks::tick(Instant now, Effects& out) {
  const auto keys = running_;  // rounds may end while they are visited
  for (const PartitionKey& key : keys) {
    const auto entry = partitions_.find(key);
    if (entry == partitions_.end() || !entry->second.running || entry->second.round.wake > now) continue;
    Round& round = entry->second.round;
    if (round.asked == Asked::nothing) {
      if (round.range_known)
        go_on(now, entry, out);
      else
        begin(now, entry, out);
    } else {
      open_.erase(round.id);
      failed(now, entry, code(ErrorCode::request_timed_out), out);
    }
  }
  start_rounds(now, out);
}

Instant Looks::deadline() const {
  Instant at = never;
  for (const PartitionKey& key : running_) at = std::min(at, partitions_.at(key).round.wake);
  return at;
}

}  // namespace edgelog::gateway
