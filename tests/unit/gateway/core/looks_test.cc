#include "gateway/core/looks.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "gateway/core/errors.h"
#include "tests/support/effects.h"

namespace edgelog::gateway {
namespace {

using testing::all_of;

const std::string topic = "doors";

class LooksTest : public ::testing::Test {
 protected:
  explicit LooksTest(const LookConfig& config = {}) : looks(config, 1) {}
  static LookArrived request(const std::string& agent, std::int64_t id, std::int64_t from) {
    LookArrived in{agent, topic, {}};
    in.request.look_id = id;
    in.request.partition = PartitionIndex{0};
    in.request.from = Offset{from};
    return in;
  }
  static uplink::BatchAnswer expected(const std::string& agent, std::int64_t offset, std::int32_t first,
                                      std::int32_t last) {
    return {{topic, uplink::make_producer_id(agent, 1), uplink::event_epoch, Sequence{first}, Sequence{last}},
            PartitionIndex{0},
            0,
            Offset{offset},
            LeaderEpoch{4}};
  }
  static BatchSeen seen(const std::string& agent, std::int64_t base, std::int32_t first, std::int32_t count) {
    const ProducerId id = uplink::make_producer_id(agent, 1);
    return {Offset{base},
            Offset{base + count - 1},
            LeaderEpoch{4},
            id,
            uplink::event_epoch,
            Sequence{first},
            count,
            uplink::OriginMark{id, EventIndex{first}},
            false};
  }
  template <class T>
  T only(const Effects& effects) {
    const auto found = all_of<T>(effects);
    EXPECT_EQ(found.size(), 1u);
    return found.at(0);
  }
  Effects ask(const LookArrived& in) {
    Effects out;
    looks.ask(now, in, out);
    return out;
  }
  // One look at each of so many partitions; what is asked at once.
  std::vector<AskRange> ask_partitions(std::int32_t count) {
    std::vector<AskRange> asked;
    for (std::int32_t p = 0; p < count; ++p) {
      auto in = request("a", p, 0);
      in.request.partition = PartitionIndex{p};
      for (const auto& one : all_of<AskRange>(ask(in))) asked.push_back(one);
    }
    return asked;
  }
  Effects range(ReadId id, std::int64_t start, std::int64_t end, std::int16_t error = 0) {
    Effects out;
    looks.on(now, RangeKnown{id, error, Offset{start}, Offset{end}, LeaderEpoch{5}}, out);
    looks.tick(now, out);
    return out;
  }
  Effects read(ReadId id, std::int64_t next, std::vector<BatchSeen> batches, std::int16_t error = 0) {
    Effects out;
    looks.on(now, RangeRead{id, error, Offset{next}, std::move(batches)}, out);
    looks.tick(now, out);
    return out;
  }
  Effects tick_until_something() {
    Effects out;
    for (int i = 0; i < 100 && out.empty(); ++i) {
      now = std::max(now, looks.deadline());
      looks.tick(now, out);
    }
    return out;
  }

  Looks looks;
  Instant now{1'000'000'000};
};

TEST_F(LooksTest, ReadsFromTheOffsetToTheEndAndMergesWhatContinues) {
  const auto asked = only<AskRange>(ask(request("a", 7, 10)));
  auto piece = only<Read>(range(asked.id, 0, 30));
  EXPECT_EQ(piece.from, Offset{10});
  EXPECT_EQ(piece.to, Offset{30});
  ASSERT_EQ(piece.prefixes.size(), 1u);
  piece = only<Read>(read(piece.id, 20, {seen("a", 8, 0, 4), seen("a", 15, 4, 2)}));
  EXPECT_EQ(piece.from, Offset{20});
  auto late = seen("a", 27, 9, 3);
  auto fence = seen("a", 26, 0, 1);
  fence.origin.reset();
  fence.fence = true;
  const auto answer = only<AnswerLook>(read(piece.id, 30, {seen("a", 22, 6, 2), fence, late})).answer;
  EXPECT_EQ(answer.look_id, 7);
  EXPECT_EQ(answer.from, Offset{10});
  EXPECT_EQ(answer.to, Offset{30});
  EXPECT_EQ(answer.leader_epoch, LeaderEpoch{5});
  ASSERT_EQ(answer.sightings.size(), 3u);
  EXPECT_EQ(answer.sightings[0].first, EventIndex{0});
  EXPECT_EQ(answer.sightings[0].last, EventIndex{7});
  EXPECT_EQ(answer.sightings[0].offset, Offset{8});
  EXPECT_TRUE(answer.sightings[1].is_fence);
  EXPECT_EQ(answer.sightings[2].first, EventIndex{9});
  EXPECT_EQ(looks.deadline(), never);
}

TEST_F(LooksTest, OneRoundServesAllWhoWaitedAndTheNextThoseWhoCameMeanwhile) {
  const auto first = only<AskRange>(ask(request("a", 1, 0)));
  EXPECT_TRUE(ask(request("b", 2, 4)).empty());
  EXPECT_TRUE(ask(request("c", 3, 2)).empty());
  EXPECT_TRUE(ask(request("a", 1, 0)).empty());  // asked again: on its way
  const auto effects = range(first.id, 0, 0);
  EXPECT_EQ(only<AnswerLook>(effects).agent, "a");
  const auto second = only<AskRange>(effects);
  const auto piece = only<Read>(range(second.id, 0, 6));
  EXPECT_EQ(piece.from, Offset{2});
  EXPECT_EQ(piece.prefixes.size(), 2u);
  const auto answers =
      all_of<AnswerLook>(read(piece.id, 6, {seen("b", 2, 0, 1), seen("c", 3, 0, 1), seen("b", 5, 1, 1)}));
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].agent, "b");
  ASSERT_EQ(answers[0].answer.sightings.size(), 1u);  // the one below its `from` is not its affair
  EXPECT_EQ(answers[0].answer.sightings[0].offset, Offset{5});
  EXPECT_EQ(answers[1].answer.sightings.size(), 1u);
}

TEST_F(LooksTest, FindsTheExpectedBatchAtItsOffset) {
  auto in = request("a", 1, 12);
  in.request.check_only = true;
  in.request.expected = expected("a", 10, 3, 4);
  const auto spot = only<Read>(range(only<AskRange>(ask(in)).id, 0, 30));
  EXPECT_TRUE(spot.spot);
  EXPECT_EQ(spot.from, Offset{10});
  EXPECT_EQ(spot.to, Offset{11});
  const auto answer = only<AnswerLook>(read(spot.id, 12, {seen("a", 10, 3, 2)})).answer;
  EXPECT_EQ(answer.expectation, static_cast<std::int8_t>(uplink::Expectation::found));
  EXPECT_EQ(answer.found_epoch, LeaderEpoch{4});
}

TEST_F(LooksTest, SaysWhatElseStandsThere) {
  const auto expectation = [&](std::int64_t start, std::int64_t end, std::optional<BatchSeen> there) {
    auto in = request("a", 1, 12);
    in.request.check_only = true;
    in.request.expected = expected("a", 10, 3, 4);
    auto effects = range(only<AskRange>(ask(in)).id, start, end);
    if (there) effects = read(only<Read>(effects).id, 12, {*there});
    return only<AnswerLook>(effects).answer;
  };
  EXPECT_EQ(expectation(0, 30, seen("b", 10, 3, 2)).expectation, 2);
  EXPECT_EQ(expectation(0, 30, seen("a", 9, 3, 3)).expectation, 2);
  auto other_epoch = seen("a", 10, 3, 2);
  other_epoch.producer_epoch = uplink::fence_epoch;
  EXPECT_EQ(expectation(0, 30, other_epoch).expectation, 2);
  const auto ends_before = expectation(0, 10, std::nullopt);
  EXPECT_EQ(ends_before.expectation, 2);
  EXPECT_EQ(ends_before.found_epoch, LeaderEpoch{5});
  EXPECT_EQ(expectation(11, 30, std::nullopt).expectation, 3);
}

TEST_F(LooksTest, BeginsAgainWhenTheLogChangedUnderIt) {
  const auto asked = only<AskRange>(ask(request("a", 1, 0)));
  auto piece = only<Read>(range(asked.id, 0, 20));
  piece = only<Read>(read(piece.id, 10, {seen("a", 5, 0, 1)}));
  EXPECT_TRUE(read(piece.id, 10, {}, 1).empty());
  const auto again = only<AskRange>(tick_until_something());
  piece = only<Read>(range(again.id, 8, 20));
  EXPECT_EQ(piece.from, Offset{8});
  const auto answer = only<AnswerLook>(read(piece.id, 20, {})).answer;
  EXPECT_EQ(answer.log_start, Offset{8});
  EXPECT_TRUE(answer.sightings.empty());
}

TEST_F(LooksTest, RetriesAndThenSaysTheError) {
  auto asked = only<AskRange>(ask(request("a", 1, 0)));
  std::vector<AnswerLook> answers;
  const Instant began = now;
  while (answers.empty() && now - began < seconds(120)) {
    answers = all_of<AnswerLook>(range(asked.id, 0, 0, 6));
    if (answers.empty()) asked = only<AskRange>(tick_until_something());
  }
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].answer.error, 6);
  EXPECT_GE(now - began, LookConfig{}.retry_total);
}

// A range that is told is no progress: of this log nothing can ever be read.
TEST_F(LooksTest, GivesUpALogThatTellsItsRangeAndIsNeverRead) {
  auto asked = only<AskRange>(ask(request("a", 1, 0)));
  std::vector<AnswerLook> answers;
  const Instant began = now;
  while (answers.empty() && now - began < seconds(120)) {
    const auto piece = only<Read>(range(asked.id, 0, 20));
    answers = all_of<AnswerLook>(read(piece.id, 0, {}, code(ErrorCode::offset_out_of_range)));
    if (answers.empty()) asked = only<AskRange>(tick_until_something());
  }
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].answer.error, code(ErrorCode::offset_out_of_range));
  EXPECT_GE(now - began, LookConfig{}.retry_total);
}

TEST_F(LooksTest, AsksAgainWhenNoAnswerComes) {
  const auto asked = only<AskRange>(ask(request("a", 1, 0)));
  now = looks.deadline();
  Effects out;
  looks.tick(now, out);
  EXPECT_TRUE(out.empty());                    // a pause first
  EXPECT_TRUE(range(asked.id, 0, 0).empty());  // too late: nobody awaits it
  const auto again = only<AskRange>(tick_until_something());
  EXPECT_NE(again.id, asked.id);
  EXPECT_EQ(all_of<AnswerLook>(range(again.id, 0, 0)).size(), 1u);
}

TEST_F(LooksTest, ReadsFourPartitionsAtOnceInTurn) {
  const std::vector<AskRange> asked = ask_partitions(6);
  ASSERT_EQ(asked.size(), 4u);
  EXPECT_EQ(only<AskRange>(range(asked[2].id, 0, 0)).partition, PartitionIndex{4});
}

TEST_F(LooksTest, PartitionsWithoutALeaderKeepNobodyWaiting) {
  const std::vector<AskRange> asked = ask_partitions(8);
  ASSERT_EQ(asked.size(), 4u);
  for (std::int32_t p = 0; p < 4; ++p)
    EXPECT_EQ(only<AskRange>(range(asked[static_cast<std::size_t>(p)].id, 0, 0, 5)).partition, PartitionIndex{p + 4});
}

struct OneQuestionAtATimeTest : LooksTest {
  OneQuestionAtATimeTest() : LooksTest(one_question()) {}
  static LookConfig one_question() {
    LookConfig config;
    config.questions_max = 1;
    return config;
  }
};

TEST_F(OneQuestionAtATimeTest, PartitionsTakeTurnsWithEachPiece) {
  const auto long_one = only<AskRange>(ask(request("a", 1, 0)));
  auto other = request("b", 2, 0);
  other.request.partition = PartitionIndex{1};
  EXPECT_TRUE(ask(other).empty());
  const auto short_one = only<AskRange>(range(long_one.id, 0, 1000));
  EXPECT_EQ(short_one.partition, PartitionIndex{1});
  const auto piece = only<Read>(range(short_one.id, 0, 5));
  EXPECT_EQ(piece.partition, PartitionIndex{0});
  const auto turn = read(piece.id, 10, {});
  EXPECT_EQ(only<Read>(turn).partition, PartitionIndex{1});
  EXPECT_EQ(only<AnswerLook>(read(only<Read>(turn).id, 5, {})).agent, "b");
}

TEST_F(LooksTest, OneAgentDoesNotTakeAllPlaces) {
  for (std::int32_t p = 0; p < 200; ++p) {
    auto in = request("greedy", p, 0);
    in.request.partition = PartitionIndex{p};
    ask(in);
  }
  EXPECT_EQ(looks.metrics().waiting.value(), static_cast<std::int64_t>(LookConfig{}.agent_waiters_max));
  ask(request("modest", 1, 0));
  EXPECT_EQ(looks.metrics().waiting.value(), static_cast<std::int64_t>(LookConfig{}.agent_waiters_max) + 1);
}

TEST_F(LooksTest, OneBatchThatCameJudgesAllWhoExpectSomethingInIt) {
  const auto check = [&](const std::string& agent, std::int64_t offset) {
    auto in = request(agent, 1, 30);
    in.request.check_only = true;
    in.request.expected = expected(agent, offset, 3, 4);
    return in;
  };
  const auto first = only<AskRange>(ask(request("z", 1, 0)));
  for (const auto& in : {check("a", 10), check("b", 11), check("c", 12)}) EXPECT_TRUE(ask(in).empty());
  auto effects = range(first.id, 0, 0);
  effects = range(only<AskRange>(effects).id, 0, 30);
  EXPECT_EQ(only<Read>(effects).from, Offset{10});
  effects = read(only<Read>(effects).id, 12, {seen("a", 10, 3, 2)});
  EXPECT_EQ(only<Read>(effects).from, Offset{12}) << "what stands at 11 is known";
  const auto answers = all_of<AnswerLook>(read(only<Read>(effects).id, 14, {seen("c", 12, 3, 2)}));
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].answer.expectation, static_cast<std::int8_t>(uplink::Expectation::found));
  EXPECT_EQ(answers[1].answer.expectation, static_cast<std::int8_t>(uplink::Expectation::replaced));
  EXPECT_EQ(answers[2].answer.expectation, static_cast<std::int8_t>(uplink::Expectation::found));
}

}  // namespace
}  // namespace edgelog::gateway
