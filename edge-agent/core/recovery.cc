#include "edge-agent/core/recovery.h"

#include <algorithm>

#include "common/base/assert.h"
#include "common/uplink/names.h"
#include "edge-agent/core/flow.h"
#include "edge-agent/core/settle.h"

namespace edgelog::agent {
namespace {

constexpr Duration verified_for = seconds(30);

void send_fences(State& state, Moment moment, Stream& stream, Fencing& fencing, Effects& out) {
  // By the cloud's clock: a log that forgets ids by record timestamp must remember the fence from now on.
  const WallMillis now = state.clock.known() ? state.clock.time(moment.now) : moment.wall;
  for (const Fence& fence : stream.fences) {
    if (fence.answered) continue;
    ++state.counts.fences;
    ++state.handed;
    out.push_back(PublishFence{stream.row.topic, stream.row.partition, fence.id, now});
  }
  ++fencing.sendings;
  fencing.due = moment.now + window::wait_after(state.config.resend, fencing.sendings, state.random);
}

uplink::LookRequest request_of(const Stream& stream, std::int64_t look_id, Offset from, bool check_only) {
  uplink::LookRequest request;
  request.look_id = look_id;
  request.partition = stream.row.partition;
  request.from = from;
  request.check_only = check_only;
  const Acknowledged& last = stream.row.acknowledged;
  if (!last.any()) return request;
  uplink::BatchAnswer expected;
  expected.batch = {stream.row.topic, last.producer, last.producer_epoch, last.first_sequence, last.last_sequence};
  expected.partition = stream.row.partition;
  expected.offset = last.offset;
  expected.leader_epoch = stream.row.leader_epoch;
  request.expected = expected;
  return request;
}

template <class Asking>
void send_look(State& state, Moment moment, Stream& stream, Asking& asking, Offset from, bool check_only,
               Effects& out) {
  ++(check_only ? state.counts.checks : state.counts.looks);
  ++state.handed;
  ++asking.sendings;
  asking.due = moment.now + window::wait_after(state.config.resend, asking.sendings, state.random);
  out.push_back(PublishLook{stream.row.topic, request_of(stream, asking.look_id, from, check_only)});
}

void begin_fencing(Stream& stream) { stream.state = Fencing{}; }

// Rule 9: a log that went back may have lost the fence of any id that was ever given up, and a copy on its way or
// another life of this log may still use it. So all that are known are fenced again, but for the one that takes.
void fence_all_known(Stream& stream) {
  stream.fences.assign(1, Fence{stream.lanes.front().row.producer});
  for (const auto& [id, stranger] : stream.producers) {
    const bool front = id == stream.lanes.front().row.producer;
    const bool takes = stream.lanes.back().is_current && id == stream.lanes.back().row.producer;
    if (!front && !takes) stream.fences.push_back({id, stranger});
  }
}

void begin_look(State& state, Stream& stream) {
  Looking looking;
  looking.look_id = ++state.last_look_id;
  looking.from = std::max(stream.row.look_from, Offset{0});
  stream.state = looking;
}

// Rule 9: a log goes back under a later leader only. Under the stored epoch or an older one, that it did is told by a
// leader that was deposed and does not know it; but when that is told for long, it is the log.
bool stale_for_long(const State& state, Moment moment, Stream& stream) {
  if (stream.stale_since == never) stream.stale_since = moment.now;
  return moment.now - stream.stale_since >= state.config.stale_epoch;
}
bool believed(const State& state, Moment moment, Stream& stream, const uplink::LookAnswer& answer) {
  const LeaderEpoch known = stream.row.leader_epoch;
  return (answer.leader_epoch > known && answer.found_epoch >= known) || stale_for_long(state, moment, stream);
}

// The log's end as it was told holds under the leader epoch that it was told under: under another one the log may
// have gone back to below it, and only what still stands there bounds where something of ours may lie.
// False: nothing is looked for from too far on.
bool look_from_less(State& state, Stream& stream, LeaderEpoch now) {
  const Offset stands = std::max(stream.row.acknowledged.offset, Offset{0});
  if (now == stream.row.leader_epoch || stream.row.look_from <= stands) return false;
  stream.row.look_from = stands;
  put_stream(state, stream);
  return true;
}

// What was answered while an older batch was not is behind the acknowledged one: under another leader epoch nobody
// knows whether it still stands.
void answers_may_be_void(State& state, Stream& stream) {
  if (stream.lanes.empty()) return;
  bool any = false;
  for (std::uint64_t number = stream.window.begin(); number != stream.window.end(); ++number)
    any = any || stream.window.is_answered(number);
  if (any) must_resolve(state, stream.lanes.front());
}

void checked(State& state, Moment moment, Stream& stream, const uplink::LookAnswer& answer) {
  const bool replaced = answer.expectation == static_cast<std::int8_t>(uplink::Expectation::replaced);
  if (replaced && !believed(state, moment, stream, answer)) return;
  stream.verified_until = moment.now + verified_for;
  stream.stale_since = never;
  if (replaced) return went_back(state, moment, stream, answer.leader_epoch);
  look_from_less(state, stream, answer.leader_epoch);
  if (answer.leader_epoch != stream.row.leader_epoch) {
    fences_may_be_lost(state, stream);
    answers_may_be_void(state, stream);
  }
  stream.row.leader_epoch = answer.leader_epoch;
  put_stream(state, stream);
  stream.state = Flowing{};
}

bool has_fence(const uplink::LookAnswer& answer, ProducerId id) {
  return std::any_of(answer.sightings.begin(), answer.sightings.end(),
                     [&](const uplink::Sighting& s) { return s.is_fence && s.producer_id == id; });
}

// Ids of the agent that its log does not know, and fences of ours that are no longer there: to be fenced (again).
bool fence_more(State& state, Stream& stream, const uplink::LookAnswer& answer) {
  bool more = false;
  for (Fence& fence : stream.fences) {
    if (fence.offset < std::max(answer.from, answer.log_start) || has_fence(answer, fence.id)) continue;
    fence.answered = false;  // the log went back between the fence and the look
    more = true;
  }
  for (const uplink::Sighting& sighting : answer.sightings) {
    const ProducerId id = sighting.producer_id;
    if (stream.producers.contains(id) || !uplink::belongs_to(id, state.config.agent)) continue;
    const bool listed =
        std::any_of(stream.fences.begin(), stream.fences.end(), [&](const Fence& fence) { return fence.id == id; });
    if (listed || has_fence(answer, id)) continue;
    if (stream.fences.size() >= state.config.fences_max) break;
    stream.fences.push_back({id, true});
    more = true;
  }
  return more;
}

void looked(State& state, Moment moment, Stream& stream, const uplink::LookAnswer& answer) {
  // A leader that was deposed and does not know it may answer for the log as it was before the fence.
  if (answer.leader_epoch < stream.fence_epoch && !stale_for_long(state, moment, stream)) return;
  const bool replaced = answer.expectation == static_cast<std::int8_t>(uplink::Expectation::replaced);
  if (replaced && !believed(state, moment, stream, answer)) return;
  stream.stale_since = never;
  if (replaced) return went_back(state, moment, stream, answer.leader_epoch);
  if (look_from_less(state, stream, answer.leader_epoch)) {
    stream.row.leader_epoch = answer.leader_epoch;
    return begin_look(state, stream);
  }
  if (answer.to < answer.from) {  // the log ends before what it once told as its end
    stream.row.look_from = Offset{0};
    put_stream(state, stream);
    return begin_look(state, stream);
  }
  if (fence_more(state, stream, answer)) return begin_fencing(stream);
  settle(state, moment, stream, answer);
}

}  // namespace

// The second in a row without a success between them waits, and each one after it longer: a log that refuses whatever
// comes is not filled with fences.
void begin_recovery(State& state, Moment moment, Stream& stream, Cause cause) {
  ASSERT(stream.in_state(Flowing{}) && !stream.lanes.empty());  // A6
  ++state.counts.recoveries;
  stream.cause = cause;
  stream.fences.assign(1, Fence{stream.lanes.front().row.producer});
  if (!stream.row.acknowledged.any()) fence_all_known(stream);  // before the first one, or the log went back
  stream.fence_epoch = LeaderEpoch{-1};
  begin_fencing(stream);
  if (stream.fruitless > 0)
    std::get<Fencing>(stream.state).due =
        moment.now + window::wait_after(state.config.resend, stream.fruitless, state.random);
}

void begin_check(State& state, Stream& stream) {
  ASSERT(stream.in_state(Flowing{}) && stream.row.acknowledged.any());  // A6
  stream.state = Checking{++state.last_look_id, stream.row.look_from};
}

void pump_recovery(State& state, Moment moment, Stream& stream, Effects& out) {
  if (auto* fencing = std::get_if<Fencing>(&stream.state)) {
    if (fencing->due <= moment.now) send_fences(state, moment, stream, *fencing, out);
    stream.waits_for = fencing->refused_with == 0 ? "" : "fence refused with " + std::to_string(fencing->refused_with);
  } else if (auto* looking = std::get_if<Looking>(&stream.state)) {
    if (looking->due <= moment.now) send_look(state, moment, stream, *looking, looking->from, false, out);
  } else if (auto* checking = std::get_if<Checking>(&stream.state)) {
    if (checking->due <= moment.now) send_look(state, moment, stream, *checking, checking->from, true, out);
  }
}

Instant recovery_due(const Stream& stream) {
  if (const auto* fencing = std::get_if<Fencing>(&stream.state)) return fencing->due;
  if (const auto* looking = std::get_if<Looking>(&stream.state)) return looking->due;
  if (const auto* checking = std::get_if<Checking>(&stream.state)) return checking->due;
  return never;
}

void recovery_reconnected(Stream& stream) {
  if (auto* fencing = std::get_if<Fencing>(&stream.state)) fencing->due = Instant{};
  if (auto* looking = std::get_if<Looking>(&stream.state)) looking->due = Instant{};
  if (auto* checking = std::get_if<Checking>(&stream.state)) checking->due = Instant{};
}

void on_fence_answer(State& state, Moment moment, Stream& stream, const uplink::BatchAnswer& answer) {
  auto* fencing = std::get_if<Fencing>(&stream.state);
  const auto fence = std::find_if(stream.fences.begin(), stream.fences.end(), [&](const Fence& f) {
    return !f.answered && f.id == answer.batch.producer_id && answer.batch.first == Sequence{0} &&
           answer.batch.last == Sequence{0};
  });
  if (fencing == nullptr || fence == stream.fences.end()) return void(++state.counts.answers_ignored);
  if (answer.error != 0) {
    if (may_pass(answer.error)) return;
    if (fencing->refused_since == never) fencing->refused_since = moment.now;
    if (moment.now - fencing->refused_since >= state.config.lasting) fencing->refused_with = answer.error;
    return;
  }
  if (answer.offset.value() < 0 || answer.leader_epoch.value() < 0)  // it says not where: nobody knows that it stands
    return void(++state.counts.answers_ignored);
  fence->answered = true;
  fence->offset = answer.offset;
  stream.fence_epoch = std::max(stream.fence_epoch, answer.leader_epoch);
  const bool all = std::all_of(stream.fences.begin(), stream.fences.end(), [](const Fence& f) { return f.answered; });
  if (all) begin_look(state, stream);  // rule 7: the end is asked for after the answer
}

void on_look_answer(State& state, Moment moment, const uplink::LookAnswer& answer) {
  const auto id = state.by_topic.find(answer.topic);
  if (id == state.by_topic.end()) return void(++state.counts.answers_ignored);
  Stream& stream = state.stream(id->second);
  const auto* looking = std::get_if<Looking>(&stream.state);
  const auto* checking = std::get_if<Checking>(&stream.state);
  const std::int64_t awaited = looking != nullptr ? looking->look_id : checking != nullptr ? checking->look_id : 0;
  if (awaited == 0 || awaited != answer.look_id || answer.partition != stream.row.partition)
    return void(++state.counts.answers_ignored);
  if (answer.error != 0) return;  // asked again after a while
  const Offset from = looking != nullptr ? looking->from : checking->from;
  if (answer.from != std::max(from, Offset{0})) return void(++state.counts.answers_ignored);
  if (checking != nullptr) return checked(state, moment, stream, answer);
  looked(state, moment, stream, answer);
}

void settled(State& state, Stream& stream) {
  const auto* settling = std::get_if<Settling>(&stream.state);
  if (settling != nullptr && state.journal.is_durable(settling->transaction)) stream.state = Flowing{};
}

}  // namespace edgelog::agent
