#include "edge-agent/core/agent.h"

#include <algorithm>

#include "edge-agent/core/bounds.h"
#include "edge-agent/core/flow.h"
#include "edge-agent/core/opening.h"
#include "edge-agent/core/recovery.h"
#include "edge-agent/core/state.h"
#include "edge-agent/core/taking.h"

namespace edgelog::agent {

struct Agent::Parts {
  Parts(const Config& config, std::uint64_t seed) : state(config, seed) {}
  State state;

  // Everything that may go, in the order of priorities, and then what needs a transaction.
  void go_on(Moment moment, Effects& out) {
    for (const StreamId id : state.by_priority) {
      Stream& stream = state.stream(id);
      enforce_age(state, moment, stream);
      pump(state, moment, stream, out);
    }
    commit_round(state, moment.now, out);
  }
};

Agent::Agent(const Config& config, Persisted persisted, std::uint64_t seed, Moment moment, bool log_lost)
    : parts_(std::make_unique<Parts>(config, seed)) {
  open(parts_->state, moment, std::move(persisted), log_lost);
}

Agent::~Agent() = default;

std::optional<StreamId> Agent::stream(std::string_view topic) {
  State& state = parts_->state;
  const auto found = state.by_topic.find(topic);
  if (found != state.by_topic.end()) return found->second;
  Stream* made = create_stream(state, topic);
  if (made == nullptr) return std::nullopt;
  return made->row.id;
}

Taking Agent::step(Moment moment, const Taken& in, Effects& out) {
  const Taking taking = take(parts_->state, moment, in);
  commit_round(parts_->state, moment.now, out);
  return taking;
}

void Agent::step(Moment moment, const DeviceSays& in, Effects& out) {
  device_says(parts_->state, moment, in);
  commit_round(parts_->state, moment.now, out);
}

void Agent::step(Moment moment, const Committed& in, Effects& out) {
  State& state = parts_->state;
  round_committed(state, moment.now, in, out);
  for (auto& [id, stream] : state.streams) {
    settled(state, *stream);
    marked(state, *stream);
  }
  parts_->go_on(moment, out);
}

void Agent::step(Moment moment, const CommitFailed& in, Effects&) {
  State& state = parts_->state;
  ++state.counts.commits_failed;
  state.journal.failed(in.id, moment.now + state.config.commit_retry);
}

void Agent::step(Moment moment, const Connected&, Effects& out) {
  State& state = parts_->state;
  state.connected = true;
  state.listed = false;
  state.handed = 0;
  for (auto& [id, stream] : state.streams) {
    stream->known = false;  // rule 4
    stream->window.resend_all();
    recovery_reconnected(*stream);
  }
  parts_->go_on(moment, out);
}

void Agent::step(Moment moment, const Disconnected&, Effects& out) {
  State& state = parts_->state;
  state.connected = state.listed = false;
  state.handed = 0;
  parts_->go_on(moment, out);
}

void Agent::step(Moment moment, const HandedOver&, Effects& out) {
  State& state = parts_->state;
  if (state.handed > 0) --state.handed;
  parts_->go_on(moment, out);
}

void Agent::step(Moment moment, const Usage& in, Effects& out) {
  parts_->state.short_of_space = in.short_of_space;
  enforce_log(parts_->state, moment, in.log_bytes);
  parts_->go_on(moment, out);
}

void Agent::step(Moment moment, const uplink::TopicList& in, Effects& out) {
  State& state = parts_->state;
  if (state.clock.told(moment, in.gateway_time)) clock_was_set_back(state);
  state.memory =
      milliseconds(std::clamp<std::int64_t>(in.producer_memory_ms, 0, 10LL * 366 * 86'400'000));  // ten years
  state.topics.clear();
  for (const uplink::TopicEntry& entry : in.topics) state.topics[entry.name] = entry;
  state.listed = state.connected;
  for (auto& [id, stream] : state.streams) on_listed(state, *stream);
  parts_->go_on(moment, out);
}

void Agent::step(Moment moment, const uplink::Answers& in, Effects& out) {
  State& state = parts_->state;
  if (state.clock.told(moment, in.gateway_time)) clock_was_set_back(state);
  for (const uplink::BatchAnswer& answer : in.batches) on_batch_answer(state, moment, answer);
  for (const uplink::LookAnswer& answer : in.looks) on_look_answer(state, moment, answer);
  parts_->go_on(moment, out);
}

void Agent::step(Moment moment, const Tick&, Effects& out) { parts_->go_on(moment, out); }

void Agent::step(Moment moment, const Input& input, Effects& out) {
  std::visit([&](const auto& in) { step(moment, in, out); }, input);
}

Instant Agent::deadline() const {
  const State& state = parts_->state;
  Instant due = round_due(state);
  for (const auto& [id, stream] : state.streams) {
    due = std::min(due, pump_due(state, *stream));
    if (!stream->lanes.empty()) due = std::min(due, stream->next_age_check);
  }
  return due;
}

const Counts& Agent::counts() const { return parts_->state.counts; }

std::vector<StreamStatus> Agent::status() const {
  std::vector<StreamStatus> all;
  for (const auto& [id, stream] : parts_->state.streams) {
    const std::int8_t state = stream->in_state(Flowing{})   ? 0
                              : !stream->waits_for.empty()  ? 3
                              : stream->in_state(Fencing{}) ? 1
                                                            : 2;
    const auto flight = static_cast<std::uint32_t>(stream->window.end() - stream->window.begin());
    const bool full = stream->bytes >= stream->settings.bytes_max - stream->settings.bytes_max / 16;
    all.push_back({{stream->row.topic, oldest_index(*stream), stream->row.next, oldest_index(*stream), stream->bytes,
                    oldest_taken(*stream).value(), state == 0 && full ? std::int8_t{4} : state},
                   stream->waits_for,
                   flight});
  }
  return all;
}

bool Agent::is_gathering() const {
  const State& state = parts_->state;
  return !state.journal.empty() || state.new_bytes > 0 || !state.new_tickets.empty() || state.sources.dirty();
}

bool Agent::all_durable() const { return !parts_->state.journal.under_way() && !is_gathering(); }

bool Agent::all_acknowledged() const {
  const auto& streams = parts_->state.streams;
  return all_durable() && std::all_of(streams.begin(), streams.end(), [](const auto& entry) {
           return std::all_of(entry.second->lanes.begin(), entry.second->lanes.end(),
                              [](const Lane& lane) { return lane.empty(); });
         });
}

WallMillis Agent::best_time(Moment moment) const { return parts_->state.clock.best(moment); }

}  // namespace edgelog::agent
