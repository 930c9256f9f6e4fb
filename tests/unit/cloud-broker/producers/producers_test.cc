#include "cloud-broker/producers/producers.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "common/base/prng.h"

namespace edgelog::broker {
namespace {

constexpr ProducerId agent{(std::int64_t{1} << 62) + 12345};
constexpr ProducerId handed_out{4000};

ProducerBatch batch(ProducerId id, int epoch, std::int32_t first, std::int32_t count, std::int64_t base = 0) {
  return {id, ProducerEpoch{static_cast<std::int16_t>(epoch)}, Sequence{first}, count, Offset{base}};
}

// What Apache Kafka 4.3.0 answered to the same calls, but for the first line: an agent's id must begin at 0.
TEST(Producers, AnswersAsKafkaDoes) {
  Producers state;
  EXPECT_EQ(state.check(batch(agent, 0, 5, 3)).error, 45);
  EXPECT_EQ(state.check(batch(handed_out, 0, 5, 3)).error, 0);
  state.apply(batch(handed_out, 0, 5, 3, 100));
  const auto again = state.check(batch(handed_out, 0, 5, 3));
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.base, Offset{100});
  EXPECT_EQ(again.last, Offset{102});
  EXPECT_EQ(state.check(batch(handed_out, 0, 8, 2)).error, 0);
  state.apply(batch(handed_out, 0, 8, 2, 103));
  EXPECT_EQ(state.check(batch(handed_out, 0, 20, 1)).error, 45);
  EXPECT_EQ(state.check(batch(handed_out, 3, 100, 1)).error, 45);
  EXPECT_EQ(state.check(batch(handed_out, 3, 0, 1)).error, 0);
  state.apply(batch(handed_out, 3, 0, 1, 105));
  EXPECT_EQ(state.check(batch(handed_out, 1, 0, 1)).error, 47);
  EXPECT_EQ(state.check(batch(handed_out, 0, 8, 2)).error, 47);  // of the old epoch: no duplicate any more
}

TEST(Producers, SequenceWraps) {
  Producers state;
  state.apply(batch(handed_out, 0, 2147483646, 2, 0));
  EXPECT_EQ(state.check(batch(handed_out, 0, 0, 1)).error, 0);
  state.apply(batch(handed_out, 0, 0, 3, 2));
  const auto again = state.check(batch(handed_out, 0, 2147483646, 2));
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.base, Offset{0});
}

TEST(Producers, ABatchAcrossTheWrapIsRecognised) {
  Producers state;
  state.apply(batch(handed_out, 0, 2147483646, 5, 0));  // ..., 2147483647, 0, 1, 2
  EXPECT_TRUE(state.check(batch(handed_out, 0, 2147483646, 5)).duplicate);
  EXPECT_EQ(state.check(batch(handed_out, 0, 3, 1)).error, 0);
}

TEST(Producers, RemembersFiveBatches) {
  Producers state;
  for (int i = 0; i < 7; ++i) state.apply(batch(agent, 0, i, 1, i * 10));
  EXPECT_EQ(state.check(batch(agent, 0, 0, 1)).error, 45);
  EXPECT_EQ(state.check(batch(agent, 0, 1, 1)).error, 45);
  for (int i = 2; i < 7; ++i) EXPECT_EQ(state.check(batch(agent, 0, i, 1)).base, Offset{i * 10});
  EXPECT_EQ(state.check(batch(agent, 0, 3, 2)).error, 45);  // the same beginning, another end
}

TEST(Producers, AFenceIsAlwaysTakenAndEndsTheId) {
  for (const bool known : {false, true}) {
    Producers state;
    if (known) state.apply(batch(agent, 0, 0, 5, 0));
    EXPECT_EQ(state.check(batch(agent, 32767, 0, 1)).error, 0);
    state.apply(batch(agent, 32767, 0, 1, 50));
    EXPECT_EQ(state.check(batch(agent, 32767, 0, 1)).base, Offset{50});
    EXPECT_EQ(state.check(batch(agent, 0, 0, 5)).error, 47);
    EXPECT_EQ(state.check(batch(agent, 0, 5, 1)).error, 47);
  }
}

TEST(Producers, ForgetsByKindAndOffset) {
  Producers state;
  state.apply(batch(agent, 0, 0, 1, 0));
  state.apply(batch(handed_out, 0, 0, 1, 1));
  state.apply(batch(ProducerId{4001}, 0, 0, 1, 2));
  EXPECT_EQ(state.forget(ProducerKind::handed_out, Offset{2}), 1u);
  EXPECT_EQ(state.last_offset(handed_out), Offset{-1});
  EXPECT_EQ(state.last_offset(ProducerId{4001}), Offset{2});
  EXPECT_EQ(state.last_offset(agent), Offset{0});
  EXPECT_EQ(state.forget(ProducerKind::agent, Offset{0}), 0u);
  EXPECT_EQ(state.forget(ProducerKind::agent, Offset{1}), 1u);
  EXPECT_EQ(state.check(batch(agent, 0, 1, 1)).error, 45);  // forgotten: it may not just go on
}

TEST(Producers, HorizonForgetsTheLongestIdle) {
  Producers state;
  for (int i = 0; i < 100; ++i) state.apply(batch(ProducerId{i}, 0, 0, 1, 1000 - i));
  const Offset horizon = state.horizon_forgetting(10);
  EXPECT_EQ(state.forget(ProducerKind::handed_out, horizon), 10u);
  EXPECT_EQ(state.last_offset(ProducerId{99}), Offset{-1});
  EXPECT_NE(state.last_offset(ProducerId{89}), Offset{-1});
}

TEST(Producers, RefusesABadSnapshot) {
  Producers state;
  state.apply(batch(agent, 0, 0, 1, 0));
  Buffer bytes = state.snapshot();
  EXPECT_TRUE(Producers::restore(bytes));
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(Producers::restore(Bytes(bytes).first(n)));
  bytes.push_back(std::byte{0});
  EXPECT_FALSE(Producers::restore(bytes));
}

// Against a plain model: random producers, batches that come again, forgetting, and restoring in between.
TEST(Producers, AgreesWithAModel) {
  struct Known {
    std::int16_t epoch;
    std::int32_t last;
    std::int64_t last_offset;
    std::deque<ProducerBatch> recent;
  };
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Prng random(seed);
    Producers state;
    std::map<std::int64_t, Known> model;
    std::int64_t end = 0;
    for (int step = 0; step < 3000; ++step) {
      const std::int64_t number = random.between(0, 300);
      const ProducerId id{random.chance(1, 2) ? number : agent.value() + number};
      const auto known = model.find(id.value());
      ProducerBatch b = batch(id, 0, 0, static_cast<std::int32_t>(random.between(1, 50)), end);
      if (known != model.end()) {
        b.epoch = ProducerEpoch{
            static_cast<std::int16_t>(known->second.epoch + (random.chance(1, 20) ? random.between(-1, 1) : 0))};
        b.first = b.epoch.value() == known->second.epoch
                      ? Sequence{known->second.last} + (random.chance(1, 20) ? random.between(-3, 3) : 1)
                      : Sequence{0};
        if (random.chance(1, 3)) b = known->second.recent[random.below(known->second.recent.size())];
      }
      const ProducerVerdict verdict = state.check(b);
      int expected = 0;
      const ProducerBatch* twin = nullptr;
      if (known == model.end()) {
        if (kind_of(id) == ProducerKind::agent && b.first != Sequence{0}) expected = 45;
      } else {
        const Known& k = known->second;
        for (const auto& r : k.recent)
          if (r.epoch == b.epoch && r.first == b.first && r.count == b.count) twin = &r;
        if (twin != nullptr)
          expected = 0;
        else if (b.epoch.value() < k.epoch)
          expected = 47;
        else if (b.epoch.value() > k.epoch)
          expected = b.first == Sequence{0} ? 0 : 45;
        else
          expected = b.first == Sequence{k.last} + 1 ? 0 : 45;
      }
      ASSERT_EQ(verdict.error, expected);
      ASSERT_EQ(verdict.duplicate, twin != nullptr);
      if (twin) {
        ASSERT_EQ(verdict.base, twin->base);
      }
      if (expected == 0 && !twin) {
        b.base = Offset{end};
        state.apply(b);
        Known& k = model[id.value()];
        if (k.recent.empty() || k.epoch != b.epoch.value()) k.recent.clear();
        k.epoch = b.epoch.value();
        k.last = (b.first + (b.count - 1)).value();
        k.recent.push_back(b);
        if (k.recent.size() > Producers::window) k.recent.pop_front();
        end += b.count;
        k.last_offset = end - 1;
      }
      if (random.chance(1, 100)) {
        const auto kind = random.chance(1, 2) ? ProducerKind::agent : ProducerKind::handed_out;
        const std::int64_t before = random.between(0, end);
        state.forget(kind, Offset{before});
        std::erase_if(model, [&](const auto& item) {
          return kind_of(ProducerId{item.first}) == kind && item.second.last_offset < before;
        });
        ASSERT_EQ(state.size(), model.size());
      }
      if (random.chance(1, 200)) {
        const Buffer bytes = state.snapshot();
        state = std::move(*Producers::restore(bytes));
        ASSERT_EQ(state.snapshot(), bytes);
      }
    }
  }
}

TEST(Producers, TwoMillionIdsFit) {
  Producers state;
  for (std::int64_t i = 0; i < 200'000; ++i)
    state.apply(batch(ProducerId{agent.value() + i * 7919}, 0, 0, 100, i * 100));
  const double per_id = static_cast<double>(state.memory_bytes()) / 200'000;
  RecordProperty("bytes_per_id", static_cast<int>(per_id));
  EXPECT_LT(per_id, 80);
}

}  // namespace
}  // namespace edgelog::broker
