#pragma once
// An agent's core on a log in memory, led by hand: every transaction is durable at once unless held, what it
// publishes is collected, and the test says what gateways answer.
#include <gtest/gtest.h>

#include "edge-agent/core/agent.h"
#include "tests/sim/edge/store.h"

namespace edgelog::sim::edge {

class Bench {
 public:
  Bench() {
    config.agent = "site-0";
    config.batch_bytes = 700;
    config.defaults.linger = Duration{0};
    config.round_linger = Duration{0};
  }

  agent::Config config;
  Store store;
  std::unique_ptr<agent::Agent> core;
  bool hold = false;  // transactions wait for release()
  std::vector<agent::PublishBatch> batches;
  std::vector<agent::PublishFence> fences;
  std::vector<agent::PublishLook> looks;
  std::vector<agent::ConfirmDevice> confirmed;
  std::vector<agent::Gap> gaps;
  std::vector<Store::Applied::Gone> gone;

  void open(std::uint64_t seed = 7) {
    batches.clear(), fences.clear(), looks.clear(), under_way_.reset();
    core = std::make_unique<agent::Agent>(config, store.read(), seed, moment());
    tick();
  }
  void crash() { core.reset(), taken_.clear(), under_way_.reset(); }
  void pass_down(Duration time) { now_ = now_ + time; }  // while it is down
  void pass(Duration time) {
    now_ = now_ + time;
    tick();
  }
  void tick() { step(agent::Tick{}); }
  void step(const agent::Input& input) {
    agent::Effects effects;
    core->step(moment(), input, effects);
    perform(std::move(effects));
  }

  agent::Taking take(const std::string& topic, agent::Taken in = {}) {
    if (in.events.empty()) in.events.push_back({*core->stream(topic), 40});
    agent::Effects effects;
    const agent::Taking taking = core->step(moment(), in, effects);
    const agent::Taking kept = taking;
    for (std::size_t i = 0; i < taking.events.size(); ++i) {
      auto fact = std::make_shared<Fact>();
      fact->id = ++last_fact_;
      taken_[{taking.events[i].stream, taking.events[i].index}] = {fact, taking.events[i].timestamp,
                                                                   in.events[i].bytes};
    }
    perform(std::move(effects));
    return {kept.outcome, kept.reason, {}};
  }

  // A list of topics, all of one partition that ends there.
  void list(Offset end = Offset{0}, LeaderEpoch epoch = LeaderEpoch{1}, Duration memory = seconds(86'400)) {
    uplink::TopicList list;
    list.gateway_time = cloud_time();
    list.producer_memory_ms = to_millis(memory);
    for (const char* topic : {"climate", "doors", "edgelog.gaps"})
      list.topics.push_back({topic, 1 << 20, {{end, epoch}}});
    step(list);
  }
  void connect(Offset end = Offset{0}, LeaderEpoch epoch = LeaderEpoch{1}) {
    step(agent::Connected{});
    list(end, epoch);
  }
  void answer(const agent::PublishBatch& batch, std::int16_t error, Offset offset = Offset{-1},
              LeaderEpoch epoch = LeaderEpoch{1}, ProducerEpoch producer_epoch = uplink::event_epoch) {
    const agent::BatchRow& row = batch.batch;
    answer_named({batch.topic, row.producer, producer_epoch, Sequence{0} + row.sequence,
                  Sequence{0} + (row.sequence + row.count() - 1)},
                 error, offset, epoch);
  }
  void answer_fence(const agent::PublishFence& fence, Offset offset, LeaderEpoch epoch = LeaderEpoch{1}) {
    answer_named({fence.topic, fence.id, uplink::fence_epoch, Sequence{0}, Sequence{0}}, 0, offset, epoch);
  }
  void answer_look(const agent::PublishLook& look, Offset to, std::vector<uplink::Sighting> seen,
                   uplink::Expectation expectation = uplink::Expectation::found, Offset start = Offset{0},
                   LeaderEpoch epoch = LeaderEpoch{1}) {
    uplink::Answers answers;
    answers.gateway_time = cloud_time();
    uplink::LookAnswer answer;
    answer.look_id = look.request.look_id;
    answer.topic = look.topic;
    answer.partition = look.request.partition;
    answer.from = look.request.from;
    answer.to = to;
    answer.log_start = start;
    answer.leader_epoch = answer.found_epoch = epoch;
    answer.expectation = static_cast<std::int8_t>(look.request.expected ? expectation : uplink::Expectation::not_asked);
    answer.sightings = std::move(seen);
    answers.looks.push_back(answer);
    step(answers);
  }
  // The last batch or fence of these events that was published.
  const agent::PublishBatch& last_batch() const { return batches.back(); }
  ContentPtr content(const agent::PublishBatch& batch) const {
    return store.batch(batch.batch.stream, batch.batch.first)->content;
  }

  void release() {
    hold = false;
    if (under_way_) commit(*std::exchange(under_way_, std::nullopt));
  }
  void fail_commit() { step(agent::CommitFailed{std::exchange(under_way_, std::nullopt)->id}); }
  bool is_held() const { return under_way_.has_value(); }
  WallMillis wall_offset{0};
  WallMillis cloud_time() const { return WallMillis{1'760'000'000'000} + (now_ - Instant{}); }

 private:
  agent::Moment moment() const { return {now_, WallMillis{cloud_time().value() + wall_offset.value()}}; }
  void answer_named(uplink::BatchName name, std::int16_t error, Offset offset, LeaderEpoch epoch) {
    uplink::Answers answers;
    answers.gateway_time = cloud_time();
    answers.batches.push_back({std::move(name), PartitionIndex{0}, error, offset, epoch});
    step(answers);
  }
  void commit(const agent::Transaction& transaction) {
    Store::Applied applied = store.apply(transaction, taken_);
    ASSERT_EQ(applied.broken, "");
    gaps.insert(gaps.end(), applied.gaps.begin(), applied.gaps.end());
    gone.insert(gone.end(), applied.gone.begin(), applied.gone.end());
    step(agent::Committed{transaction.id, applied.sealed_bytes});
  }
  void perform(agent::Effects effects) {
    for (agent::Effect& effect : effects) {
      if (auto* c = std::get_if<agent::Commit>(&effect)) {
        if (hold)
          under_way_ = std::move(c->transaction);
        else
          commit(c->transaction);
      }
      if (auto* p = std::get_if<agent::PublishBatch>(&effect)) batches.push_back(*p), step(agent::HandedOver{});
      if (auto* f = std::get_if<agent::PublishFence>(&effect)) fences.push_back(*f), step(agent::HandedOver{});
      if (auto* l = std::get_if<agent::PublishLook>(&effect)) looks.push_back(*l), step(agent::HandedOver{});
      if (auto* d = std::get_if<agent::ConfirmDevice>(&effect)) confirmed.push_back(*d);
    }
  }

  Instant now_ = Instant{} + seconds(1000);
  Store::Payloads taken_;
  std::optional<agent::Transaction> under_way_;
  std::uint64_t last_fact_ = 0;
};

inline uplink::Sighting seen(ProducerId producer, ProducerId origin, std::int64_t first, std::int64_t last,
                             std::int64_t at) {
  return {producer, origin, EventIndex{first}, EventIndex{last}, Offset{at}, false};
}
inline uplink::Sighting fence_at(ProducerId producer, std::int64_t at) {
  return {producer, producer, EventIndex{0}, EventIndex{-1}, Offset{at}, true};
}

}  // namespace edgelog::sim::edge
