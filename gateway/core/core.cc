#include "gateway/core/core.h"

#include <algorithm>

#include "common/base/assert.h"
#include "gateway/core/errors.h"

namespace edgelog::gateway {
namespace {

uplink::BatchName name_of(const std::string& topic, const BatchFacts& facts) {
  const auto more = std::max(0, facts.last_offset_delta);
  return {topic, facts.producer_id, facts.producer_epoch, facts.first,
          facts.first.value() < 0 ? facts.first : facts.first + more};
}

bool is_fence(const BatchFacts& facts) { return facts.producer_epoch == uplink::fence_epoch; }

bool shape_is_right(const BatchFacts& facts) {
  if (facts.control || facts.transactional || facts.log_append_time) return false;
  if (facts.record_count < 1 || facts.last_offset_delta != facts.record_count - 1 || facts.first.value() < 0)
    return false;
  if (is_fence(facts)) return facts.first.value() == 0 && facts.record_count == 1 && facts.fence_record;
  return facts.producer_epoch == uplink::event_epoch;
}

bool same_id(const uplink::BatchName& a, const uplink::BatchName& b) {
  return a.producer_id == b.producer_id && a.producer_epoch == b.producer_epoch;
}

Duration backoff(Prng& prng, Duration least, Duration most, std::uint32_t failures) {
  const std::int64_t doubled = least.value() << std::min<std::uint32_t>(failures, 12);
  const std::int64_t whole = std::min(most.value(), doubled);
  return Duration{prng.between(whole / 2, whole)};
}

}  // namespace

Core::Core(const CoreConfig& config, std::uint64_t seed)
    : config_(config), prng_(seed), looks_(config.look, prng_.next()) {
  ASSERT(config.stream_in_flight_max >= 1 && config.lanes >= 1 && config.agent_share >= 1);
}

void Core::step(Instant now, const Input& input, Effects& effects) {
  ASSERT(!stepped_ || now >= last_step_);
  if (stepped_ && (now - last_step_) > config_.pause_max) {
    metrics_.pauses.add();
    stale_session_ = true;
    effects.push_back(Reconnect{});
  }
  stepped_ = true;
  last_step_ = now;
  expire(now, effects);
  std::visit([&](const auto& in) { on(now, in, effects); }, input);
  retry_streams(now, effects);
  looks_.tick(now, effects);
  metrics_.in_hand.set(static_cast<std::int64_t>(in_hand_.size()));
  metrics_.in_hand_bytes.set(in_hand_bytes_);
}

Instant Core::deadline() const {
  Instant at = std::min(last_step_ + config_.tick, looks_.deadline());
  if (!in_hand_.empty()) at = std::min(at, in_hand_.begin()->second.since + config_.hold_max);
  if (!retries_.empty()) at = std::min(at, retries_.begin()->first);
  return at;
}

void Core::on(Instant now, const BatchArrived& in, Effects& out) {
  ASSERT(in.ticket.value() > last_ticket_);  // G1
  last_ticket_ = in.ticket.value();
  metrics_.batches.add();
  metrics_.bytes.add(static_cast<std::uint64_t>(in.facts.bytes));
  if (turned_away(in, out)) return;
  if (is_fence(in.facts)) metrics_.fences.add();
  take(now, in, out);
}

bool Core::turned_away(const BatchArrived& in, Effects& out) {
  if (!in.facts.well_formed) return release(in.ticket, Release::malformed, out), true;
  if (stale_session_) return release(in.ticket, Release::stale, out), true;
  if (!topics_known_) return release(in.ticket, Release::not_ready, out), true;
  const std::int16_t error = refusal(in);
  if (error == 0) return false;
  const uplink::BatchAnswer said{name_of(in.topic, in.facts), in.partition.value_or(PartitionIndex{-1}), error};
  metrics_.answers.count(error);
  out.push_back(AnswerBatch{in.agent, said});
  release(in.ticket, Release::answered, out);
  return true;
}

// Why the log is not even asked; none if it is.
std::int16_t Core::refusal(const BatchArrived& in) const {
  const BatchFacts& facts = in.facts;
  if (!facts.crc_ok) return code(ErrorCode::corrupt_message);
  if (!uplink::belongs_to(facts.producer_id, in.agent)) return code(ErrorCode::cluster_authorization_failed);
  if (const auto error = place_refusal(in.topic, in.partition.value_or(PartitionIndex{-1}).value())) return error;
  if (facts.bytes > config_.batch_bytes_max) return code(ErrorCode::message_too_large);
  if (!shape_is_right(facts)) return code(ErrorCode::invalid_record);
  return 0;
}

std::int16_t Core::place_refusal(const std::string& topic, std::int32_t partition) const {
  const auto listed = listed_.find(topic);
  if (listed == listed_.end()) return code(ErrorCode::topic_authorization_failed);
  if (partition < 0) return code(ErrorCode::invalid_request);
  // The code that the log would give, which is not asked for its sake again and again.
  const bool there = static_cast<std::size_t>(partition) < listed->second;
  return there ? std::int16_t{0} : code(ErrorCode::unknown_topic_or_partition);
}

// An honest agent of many streams may have more than its share open: it is held to that only where others need it.
bool Core::half_taken(std::int64_t bytes) const {
  return in_hand_.size() >= config_.in_hand_max / 2 || in_hand_bytes_ + bytes > config_.in_hand_bytes_max / 2;
}

bool Core::has_room(const std::string& agent, std::int64_t bytes) const {
  if (in_hand_.size() >= config_.in_hand_max || in_hand_bytes_ + bytes > config_.in_hand_bytes_max) return false;
  const auto own = shares_.find(agent);
  if (own == shares_.end() || !half_taken(bytes)) return true;
  return own->second.batches < config_.in_hand_max / static_cast<std::size_t>(config_.agent_share) &&
         own->second.bytes + bytes <=
             std::max(config_.batch_bytes_max, config_.in_hand_bytes_max / config_.agent_share);
}

void Core::take(Instant now, const BatchArrived& in, Effects& out) {
  const StreamKey key{in.agent, in.topic};
  Held held{in.ticket, name_of(in.topic, in.facts), *in.partition, in.facts.crc, in.facts.bytes, now};
  const auto found = streams_.find(key);
  if (found != streams_.end()) {
    for (const Held& other : found->second.held)
      if (other.name == held.name && other.crc == held.crc && other.partition == held.partition)
        return release(in.ticket, Release::copy, out);
    if (found->second.held.size() >= config_.stream_in_hand_max) return release(in.ticket, Release::full, out);
  }
  if (!has_room(in.agent, held.bytes)) return release(in.ticket, Release::full, out);
  const auto entry = found != streams_.end() ? found : streams_.emplace(key, Stream{}).first;
  // Not the bits that choose the shard: those are few at one gateway.
  entry->second.lane = (uplink::murmur2(in.agent) / uplink::shard_count) % config_.lanes;
  in_hand_.emplace(in.ticket, InHand{key, now});
  in_hand_bytes_ += held.bytes;
  Share& share = shares_[in.agent];
  ++share.batches;
  share.bytes += held.bytes;
  entry->second.held.push_back(std::move(held));
  pump(now, entry, out);
}

// Sends what may be sent. What is in flight is a prefix of what is held, but while draining.
void Core::pump(Instant now, StreamEntry entry, Effects& out) {
  Stream& stream = entry->second;
  if (stream.draining && stream.in_flight > 0) return;
  stream.draining = false;
  if (now < stream.retry_at) return;
  const std::size_t places = stream.failures > 0 ? 1 : config_.stream_in_flight_max;
  for (Held& held : stream.held) {
    if (held.in_flight) continue;
    if (stream.in_flight >= places) break;
    held.in_flight = true;
    ++stream.in_flight;
    out.push_back(
        Produce{held.ticket, entry->first.second, held.partition, held.since + config_.hold_max, stream.lane});
  }
}

void Core::on(Instant now, const Produced& in, Effects& out) {
  const auto known = in_hand_.find(in.ticket);
  if (known == in_hand_.end()) return metrics_.late_results.add();
  const auto entry = streams_.find(known->second.stream);
  ASSERT(entry != streams_.end());  // G2
  Stream& stream = entry->second;
  const auto held =
      std::find_if(stream.held.begin(), stream.held.end(), [&](const Held& h) { return h.ticket == in.ticket; });
  ASSERT(held != stream.held.end() && held->in_flight && stream.in_flight > 0);  // G2
  const bool older = std::any_of(stream.held.begin(), held, [&](const Held& h) { return same_id(h.name, held->name); });
  if (is_retriable(in.error) || (in.error == code(ErrorCode::out_of_order_sequence_number) && older))
    return failed(now, entry, *held, in.error, out);
  if (in.error == 0) {
    stream.failures = 0;
    retries_.erase({stream.retry_at, entry->first});
    stream.retry_at = {};
  }
  answer(entry->first.first, *held, in, out);
  if (finish(entry, static_cast<std::size_t>(held - stream.held.begin()), Release::answered, out))
    pump(now, entry, out);
}

// The same bytes again, later, and whatever was sent behind them after them.
void Core::failed(Instant now, StreamEntry entry, Held& held, std::int16_t error, Effects& out) {
  Stream& stream = entry->second;
  metrics_.retries.add();
  held.in_flight = false;
  --stream.in_flight;
  if (is_retriable(error)) {
    if (held.first_failed == never) held.first_failed = now;
    if (now - held.first_failed >= config_.retry_total) return give_up(entry, error, out);
  }
  if (!stream.draining) {
    ++stream.failures;
    stream.draining = true;
    retries_.erase({stream.retry_at, entry->first});
    stream.retry_at = now + backoff(prng_, config_.retry_min, config_.retry_max, stream.failures - 1);
    retries_.insert({stream.retry_at, entry->first});
  }
  pump(now, entry, out);
}

// Nobody knows what became of the first; so nothing behind it can be said either. The agent sends all again.
void Core::give_up(StreamEntry entry, std::int16_t error, Effects& out) {
  bool more = true;
  while (more) {
    const Held& held = entry->second.held.front();
    answer(entry->first.first, held, Produced{held.ticket, error}, out);
    more = finish(entry, 0, Release::answered, out);
  }
}

void Core::answer(const std::string& agent, const Held& held, const Produced& result, Effects& out) {
  metrics_.answers.count(result.error);
  uplink::BatchAnswer said{held.name, held.partition, result.error};
  if (result.error == 0) {
    said.offset = result.offset;
    said.leader_epoch = result.leader_epoch;
  }
  out.push_back(AnswerBatch{agent, std::move(said)});
}

bool Core::finish(StreamEntry entry, std::size_t at, Release reason, Effects& out) {
  Stream& stream = entry->second;
  const auto held = stream.held.begin() + static_cast<std::ptrdiff_t>(at);
  if (held->in_flight) --stream.in_flight;
  in_hand_bytes_ -= held->bytes;
  ASSERT(in_hand_bytes_ >= 0);  // G3
  const auto share = shares_.find(entry->first.first);
  ASSERT(share != shares_.end() && share->second.bytes >= held->bytes);  // G3
  share->second.bytes -= held->bytes;
  if (--share->second.batches == 0) shares_.erase(share);
  ASSERT(in_hand_.erase(held->ticket) == 1);  // G2
  release(held->ticket, reason, out);
  stream.held.erase(held);
  if (!stream.held.empty()) return true;
  retries_.erase({stream.retry_at, entry->first});
  streams_.erase(entry);
  return false;
}

void Core::release(Ticket ticket, Release reason, Effects& out) {
  switch (reason) {
    case Release::answered: break;
    case Release::malformed: metrics_.released_malformed.add(); break;
    case Release::expired: metrics_.released_expired.add(); break;
    case Release::full: metrics_.released_full.add(); break;
    case Release::copy: metrics_.released_copy.add(); break;
    case Release::not_ready: metrics_.released_not_ready.add(); break;
    case Release::stale: metrics_.released_stale.add(); break;
  }
  out.push_back(Released{ticket, reason});
}

void Core::expire(Instant now, Effects& out) {
  while (!in_hand_.empty() && (now - in_hand_.begin()->second.since) >= config_.hold_max) {
    const Ticket ticket = in_hand_.begin()->first;
    const auto entry = streams_.find(in_hand_.begin()->second.stream);
    ASSERT(entry != streams_.end());  // G2
    auto& all = entry->second.held;
    const auto held = std::find_if(all.begin(), all.end(), [&](const Held& h) { return h.ticket == ticket; });
    ASSERT(held != all.end());  // G2
    if (finish(entry, static_cast<std::size_t>(held - all.begin()), Release::expired, out)) pump(now, entry, out);
  }
}

void Core::retry_streams(Instant now, Effects& out) {
  while (!retries_.empty() && retries_.begin()->first <= now) {
    const auto entry = streams_.find(retries_.begin()->second);
    ASSERT(entry != streams_.end());  // G4
    retries_.erase(retries_.begin());
    pump(now, entry, out);
  }
}

void Core::on(Instant now, const LookArrived& in, Effects& out) {
  if (stale_session_ || !topics_known_) return;  // the agent asks again
  const std::int16_t error = place_refusal(in.topic, in.request.partition.value());
  if (error == 0) return looks_.ask(now, in, out);
  uplink::LookAnswer refused;
  refused.look_id = in.request.look_id;
  refused.topic = in.topic;
  refused.partition = in.request.partition;
  refused.error = error;
  out.push_back(AnswerLook{in.agent, std::move(refused)});
}

void Core::on(Instant, const TopicsKnown& in, Effects& out) {
  listed_.clear();
  for (const uplink::TopicEntry& topic : in.topics) listed_[topic.name] = topic.partitions.size();
  topics_known_ = true;
  uplink::TopicList list;
  list.producer_memory_ms = in.producer_memory_ms;
  list.topics = in.topics;
  out.push_back(PublishTopics{std::move(list)});
  subscribe(out);
}

void Core::on(Instant, const ShardsAssigned& in, Effects& out) {
  assigned_ = {in.shards.begin(), in.shards.end()};
  ASSERT(assigned_.empty() || *assigned_.rbegin() < uplink::shard_count);
  subscribe(out);
}

// Nothing is subscribed to before the topics are known: what came would only be thrown away.
void Core::subscribe(Effects& out) {
  if (!topics_known_) return;
  for (const std::uint32_t shard : subscribed_)
    if (!assigned_.contains(shard)) out.push_back(Unsubscribe{shard});
  for (const std::uint32_t shard : assigned_)
    if (!subscribed_.contains(shard)) out.push_back(Subscribe{shard});
  subscribed_ = assigned_;
}

void Core::on(Instant now, const RangeKnown& in, Effects& out) { looks_.on(now, in, out); }
void Core::on(Instant now, const RangeRead& in, Effects& out) { looks_.on(now, in, out); }
void Core::on(Instant, const SessionStarted&, Effects&) { stale_session_ = false; }
void Core::on(Instant, const Tick&, Effects&) {}

}  // namespace edgelog::gateway
