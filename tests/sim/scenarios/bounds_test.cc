// What is full, refused or too large: DESIGN's policies, one small story each.
#include <algorithm>

#include "edge-agent/core/stream.h"
#include "tests/sim/scenarios/bench.h"

namespace edgelog::sim::edge {
namespace {

using agent::Outcome;

constexpr std::int16_t too_large = 10, invalid_timestamp = 32, not_leader = 6;

TEST(Full, DropNewestCountsWhatItDrops) {
  Bench b;
  b.config.defaults.bytes_max = 1'000;
  b.config.defaults.when_full = agent::WhenFull::drop_newest;
  b.open();
  int taken = 0, dropped = 0;
  for (int i = 0; i < 50; ++i) ++(b.take("climate").outcome == Outcome::taken ? taken : dropped);
  EXPECT_GT(taken, 10);
  EXPECT_GT(dropped, 20);
  ASSERT_FALSE(b.gaps.empty());
  EXPECT_EQ(b.gaps.back().reason, agent::gap_reason::full);
  EXPECT_EQ(b.gaps.back().count, dropped);
}

TEST(Full, BlockTakesNothingUntilThereIsRoom) {
  Bench b;
  b.config.defaults.bytes_max = 1'000;
  b.config.defaults.when_full = agent::WhenFull::block;
  b.open();
  int taken = 0;
  while (b.take("climate").outcome == Outcome::taken) ++taken;
  EXPECT_GT(taken, 5);
  EXPECT_EQ(b.take("climate").outcome, Outcome::blocked);
  b.connect();
  b.answer(b.batches.at(0), 0, Offset{0});
  EXPECT_EQ(b.take("climate").outcome, Outcome::taken);
  EXPECT_TRUE(b.gaps.empty());
}

agent::Taken of_device(Bench& b, const std::string& device, std::int64_t number, agent::SourceKind kind) {
  agent::Taken in;
  in.kind = kind;
  in.source = {"mqtt", device};
  in.incarnation = "1";
  in.number = number;
  in.events.push_back({*b.core->stream("climate"), 40});
  return in;
}

// What is blocked holds up all that comes behind it by its input: a ring need not, it sends again.
TEST(Full, ARingWaitsAloneForItsStream) {
  for (const auto when_full : {agent::WhenFull::drop_newest, agent::WhenFull::block}) {
    Bench b;
    b.config.defaults.bytes_max = 1'000;
    b.config.defaults.when_full = when_full;
    b.open();
    while (b.take("climate").outcome == Outcome::taken) {
    }
    agent::Taken ring = of_device(b, "a", 1, agent::SourceKind::ring);
    ring.can_wait = false;
    EXPECT_EQ(b.take("climate", ring).outcome, Outcome::later);
    EXPECT_EQ(b.take("doors").outcome, Outcome::taken);
    b.connect();
    const auto first =
        std::find_if(b.batches.begin(), b.batches.end(), [](const auto& p) { return p.topic == "climate"; });
    ASSERT_NE(first, b.batches.end());
    b.answer(agent::PublishBatch(*first), 0, Offset{0});
    EXPECT_EQ(b.take("climate", ring).outcome, Outcome::taken);
  }
}

// What comes behind the message that is left alone is out of order: an answer would bring the whole window again.
TEST(Full, ARingThatSendsAheadIsToldNothingWhileItsStreamIsFull) {
  Bench b;
  b.config.defaults.bytes_max = 1'000;
  b.config.defaults.when_full = agent::WhenFull::drop_newest;
  b.open();
  ASSERT_EQ(b.take("climate", of_device(b, "a", 1, agent::SourceKind::ring)).outcome, Outcome::taken);
  while (b.take("climate").outcome == Outcome::taken) {
  }
  b.pass(seconds(1));
  b.confirmed.clear();
  const auto send = [&](std::int64_t number) {
    const auto outcome = b.take("climate", of_device(b, "a", number, agent::SourceKind::ring)).outcome;
    b.pass(seconds(1));
    return outcome;
  };
  EXPECT_EQ(send(2), Outcome::later);
  for (int number = 3; number < 6; ++number) EXPECT_EQ(send(number), Outcome::out_of_order);
  EXPECT_TRUE(b.confirmed.empty());
  b.connect();
  const auto first =
      std::find_if(b.batches.begin(), b.batches.end(), [](const auto& p) { return p.topic == "climate"; });
  ASSERT_NE(first, b.batches.end());
  b.answer(agent::PublishBatch(*first), 0, Offset{0});
  EXPECT_EQ(send(3), Outcome::out_of_order);
  ASSERT_FALSE(b.confirmed.empty()) << "there is room: it need not wait to send again";
  EXPECT_EQ(b.confirmed.back().through, 1);
}

// A device without an incarnation that began again: the number behind its hole was taken, and is in none.
TEST(Gaps, HolesOfTwoRoundsOfACountAreTwo) {
  Bench b;
  b.open();
  for (const std::int64_t number : {2, 5, 4, 7}) {
    agent::Taken in = of_device(b, "a", number, agent::SourceKind::numbered);
    in.incarnation.clear();
    in.payload_hash = static_cast<std::uint64_t>(number);
    ASSERT_EQ(b.take("climate", in).outcome, Outcome::taken);
  }
  std::vector<std::pair<std::int64_t, std::int64_t>> holes;
  for (const agent::Gap& gap : b.gaps) holes.emplace_back(gap.source_first, gap.source_last);
  EXPECT_EQ(holes, (std::vector<std::pair<std::int64_t, std::int64_t>>{{3, 4}, {5, 6}}));
}

// What is found in the log may stand between gaps that wait: they stay what they are.
TEST(Gaps, OneThatGoesFromTheMiddleIsMergedIntoNoMore) {
  agent::Stream stream({}, {}, {milliseconds(1), seconds(1)}, 1);
  for (const std::int64_t index : {4, 5, 6}) {
    const agent::Gap gap{agent::gap_reason::overflow, "s" + std::to_string(index)};
    stream.gaps.push_back({EventIndex{index}, WallMillis{1}, gap});
    stream.last_gaps[key_of(gap)] = EventIndex{index};
  }
  agent::close_gaps(stream, EventIndex{5}, EventIndex{5});
  ASSERT_EQ(stream.gaps.size(), 2u);
  EXPECT_EQ(stream.gaps.back().index, EventIndex{6});
  ASSERT_EQ(stream.last_gaps.size(), 2u);
  for (const auto& [key, index] : stream.last_gaps) EXPECT_NE(index, EventIndex{5});
}

TEST(Full, AStreamThatBlocksDropsTheOldestForAnInputThatCannotWait) {
  Bench b;
  b.config.defaults.bytes_max = 1'000;
  b.config.defaults.when_full = agent::WhenFull::block;
  b.open();
  for (int i = 0; i < 50; ++i) {
    agent::Taken in;
    in.can_wait = false;
    ASSERT_EQ(b.take("climate", in).outcome, Outcome::taken);
  }
  ASSERT_FALSE(b.gaps.empty());
  EXPECT_EQ(b.gaps.back().reason, agent::gap_reason::overflow);
  while (b.take("climate").outcome == Outcome::taken) {
  }
  EXPECT_EQ(b.take("climate").outcome, Outcome::blocked) << "as before for who can";
}

TEST(Full, WhatNoStreamHasRoomForIsRefusedAndNotBlockedForEver) {
  Bench b;
  b.config.defaults.bytes_max = 1'000;
  b.config.defaults.when_full = agent::WhenFull::block;
  b.open();
  agent::Taken in;
  in.events.push_back({*b.core->stream("climate"), 1'001});
  EXPECT_EQ(b.take("climate", in).outcome, Outcome::refused);
}

TEST(Full, ADiskShortOfSpaceTakesNothingUntilThereIsSomeAgain) {
  Bench b;
  b.open();
  ASSERT_EQ(b.take("climate").outcome, Outcome::taken);
  b.step(agent::Usage{13'000, true});
  EXPECT_EQ(b.take("climate").outcome, Outcome::blocked);
  b.connect();
  b.pass(seconds(2));
  b.answer(b.batches.at(0), 0, Offset{0});  // what was taken goes out, and what is acknowledged is deleted
  EXPECT_EQ(b.take("climate").outcome, Outcome::blocked);
  b.step(agent::Usage{13'000});
  EXPECT_EQ(b.take("climate").outcome, Outcome::taken);
  EXPECT_TRUE(b.gaps.empty());
}

TEST(Full, TheWholeLogDropsFromTheStreamOfTheLeastPriority) {
  Bench b;
  b.config.log_bytes_max = 12'800;
  agent::StreamSettings doors = b.config.defaults;
  doors.priority = 1;
  b.config.streams["doors"] = doors;
  b.open();
  for (int i = 0; i < 30; ++i) b.take("climate"), b.take("doors");
  b.step(agent::Usage{13'000});
  ASSERT_FALSE(b.gone.empty());
  for (const auto& gone : b.gone) EXPECT_EQ(gone.topic, "climate");
}

TEST(Full, TheWholeLogDropsNothingMoreBeforeWhatItDroppedIsDurable) {
  Bench b;
  b.config.log_bytes_max = 12'800;
  b.open();
  for (int i = 0; i < 60; ++i) b.take("climate");
  b.hold = true;
  b.take("climate");
  ASSERT_TRUE(b.is_held());
  b.step(agent::Usage{13'000});
  const std::uint64_t dropped = b.core->counts().events_dropped;
  EXPECT_GT(dropped, 0U);
  b.step(agent::Usage{13'000});  // a second later, the disk is slow
  EXPECT_EQ(b.core->counts().events_dropped, dropped);
  b.release();
  b.step(agent::Usage{13'000});
  EXPECT_GT(b.core->counts().events_dropped, dropped) << "it was not enough";
}

TEST(Refused, WhatIsTooLargeIsHalvedThenSetAside) {
  Bench b;
  b.config.defaults.linger = milliseconds(10);
  b.open();
  b.connect();
  b.take("climate");
  b.take("climate");
  b.pass(milliseconds(20));
  const auto refuse_for_long = [&] {
    const agent::PublishBatch batch = b.last_batch();
    b.answer(batch, too_large);
    b.pass(seconds(11));
    b.answer(batch, too_large);
    b.answer_fence(b.fences.back(), Offset{10});
    b.tick();
    b.answer_look(b.looks.back(), Offset{11}, {fence_at(b.fences.back().id, 10)});
    b.pass(milliseconds(20));
  };
  refuse_for_long();
  EXPECT_EQ(b.last_batch().batch.count(), 1);
  EXPECT_TRUE(b.gaps.empty());
  refuse_for_long();
  ASSERT_EQ(b.gaps.size(), 1U);
  EXPECT_EQ(b.gaps[0].reason, agent::gap_reason::refused);
  const auto next =
      std::find_if(b.batches.rbegin(), b.batches.rend(), [](const auto& p) { return p.topic == "climate"; });
  EXPECT_EQ(next->batch.first, EventIndex{1}) << "a refusal never blocks the stream";
}

TEST(Refused, ATimestampIsMadeAnew) {
  Bench b;
  b.open();
  b.connect();
  b.take("climate");
  const agent::PublishBatch first = b.last_batch();
  b.answer(first, invalid_timestamp);
  b.pass(seconds(11));
  b.answer(first, invalid_timestamp);
  b.answer_fence(b.fences.at(0), Offset{10});
  b.tick();
  b.answer_look(b.looks.at(0), Offset{11}, {fence_at(b.fences[0].id, 10)});
  b.tick();
  const ContentPtr content = b.content(b.last_batch());
  EXPECT_GT(content->records[0].timestamp, first.batch.oldest);
  EXPECT_TRUE(b.gaps.empty());
}

TEST(Refused, WhatMayPassSaysNothing) {
  Bench b;
  b.open();
  b.connect();
  b.take("climate");
  for (int i = 0; i < 20; ++i) {
    b.answer(b.last_batch(), not_leader);
    b.pass(seconds(10));
  }
  EXPECT_TRUE(b.fences.empty());
  EXPECT_GT(b.batches.size(), 2U);
  for (const auto& batch : b.batches) EXPECT_EQ(batch.batch.producer, b.batches[0].batch.producer);
}

TEST(Refused, AFenceThatIsRefusedKeepsTheStreamWaiting) {
  Bench b;
  b.open();
  b.connect();
  b.take("climate");
  b.answer(b.batches[0], 47);
  b.tick();
  ASSERT_EQ(b.fences.size(), 1U);
  const auto refuse = [&] {
    uplink::Answers answers;
    answers.gateway_time = b.cloud_time();
    answers.batches.push_back(
        {{"climate", b.fences[0].id, uplink::fence_epoch, Sequence{0}, Sequence{0}}, PartitionIndex{0}, 29});
    b.step(answers);
  };
  refuse();
  b.pass(seconds(11));
  refuse();
  b.tick();
  const auto status = b.core->status();
  const auto climate =
      std::find_if(status.begin(), status.end(), [](const auto& s) { return s.state.topic == "climate"; });
  EXPECT_EQ(climate->waits_for, "fence refused with 29");
  EXPECT_EQ(climate->state.state, 3);
  EXPECT_EQ(b.take("climate").outcome, Outcome::taken);
}

TEST(Refused, AnEventAboveTheLimitByName) {
  Bench b;
  b.open();
  agent::Taken in;
  in.events.push_back({*b.core->stream("climate"), b.config.event_bytes_max + 1});
  const agent::Taking taking = b.take("climate", in);
  EXPECT_EQ(taking.outcome, Outcome::refused);
  EXPECT_STRNE(taking.reason, "");
}

TEST(Refused, AnEventForTheGapsOwnStream) {
  Bench b;
  b.open();
  EXPECT_EQ(b.take("edgelog.gaps").outcome, Outcome::refused);
  EXPECT_TRUE(b.store.stream("edgelog.gaps") == nullptr || b.store.stream("edgelog.gaps")->next == EventIndex{0});
}

TEST(Disk, AFullOneIsTriedAgainWithTheSameTransaction) {
  Bench b;
  b.open();
  b.hold = true;
  b.take("climate");
  ASSERT_TRUE(b.is_held());
  b.fail_commit();
  b.pass(seconds(2));
  ASSERT_TRUE(b.is_held());
  b.release();
  EXPECT_TRUE(b.core->all_durable());
  EXPECT_TRUE(b.store.stream("climate") != nullptr);
}

TEST(Gaps, DevicesThatTakeTurnsMakeOneEach) {
  Bench b;
  b.config.defaults.bytes_max = 1'000;
  b.config.defaults.when_full = agent::WhenFull::drop_newest;
  agent::StreamSettings gaps = b.config.defaults;
  gaps.bytes_max = 1 << 20;
  b.config.streams["edgelog.gaps"] = gaps;
  b.open();
  while (b.take("climate").outcome == Outcome::taken) {
  }
  const auto rows = [&] { return b.store.stream("edgelog.gaps")->next.value(); };
  const std::int64_t before = rows();
  for (std::int64_t number = 1; number <= 10; ++number)
    for (int device = 0; device < 40; ++device)
      ASSERT_EQ(
          b.take("climate", of_device(b, "d" + std::to_string(device), number, agent::SourceKind::numbered)).outcome,
          Outcome::dropped);
  b.pass(seconds(1));
  EXPECT_EQ(rows() - before, 40);
  EXPECT_EQ(b.gaps.back().count, 10);
}

}  // namespace
}  // namespace edgelog::sim::edge
