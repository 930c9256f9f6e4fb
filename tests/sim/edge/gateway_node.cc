#include "tests/sim/edge/gateway_node.h"

#include <algorithm>
#include <utility>

#include "common/wire/errors.h"

namespace edgelog::sim::edge {
using wire::code;

GatewayNode::GatewayNode(Base& base, const Plan& plan, Cloud& cloud, LogModel& log, std::size_t index)
    : base_(base), plan_(plan), cloud_(cloud), log_(log), index_(index) {
  cloud_.add_gateway([this](const UpMessage& message) { receive(message); });
}

void GatewayNode::start() {
  core_ = std::make_unique<gateway::Core>(gateway::CoreConfig{}, base_.random.next());
  ++life_;
  ++session_;
  awake_at_ = base_.now;
  armed_ = never;
  attendance_.emplace();
  attends_ = true;  // the first list is taken at once
  connected_ = true;
  refused_ = false;
  subscribed_.clear();
  attendance_->connected();
  feed(gateway::SessionStarted{});
  tell_topics(hidden);
}

void GatewayNode::crash() {
  core_.reset();
  ++life_;
  payloads_.clear();
  waiting_.clear();
  lane_arrival_.clear();
  metadata_.clear();
  cloud_.gateway_gone(index_);
}

void GatewayNode::pause(Duration wait) {
  awake_at_ = std::max(awake_at_, base_.now + wait);
  base_.at(awake_at_, [this, life = life_] {
    if (life == life_ && core_ && base_.now >= awake_at_) feed(gateway::Tick{});
  });
}

void GatewayNode::when_awake(std::uint64_t life, std::function<void()> what) {
  if (life != life_ || !core_) return;
  if (base_.now >= awake_at_) return what();
  base_.at(awake_at_, [this, life, what = std::move(what)] { when_awake(life, what); });
}

void GatewayNode::later(Duration wait, std::function<void()> what) {
  base_.after(wait, [this, life = life_, what = std::move(what)] { when_awake(life, what); });
}

void GatewayNode::assign(std::vector<std::uint32_t> shards) {
  assigned_ = std::move(shards);
  when_awake(life_, [this] { feed(gateway::ShardsAssigned{assigned_}); });
}

void GatewayNode::tell_topics(const std::string& not_listed) {
  hidden = not_listed;
  when_awake(life_, [this] {
    gateway::TopicsKnown known;
    known.producer_memory_ms = to_millis(plan_.rules.memory);
    for (const std::string& topic : log_.topics()) {
      if (topic == hidden) continue;
      uplink::TopicEntry entry;
      entry.name = topic;
      entry.message_bytes_max = 1 << 20;
      for (std::int32_t i = 0; i < log_.partitions(topic); ++i) {
        const auto view = log_.view(topic, i, !cloud_.healed && base_.chance(plan_.stale_leader));
        entry.partitions.push_back({view.hw, view.epoch});
        metadata_[{topic, i}] = view.epoch;
      }
      known.topics.push_back(std::move(entry));
    }
    feed(std::move(known));
  });
}

void GatewayNode::receive(const UpMessage& message) {
  when_awake(life_, [this, message, session = session_, came = base_.now] {
    if (session != session_) return;  // a new session began: it was let go
    if (forge(message)) return;
    if (message.look) return feed(gateway::LookArrived{message.agent, message.topic, *message.look});
    gateway::BatchArrived in = arrived(message);
    hold(in.ticket, message, came, false);
    feed(std::move(in));
  });
}

gateway::BatchArrived GatewayNode::arrived(const UpMessage& message) {
  gateway::BatchArrived in;
  in.ticket = gateway::Ticket{++last_ticket_};
  in.agent = message.agent;
  in.topic = message.topic;
  in.partition = message.partition;
  gateway::BatchFacts& facts = in.facts;
  const Content& content = *message.content;
  facts.bytes = content.bytes;
  facts.well_formed = facts.crc_ok = true;
  facts.crc = content.crc;
  facts.producer_id = content.producer;
  facts.producer_epoch = content.epoch;
  facts.first = content.first;
  facts.record_count = static_cast<std::int32_t>(content.records.size());
  facts.last_offset_delta = facts.record_count - 1;
  facts.fence_record = content.fence;
  return in;
}

void GatewayNode::hold(gateway::Ticket ticket, const UpMessage& message, Instant came, bool forged) {
  payloads_[ticket] = {message, came, base_.now, forged};
}

void GatewayNode::feed(gateway::Input input) {
  gateway::Effects effects;
  core_->step(base_.now, input, effects);
  perform(std::move(effects));
  arm();
}

void GatewayNode::arm() {
  if (!core_) return;
  const Instant due = std::max(core_->deadline(), base_.now + microseconds(1));
  if (armed_ != never && armed_ > base_.now && armed_ <= due) return;
  armed_ = due;
  base_.at(due, [this, life = life_, due] {
    if (life != life_ || armed_ != due) return;
    armed_ = never;
    when_awake(life, [this] { feed(gateway::Tick{}); });
  });
}

void GatewayNode::perform(gateway::Effects effects) {
  for (auto& effect : effects) {
    if (!core_) return;
    if (const auto* e = std::get_if<gateway::Produce>(&effect)) {
      produce(*e);
    } else if (const auto* a = std::get_if<gateway::AnswerBatch>(&effect)) {
      base_.say("gateway {}: answers {:08x}/{} {}..{}: {} at {} epoch {}", index_,
                short_id(a->answer.batch.producer_id), a->answer.batch.producer_epoch.value(),
                a->answer.batch.first.value(), a->answer.batch.last.value(), a->answer.error, a->answer.offset.value(),
                a->answer.leader_epoch.value());
      uplink::Answers one;
      one.batches.push_back(a->answer);
      answer(a->agent, one);
    } else if (const auto* l = std::get_if<gateway::AnswerLook>(&effect)) {
      base_.say("gateway {}: look {} of {}: error {} [{}, {}) start {} expectation {} sightings {}", index_,
                l->answer.look_id, l->answer.topic, l->answer.error, l->answer.from.value(), l->answer.to.value(),
                l->answer.log_start.value(), static_cast<int>(l->answer.expectation), l->answer.sightings.size());
      uplink::Answers one;
      one.looks.push_back(l->answer);
      answer(l->agent, one);
    } else if (const auto* r = std::get_if<gateway::Released>(&effect)) {
      payloads_.erase(r->ticket);
    } else if (const auto* q = std::get_if<gateway::AskRange>(&effect)) {
      ask_range(*q);
    } else if (const auto* d = std::get_if<gateway::Read>(&effect)) {
      read(*d);
    } else if (const auto* p = std::get_if<gateway::PublishTopics>(&effect)) {
      uplink::TopicList list = p->list;
      list.gateway_time = wall();
      if (!connected_) continue;
      cloud_.publish_topics(list);
      attendance_->list_answered(true);
      attend();
    } else if (const auto* s = std::get_if<gateway::Subscribe>(&effect)) {
      base_.say("gateway {}: subscribes to shard {}", index_, s->shard);
      subscribe(s->shard, true);
    } else if (const auto* u = std::get_if<gateway::Unsubscribe>(&effect)) {
      base_.say("gateway {}: unsubscribes from shard {}", index_, u->shard);
      subscribe(u->shard, false);
    } else if (std::holds_alternative<gateway::Reconnect>(effect)) {
      base_.say("gateway {}: it has slept, a new session", index_);
      later(milliseconds(200), [this] {  // until then the client hands out what it had received before
        ++session_;
        feed(gateway::SessionStarted{});
      });
    }
  }
}

// Where the client has no room, what is said to an agent meanwhile goes in one message.
void GatewayNode::answer(const std::string& agent, const uplink::Answers& one) {
  const auto [waiting, first] = waiting_.try_emplace(agent);
  uplink::Answers& all = waiting->second;
  all.batches.insert(all.batches.end(), one.batches.begin(), one.batches.end());
  all.looks.insert(all.looks.end(), one.looks.begin(), one.looks.end());
  if (!first) return base_.injected(Fault::answers_together);
  if (cloud_.healed || plan_.answers_gathered == 0 || !base_.forger.chance(plan_.answers_gathered, 1000))
    return send_answers(agent);
  later(milliseconds(base_.forger.between(1, 2'000)), [this, agent] { send_answers(agent); });
}

void GatewayNode::send_answers(const std::string& agent) {
  const auto waiting = waiting_.find(agent);
  if (waiting == waiting_.end()) return;
  waiting->second.gateway_time = wall();
  if (connected_) cloud_.answer(agent, std::move(waiting->second));
  waiting_.erase(waiting);
}

// A produce is answered under the epoch that was known when it was sent.
LeaderEpoch GatewayNode::known_epoch(const gateway::Produce& effect) {
  if (std::exchange(put_backs_, log_.put_backs()) != log_.put_backs()) metadata_.clear();
  const auto [known, fresh] = metadata_.try_emplace({effect.topic, effect.partition.value()}, LeaderEpoch{-1});
  if (fresh) known->second = log_.epoch(effect.topic, effect.partition.value());
  return known->second;
}

void GatewayNode::produce(const gateway::Produce& effect) {
  const auto payload = payloads_.find(effect.ticket);
  if (payload == payloads_.end()) return base_.fail("a gateway produces what it does not hold");
  Duration way = base_.between(microseconds(100), milliseconds(5));
  if (!cloud_.healed && base_.chance(plan_.produce_slow)) {
    base_.injected(Fault::produce_slow);
    way = base_.between(milliseconds(5), seconds(25));
  }
  if (base_.now >= effect.not_after)
    return later(Duration{0}, [this, ticket = effect.ticket] {
      feed(gateway::Produced{ticket, code(wire::ErrorCode::request_timed_out)});
    });
  const Payload& held = payload->second;
  base_.check(Check::forgery_not_forwarded, !held.forged,
              [&] { return fmt::format("gateway {}: forwards what it has to refuse", index_); });
  // Rule 10. What came while it slept is fed when it wakes, unless it slept for more than 30 s.
  base_.check(
      Check::old_copy_discarded, base_.now - held.fed <= seconds(60) && base_.now - held.came <= seconds(91), [&] {
        return fmt::format("gateway {}: forwards what came {} ms ago", index_, to_millis(base_.now - held.came));
      });
  Instant& last = lane_arrival_[effect.lane];
  last = std::max(last, base_.now + way);
  // Sent already: it arrives even if this process dies or sleeps.
  base_.at(last, [this, message = held.message, ticket = effect.ticket, life = life_,
                  partition = effect.partition.value(), topic = effect.topic, known = known_epoch(effect),
                  put_backs = log_.put_backs()] {
    if (put_backs != log_.put_backs()) {  // the connection that it was sent on is gone
      when_awake(life, [this, ticket] { feed(gateway::Produced{ticket, code(wire::ErrorCode::network_exception)}); });
      return;
    }
    log_.produce(topic, partition, message.content, message.branch, message.published,
                 [this, ticket, life, known, topic, partition](std::int16_t error, Offset offset, LeaderEpoch) {
                   const bool lost = !cloud_.healed && base_.chance(plan_.answer_lost);
                   if (lost) base_.injected(Fault::produce_answer_lost);
                   const Duration wait =
                       lost ? seconds(base_.random.between(1, 10)) : base_.between(microseconds(100), milliseconds(5));
                   if (error != 0 && life == life_) metadata_.erase({topic, partition});
                   base_.after(wait, [this, ticket, life, lost, error, offset, epoch = known] {
                     when_awake(life, [this, ticket, lost, error, offset, epoch] {
                       if (lost) return feed(gateway::Produced{ticket, code(wire::ErrorCode::network_exception)});
                       feed(gateway::Produced{ticket, error, offset, epoch});
                     });
                   });
                 });
  });
}

// Who asks while another's look is slow waits for the next round, with others.
Duration GatewayNode::way_to_log() {
  if (cloud_.healed || !base_.chance(plan_.look_slow)) return base_.between(microseconds(100), milliseconds(5));
  base_.injected(Fault::look_slow);
  return base_.between(milliseconds(100), seconds(15));
}

void GatewayNode::ask_range(const gateway::AskRange& effect) {
  later(way_to_log(), [this, effect] {
    const bool stale = !cloud_.healed && base_.chance(plan_.stale_leader);
    if (stale && log_.has_stale(effect.topic, effect.partition.value())) base_.injected(Fault::stale_leader);
    const auto view = log_.view(effect.topic, effect.partition.value(), stale);
    if (view.entries == nullptr || !view.available)
      return feed(gateway::RangeKnown{effect.id, code(wire::ErrorCode::leader_not_available)});
    feed(gateway::RangeKnown{effect.id, 0, view.start, view.hw, view.epoch});
  });
}

void GatewayNode::read(const gateway::Read& effect) {
  later(way_to_log(), [this, effect] {
    const auto view = log_.view(effect.topic, effect.partition.value(), false);
    if (view.entries == nullptr || !view.available)
      return feed(gateway::RangeRead{effect.id, code(wire::ErrorCode::leader_not_available)});
    if (effect.from < view.start || effect.from > view.hw)
      return feed(gateway::RangeRead{effect.id, code(wire::ErrorCode::offset_out_of_range)});
    gateway::RangeRead result{effect.id, 0, effect.from, {}};
    const auto& entries = *view.entries;
    auto entry = std::partition_point(entries.begin(), entries.end(),
                                      [&](const LogModel::Entry& e) { return e.last() < effect.from; });
    for (int seen = 0; entry != entries.end() && seen < 20 && entry->base < effect.to && entry->last() < view.hw;
         ++entry, ++seen) {
      result.next = entry->last() + 1;
      const Content& content = *entry->content;
      const auto prefix = static_cast<std::uint32_t>(static_cast<std::uint64_t>(content.producer.value()) >> 32);
      if (!effect.spot && std::find(effect.prefixes.begin(), effect.prefixes.end(), prefix) == effect.prefixes.end())
        continue;
      gateway::BatchSeen batch;
      batch.base = entry->base;
      batch.last = entry->last();
      batch.leader_epoch = entry->epoch;
      batch.producer_id = content.producer;
      batch.producer_epoch = content.epoch;
      batch.first = content.first;
      batch.record_count = static_cast<std::int32_t>(content.records.size());
      batch.fence = content.fence;
      if (!content.fence)
        batch.origin = uplink::OriginMark{content.records.front().origin, content.records.front().index};
      result.batches.push_back(batch);
    }
    feed(std::move(result));
  });
}

}  // namespace edgelog::sim::edge
