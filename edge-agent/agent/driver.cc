#include "edge-agent/agent/driver.h"

#include <algorithm>
#include <utility>

#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/record/batch.h"
#include "common/uplink/names.h"
#include "edge-agent/agent/fence.h"
#include "edge-agent/agent/seal.h"

namespace edgelog::agent {
namespace {

constexpr std::size_t stored_bytes_max = 512 << 10;
constexpr std::size_t event_fixed_bytes = 16;  // lengths and differences, at most, of what is short

std::size_t bytes_of(const Content& content) {
  std::size_t bytes = event_fixed_bytes + content.key.size() + content.value.size();
  for (const auto& header : content.headers) bytes += header.name.size() + header.value.size() + 4;
  return bytes;
}

}  // namespace

Driver::Driver(const Config& config, Persisted persisted, std::uint64_t seed, bool log_lost, std::string version,
               DriverPorts ports)
    : config_(config),
      version_(std::move(version)),
      ports_(std::move(ports)),
      core_(config, std::move(persisted), seed, ports_.clock(), log_lost) {}

Driver::~Driver() { *alive_ = false; }

void Driver::add_input(std::string name, Inlet& input) { inputs_.emplace(std::move(name), &input); }

void Driver::remove_input(const std::string& name) {
  const auto found = inputs_.find(name);
  if (found == inputs_.end()) return;
  const auto gone = [input = found->second](const Waiting& w) { return w.input == input; };
  std::erase_if(waiting_, gone);
  std::erase_if(waiting_under_way_, gone);
  inputs_.erase(found);
}

Taking Driver::take(Taken& message, std::span<const Content> contents) {
  message.events.clear();
  for (const Content& content : contents) {
    auto known = streams_.find(content.topic);
    if (known == streams_.end()) {
      const auto stream = core_.stream(content.topic);
      if (!stream) return {Outcome::refused, "too many streams", {}};
      known = streams_.emplace(content.topic, *stream).first;
    }
    message.events.push_back({known->second, static_cast<std::int32_t>(bytes_of(content))});
  }
  const Taking taking = core_.step(ports_.clock(), message, effects_);
  if (taking.outcome != Outcome::taken) return taking;
  ASSERT(taking.events.size() == contents.size());
  for (std::size_t i = 0; i < contents.size(); ++i) {
    const Assigned& given = taking.events[i];
    const auto at = static_cast<std::size_t>(given.stream.value());
    if (gathered_.size() <= at) gathered_.resize(at + 1);
    Gathered& run = gathered_[at];
    if (run.events.empty()) {
      run.first = run.next = given.index;
      run.base_time = run.last_time = given.timestamp;
    }
    ASSERT(run.next == given.index);
    append_event(run.events, given.timestamp.value() - run.last_time.value(), contents[i].key, contents[i].value,
                 contents[i].headers);
    run.last_time = given.timestamp;
    run.next = run.next + 1;
  }
  return taking;
}

void Driver::device_says(const DeviceSays& says) { core_.step(ports_.clock(), says, effects_); }

// What is gathered may be a gap or a source's number alone.
void Driver::when_durable(Inlet& input, std::uint64_t ticket) {
  settle();  // what is handed out already is under way
  if (core_.is_gathering())
    waiting_.push_back({&input, ticket});
  else if (under_way_ || failed_)
    waiting_under_way_.push_back({&input, ticket});
  else
    input.durable(ticket);
}

// Performing an effect may step the core again (a publish that is refused): its effects follow, in order.
void Driver::settle() {
  if (std::exchange(settling_, true)) return;
  while (!effects_.empty() || refused_publishes_ > 0) {
    for (; refused_publishes_ > 0; --refused_publishes_) core_.step(ports_.clock(), HandedOver{}, effects_);
    performing_.clear();
    std::swap(performing_, effects_);
    for (const Effect& effect : performing_) std::visit([this](const auto& one) { perform(one); }, effect);
  }
  settling_ = false;
  ports_.wake_at(core_.deadline());
}

void Driver::wake() {
  core_.step(ports_.clock(), Tick{}, effects_);
  settle();
}

void Driver::perform(const Commit& effect) {
  if (failed_) {
    // The same transaction once more, with the payloads from before.
    ASSERT(failed_->transaction.id == effect.transaction.id);
    CommitWork work = std::move(*failed_);
    failed_.reset();
    return hand_in(std::move(work));
  }
  CommitWork work{effect.transaction, {}};
  for (const Op& op : effect.transaction.ops)
    if (const auto* insert = std::get_if<InsertEvents>(&op)) work.runs.push_back(take_gathered(*insert));
  waiting_under_way_.insert(waiting_under_way_.end(), waiting_.begin(), waiting_.end());
  waiting_.clear();
  hand_in(std::move(work));
}

Run Driver::take_gathered(const InsertEvents& op) {
  const auto at = static_cast<std::size_t>(op.stream.value());
  ASSERT(at < gathered_.size());
  Gathered& run = gathered_[at];
  ASSERT(run.first == op.first && op.last < run.next);
  if (op.last + 1 == run.next) {
    Run whole{op.stream, op.first, op.last, run.base_time, std::move(run.events)};
    run.events = {};
    return whole;
  }
  const auto split = split_run({run.events, run.first, run.base_time}, op.last + 1);
  ASSERT(split);
  const Bytes before = split->before.events, after = split->after.events;
  Run part{op.stream, op.first, op.last, run.base_time, Buffer(before.begin(), before.end())};
  run.base_time = split->after.base_time;
  run.events = Buffer(after.begin(), after.end());
  run.first = op.last + 1;
  return part;
}

void Driver::hand_in(CommitWork work) {
  ASSERT(!under_way_);
  under_way_ = true;
  ports_.log.commit(std::move(work), [this, alive = alive_](CommitDone done) {
    if (*alive) committed(std::move(done));
  });
}

void Driver::committed(CommitDone done) {
  under_way_ = false;
  const std::int64_t id = done.work.transaction.id;
  disk_full_ = !done.status;
  if (!done.status) {
    LOG(error, "a round could not be written: {}", done.status.error().what);
    failed_ = std::move(done.work);
    core_.step(ports_.clock(), CommitFailed{id}, effects_);
    return settle();
  }
  forget(done.work.transaction);
  for (BatchBytes& batch : done.to_publish) keep(std::move(batch));
  const auto durable = std::exchange(waiting_under_way_, {});
  core_.step(ports_.clock(), Committed{id, std::move(done.sealed_bytes)}, effects_);
  tell_usage();
  settle();
  for (const Waiting& one : durable)
    if (is_there(one.input)) one.input->durable(one.ticket);
  resume_inputs();
}

void Driver::tell_usage() {
  const LogUsage usage = ports_.log.usage();
  if (usage.short_of_space != short_of_space_)
    LOG(warning, "{}", usage.short_of_space ? "the disk is full: inputs are held" : "the disk has space again");
  short_of_space_ = usage.short_of_space;
  core_.step(ports_.clock(), Usage{usage.log_bytes, usage.short_of_space}, effects_);
}

void Driver::tend() {
  ports_.log.tend();
  const bool was_short = short_of_space_;
  tell_usage();
  settle();
  if (was_short && !short_of_space_) resume_inputs();
}

void Driver::resume_inputs() {
  std::vector<Inlet*> all;
  for (const auto& [name, input] : inputs_) all.push_back(input);
  for (Inlet* input : all)
    if (is_there(input)) input->resume();
}

bool Driver::is_there(const Inlet* input) const {
  return std::any_of(inputs_.begin(), inputs_.end(), [&](const auto& entry) { return entry.second == input; });
}

void Driver::keep(BatchBytes batch) {
  stored_bytes_ += batch.bytes.size();
  auto& place = stored_[{batch.stream, batch.first}];
  stored_bytes_ -= place.size();
  place = std::move(batch.bytes);
  while (stored_bytes_ > stored_bytes_max && stored_.size() > 1) {
    stored_bytes_ -= stored_.begin()->second.size();
    stored_.erase(stored_.begin());
  }
}

// The bytes of what a transaction deleted or wrote anew.
void Driver::forget(const Transaction& transaction) {
  const auto drop = [this](StreamId stream, EventIndex first) {
    const auto found = stored_.find({stream, first});
    if (found == stored_.end()) return;
    stored_bytes_ -= found->second.size();
    stored_.erase(found);
  };
  for (const Op& op : transaction.ops) {
    if (const auto* gone = std::get_if<DeleteBatch>(&op)) drop(gone->stream, gone->first);
    if (const auto* aside = std::get_if<SetAside>(&op)) drop(aside->stream, aside->first);
    if (const auto* anew = std::get_if<Reseal>(&op)) drop(anew->stream, anew->first);
  }
}

void Driver::perform(const PublishBatch& effect) {
  const auto found = stored_.find({effect.batch.stream, effect.batch.first});
  if (found != stored_.end()) return publish_stored(effect, found->second);
  const auto done = [this, alive = alive_, session = session_, effect](Result<Buffer> bytes) {
    // Since it connected anew the core counts anew, and publishes what is in flight once more.
    if (!*alive || session != session_) return;
    if (bytes)
      publish_stored(effect, *bytes);
    else
      ++refused_publishes_;  // acknowledged meanwhile
    settle();
  };
  ports_.log.read_batch(effect.batch.stream, effect.batch.first, done);
}

// Only what the core meant: by the time the bytes are read, another numbering may stand there.
void Driver::publish_stored(const PublishBatch& effect, Bytes bytes) {
  const auto header = record::parse_header(bytes);
  if (!header || header->producer_id != effect.batch.producer ||
      header->base_sequence != Sequence{0} + effect.batch.sequence) {
    ++refused_publishes_;
    return;
  }
  publish(uplink::up_topic(config_.agent, effect.topic), bytes, effect.partition.value(), true);
}

void Driver::perform(const PublishFence& effect) {
  publish(uplink::up_topic(config_.agent, effect.topic), fence_batch(effect.id, effect.timestamp),
          effect.partition.value(), true);
}

void Driver::perform(const PublishLook& effect) {
  publish(uplink::look_topic(config_.agent, effect.topic), uplink::encode(effect.request), std::nullopt, true);
}

void Driver::publish(const std::string& topic, Bytes payload, std::optional<std::int32_t> partition, bool counted) {
  auto ticket = ports_.uplink.publish(topic, payload, partition, false);
  if (ticket) {
    bytes_published_ += payload.size();
    if (!counted) uncounted_.insert(*ticket);
  } else if (counted && ticket.error().code != Code::closed) {
    ++refused_publishes_;  // its time-out sends it again
  }
}

void Driver::perform(const ConfirmDevice& effect) {
  const auto input = inputs_.find(effect.source.input);
  if (input != inputs_.end()) input->second->confirm(effect.source.device, effect.incarnation, effect.through);
}
void Driver::perform(const Acknowledge&) {}  // inputs are told by when_durable()
void Driver::perform(const Notice& effect) { LOG(warning, "{}", effect.text); }

void Driver::connected() {
  ++session_;
  uncounted_.clear();
  refused_publishes_ = 0;
  if (auto told = ports_.uplink.publish(uplink::state_topic(config_.agent), as_bytes("online"), std::nullopt, true);
      told)
    uncounted_.insert(*told);
  core_.step(ports_.clock(), Connected{}, effects_);
  settle();
}

void Driver::disconnected() {
  core_.step(ports_.clock(), Disconnected{}, effects_);
  settle();
}

void Driver::handed_over(std::uint64_t ticket) {
  if (uncounted_.erase(ticket) > 0) return;
  core_.step(ports_.clock(), HandedOver{}, effects_);
  settle();
}

bool Driver::uplink_message(const std::string& topic, Bytes payload) {
  if (topic == uplink::topics_topic) {
    uplink::TopicList list;
    if (!uplink::decode(payload, list)) return false;
    core_.step(ports_.clock(), list, effects_);
  } else if (topic == uplink::ack_topic(config_.agent)) {
    uplink::Answers answers;
    if (!uplink::decode(payload, answers)) return false;
    core_.step(ports_.clock(), answers, effects_);
  } else {
    return false;
  }
  settle();
  return true;
}

void Driver::publish_heartbeat() {
  if (!ports_.uplink.connected()) return;
  uplink::Heartbeat beat;
  beat.software_version = version_;
  beat.agent_time = ports_.clock().wall;
  const auto drift = core_.best_time(ports_.clock()) - beat.agent_time;
  beat.clock_trusted = drift < seconds(60) && drift > seconds(-60) ? 1 : 0;
  beat.disk_free_bytes = ports_.log.usage().disk_free_bytes;
  for (const StreamStatus& stream : core_.status()) beat.streams.push_back(stream.state);
  publish(uplink::heartbeat_topic(config_.agent), uplink::encode(beat), std::nullopt, false);
}

}  // namespace edgelog::agent
