#include "gateway/core/core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/core/errors.h"
#include "tests/support/effects.h"

namespace edgelog::gateway {
namespace {

using testing::all_of;

const std::string agent = "house-1", topic = "doors";

class CoreTest : public ::testing::Test {
 protected:
  CoreTest() {
    step(SessionStarted{});
    step(ShardsAssigned{{0, 5, 63}});
    step(known());
  }
  static TopicsKnown known() {
    return {86'400'000, {{topic, 1'000'000, {{Offset{0}, LeaderEpoch{3}}}}, {"climate", 0, {}}}};
  }

  Effects step(const Input& input) {
    Effects effects;
    core.step(now, input, effects);
    for (const auto& gone : all_of<Released>(effects)) released[gone.ticket] = gone.reason;
    return effects;
  }
  // Steps with nothing until `when`, as often as the core wishes.
  Effects pass(Duration time) {
    const Instant until = now + time;
    Effects out;
    while (now < until) {
      now = std::min(until, std::max(core.deadline(), now));
      const Effects some = step(Tick{});
      out.insert(out.end(), some.begin(), some.end());
    }
    return out;
  }
  BatchArrived batch(std::int32_t first, std::int32_t count = 1, std::uint32_t id = 1) {
    BatchFacts facts;
    facts.bytes = 100;
    facts.well_formed = facts.crc_ok = true;
    facts.crc = static_cast<std::uint32_t>(first) * 7 + id;
    facts.producer_id = uplink::make_producer_id(agent, id);
    facts.producer_epoch = uplink::event_epoch;
    facts.first = Sequence{first};
    facts.record_count = count;
    facts.last_offset_delta = count - 1;
    return {Ticket{++last_ticket}, agent, topic, PartitionIndex{0}, facts};
  }
  std::int16_t refusal_of(const BatchArrived& in) {
    const auto answers = all_of<AnswerBatch>(step(in));
    return answers.size() == 1 ? answers[0].answer.error : std::int16_t{0};
  }
  Produced ok(const Produce& sent, std::int64_t offset) { return {sent.ticket, 0, Offset{offset}, LeaderEpoch{3}}; }
  static Produced bad(const Produce& sent, ErrorCode error) {
    return {sent.ticket, code(error), Offset{-1}, LeaderEpoch{-1}};
  }

  CoreConfig config;
  Core core{config, 1};
  Instant now{1'000'000'000};
  std::uint64_t last_ticket = 0;
  std::map<Ticket, Release> released;
};

TEST_F(CoreTest, SendsABatchAndAnswersWithItsOwnName) {
  const auto sent = all_of<Produce>(step(batch(0, 3)));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].topic, topic);
  EXPECT_EQ(sent[0].not_after, now + config.hold_max);
  const auto effects = step(ok(sent[0], 41));
  const auto answers = all_of<AnswerBatch>(effects);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].agent, agent);
  EXPECT_EQ(answers[0].answer.offset, Offset{41});
  EXPECT_EQ(answers[0].answer.leader_epoch, LeaderEpoch{3});
  EXPECT_EQ(answers[0].answer.batch.first, Sequence{0});
  EXPECT_EQ(answers[0].answer.batch.last, Sequence{2});
  EXPECT_EQ(released.at(sent[0].ticket), Release::answered);
}

TEST_F(CoreTest, RefusesByKafkasCodes) {
  auto in = batch(0);
  in.facts.producer_id = uplink::make_producer_id("house-2", 1);
  EXPECT_EQ(refusal_of(in), 31);
  in = batch(0);
  in.facts.producer_id = ProducerId{17};
  EXPECT_EQ(refusal_of(in), 31);
  in = batch(0);
  in.facts.crc_ok = false;
  EXPECT_EQ(refusal_of(in), 2);
  in = batch(0);
  in.topic = "unlisted";
  EXPECT_EQ(refusal_of(in), 29);
  in = batch(0);
  in.partition.reset();
  EXPECT_EQ(refusal_of(in), 42);
  in = batch(0);
  in.facts.bytes = config.batch_bytes_max + 1;
  EXPECT_EQ(refusal_of(in), 10);
  for (auto spoil : std::vector<std::function<void(BatchFacts&)>>{
           [](BatchFacts& f) { f.control = true; }, [](BatchFacts& f) { f.transactional = true; },
           [](BatchFacts& f) { f.log_append_time = true; }, [](BatchFacts& f) { f.record_count = 2; },
           [](BatchFacts& f) { f.producer_epoch = ProducerEpoch{1}; }, [](BatchFacts& f) { f.first = Sequence{-1}; },
           [](BatchFacts& f) { f.producer_epoch = uplink::fence_epoch; }}) {
    in = batch(0);
    spoil(in.facts);
    EXPECT_EQ(refusal_of(in), 87);
  }
  EXPECT_EQ(core.metrics().in_hand.value(), 0);
}

TEST_F(CoreTest, LetsGoWithoutAWordWhatHasNoName) {
  auto in = batch(0);
  in.facts.well_formed = false;
  EXPECT_TRUE(all_of<AnswerBatch>(step(in)).empty());
  EXPECT_EQ(released.at(in.ticket), Release::malformed);
}

TEST_F(CoreTest, PassesAFenceOn) {
  auto in = batch(0);
  in.facts.producer_epoch = uplink::fence_epoch;
  in.facts.fence_record = true;
  const auto sent = all_of<Produce>(step(in));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(all_of<AnswerBatch>(step(ok(sent[0], 5)))[0].answer.batch.producer_epoch, uplink::fence_epoch);
}

TEST_F(CoreTest, SendsAtMostFiveOfAStreamAtOnce) {
  std::vector<Produce> sent;
  for (std::int32_t i = 0; i < 8; ++i)
    for (const auto& one : all_of<Produce>(step(batch(i)))) sent.push_back(one);
  EXPECT_EQ(sent.size(), 5u);
  EXPECT_EQ(all_of<Produce>(step(ok(sent[0], 0))).size(), 1u);
}

TEST_F(CoreTest, AfterAFailureTheOldestGoesAloneAndTheRestBehindIt) {
  std::vector<Produce> sent;
  for (std::int32_t i = 0; i < 3; ++i) sent.push_back(all_of<Produce>(step(batch(i)))[0]);
  step(bad(sent[0], ErrorCode::not_leader_or_follower));
  // What was behind it found a hole, which is no answer for the agent.
  EXPECT_TRUE(all_of<AnswerBatch>(step(bad(sent[1], ErrorCode::out_of_order_sequence_number))).empty());
  EXPECT_TRUE(all_of<Produce>(pass(milliseconds(500))).empty());  // the third is awaited first
  auto effects = step(bad(sent[2], ErrorCode::out_of_order_sequence_number));
  for (const auto& one : pass(seconds(2))) effects.push_back(one);
  const auto again = all_of<Produce>(effects);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].ticket, sent[0].ticket);
  effects = step(ok(again[0], 0));
  const auto rest = all_of<Produce>(effects);
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(rest[0].ticket, sent[1].ticket);
  EXPECT_EQ(rest[1].ticket, sent[2].ticket);
}

TEST_F(CoreTest, AHoleWithNothingOlderInHandIsAnswered) {
  const auto sent = all_of<Produce>(step(batch(4)));
  const auto answers = all_of<AnswerBatch>(step(bad(sent[0], ErrorCode::out_of_order_sequence_number)));
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].answer.error, 45);
}

TEST_F(CoreTest, AHoleBehindAnotherIdIsAnsweredToo) {
  const auto other = all_of<Produce>(step(batch(0, 1, 2)));
  const auto sent = all_of<Produce>(step(batch(4)));
  EXPECT_EQ(all_of<AnswerBatch>(step(bad(sent[0], ErrorCode::out_of_order_sequence_number))).size(), 1u);
  EXPECT_EQ(all_of<AnswerBatch>(step(ok(other[0], 1))).size(), 1u);
}

TEST_F(CoreTest, APermanentRefusalIsAnsweredAndTheNextGoOn) {
  const auto one = all_of<Produce>(step(batch(0))), two = all_of<Produce>(step(batch(1)));
  EXPECT_EQ(all_of<AnswerBatch>(step(bad(one[0], ErrorCode::invalid_timestamp)))[0].answer.error, 32);
  EXPECT_EQ(all_of<AnswerBatch>(step(ok(two[0], 9)))[0].answer.error, 0);
}

TEST_F(CoreTest, GivesUpAfterAWhileAndSaysSoOfTheWholeStream) {
  step(batch(0));
  step(batch(1));
  std::vector<AnswerBatch> answers;
  Effects open = step(Tick{});
  std::vector<Produce> in_flight{{Ticket{1}, topic, PartitionIndex{0}, now, 0},
                                 {Ticket{2}, topic, PartitionIndex{0}, now, 0}};
  const Instant began = now;
  while (answers.empty() && now - began < seconds(60)) {
    for (const auto& one : std::exchange(in_flight, {}))
      for (const auto& effect : step(bad(one, ErrorCode::not_enough_replicas))) open.push_back(effect);
    for (const auto& effect : pass(milliseconds(100))) open.push_back(effect);
    in_flight = all_of<Produce>(open);
    answers = all_of<AnswerBatch>(open);
    open.clear();
  }
  ASSERT_EQ(answers.size(), 2u);
  for (const auto& answer : answers) EXPECT_EQ(answer.answer.error, 19);
  EXPECT_GE(now - began, config.retry_total);
  EXPECT_EQ(core.metrics().in_hand.value(), 0);
}

TEST_F(CoreTest, ACopyOfWhatIsInHandIsLetGo) {
  step(batch(0));
  const auto copy = batch(0);
  EXPECT_TRUE(all_of<Produce>(step(copy)).empty());
  EXPECT_EQ(released.at(copy.ticket), Release::copy);
  auto other = batch(0);  // the same name, other bytes
  other.facts.crc = 99;
  EXPECT_EQ(all_of<Produce>(step(other)).size(), 1u);
}

TEST_F(CoreTest, DiscardsAfterAMinute) {
  const auto sent = all_of<Produce>(step(batch(0)));
  pass(seconds(59));
  EXPECT_TRUE(released.empty());
  pass(seconds(1));
  EXPECT_EQ(released.at(sent[0].ticket), Release::expired);
  EXPECT_TRUE(all_of<AnswerBatch>(step(ok(sent[0], 0))).empty());
  EXPECT_EQ(core.metrics().late_results.value(), 1u);
}

TEST_F(CoreTest, AfterASleepNothingOldIsTakenUntilTheNewSession) {
  step(batch(0));
  now = now + seconds(90);
  const auto in = batch(1);
  const auto effects = step(in);
  EXPECT_EQ(all_of<Reconnect>(effects).size(), 1u);
  EXPECT_TRUE(all_of<Produce>(effects).empty());
  EXPECT_EQ(released.at(Ticket{1}), Release::expired);
  EXPECT_EQ(released.at(in.ticket), Release::stale);
  step(SessionStarted{});
  EXPECT_EQ(all_of<Produce>(step(batch(1))).size(), 1u);
}

TEST_F(CoreTest, BoundsWhatIsInHand) {
  for (std::int32_t i = 0; i < 20; ++i) step(batch(i));
  EXPECT_EQ(core.metrics().in_hand.value(), static_cast<std::int64_t>(config.stream_in_hand_max));
  EXPECT_EQ(core.metrics().released_full.value(), 4u);

  CoreConfig small;
  small.in_hand_bytes_max = 250;
  Core other(small, 1);
  Effects effects;
  other.step(now, known(), effects);
  for (std::int32_t i = 0; i < 3; ++i) {
    auto in = batch(i);
    other.step(now, in, effects);
  }
  EXPECT_EQ(other.metrics().in_hand.value(), 2);
}

TEST_F(CoreTest, OneAgentHasAShareOfWhatIsInHand) {
  CoreConfig small;
  small.batch_bytes_max = 100;
  small.in_hand_bytes_max = 4000;  // an eighth: five batches
  small.stream_in_hand_max = 100;
  Core other(small, 1);
  Effects effects;
  other.step(now, known(), effects);
  for (std::int32_t i = 0; i < 30; ++i) other.step(now, batch(i), effects);
  EXPECT_EQ(other.metrics().in_hand_bytes.value(), 2000) << "half of the whole";
  auto modest = batch(0);
  modest.agent = "house-2";
  modest.facts.producer_id = uplink::make_producer_id("house-2", 1);
  for (std::int32_t i = 0; i < 10; ++i) {
    modest.ticket = Ticket{++last_ticket};
    modest.facts.first = Sequence{i};
    other.step(now, modest, effects);
  }
  EXPECT_EQ(other.metrics().in_hand_bytes.value(), 2500) << "the other agent's share";
  const auto sent = all_of<Produce>(effects);
  other.step(now, ok(sent.front(), 0), effects);
  other.step(now, batch(30), effects);
  EXPECT_EQ(other.metrics().in_hand_bytes.value(), 2400) << "the first has more than its share";
}

// 16 batches of each stream are what an agent may have open; with the whole nearly empty none is let go.
TEST_F(CoreTest, AnAgentMayHaveMoreThanItsShareWhileThereIsPlenty) {
  CoreConfig small;
  small.in_hand_max = 64;  // an eighth: eight batches
  Core other(small, 1);
  Effects effects;
  other.step(now, known(), effects);
  for (std::int32_t i = 0; i < 16; ++i) other.step(now, batch(i), effects);
  EXPECT_EQ(other.metrics().in_hand.value(), 16);
  EXPECT_EQ(other.metrics().released_full.value(), 0u);
}

TEST_F(CoreTest, RefusesPartitionsThatAreNotListed) {
  auto in = batch(0);
  in.partition = PartitionIndex{1};
  EXPECT_EQ(refusal_of(in), 3);
  LookArrived look{agent, topic, {}};
  look.request.partition = PartitionIndex{1};
  const auto effects = step(look);
  EXPECT_TRUE(all_of<AskRange>(effects).empty());
  ASSERT_EQ(all_of<AnswerLook>(effects).size(), 1u);
  EXPECT_EQ(all_of<AnswerLook>(effects)[0].answer.error, 3);
}

TEST_F(CoreTest, SubscribesOnceTheTopicsAreKnownAndMovesWithTheShards) {
  Core fresh(config, 1);
  Effects effects;
  fresh.step(now, ShardsAssigned{{1, 2}}, effects);
  auto in = batch(0);
  fresh.step(now, in, effects);
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_EQ(std::get<Released>(effects[0]).reason, Release::not_ready);
  effects.clear();
  fresh.step(now, known(), effects);
  EXPECT_EQ(all_of<Subscribe>(effects).size(), 2u);
  ASSERT_EQ(all_of<PublishTopics>(effects).size(), 1u);
  EXPECT_EQ(all_of<PublishTopics>(effects)[0].list.topics.size(), 2u);
  effects.clear();
  fresh.step(now, ShardsAssigned{{2, 3}}, effects);
  EXPECT_EQ(all_of<Unsubscribe>(effects)[0].shard, 1u);
  EXPECT_EQ(all_of<Subscribe>(effects)[0].shard, 3u);
}

}  // namespace
}  // namespace edgelog::gateway
