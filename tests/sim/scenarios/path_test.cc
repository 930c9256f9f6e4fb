// The rules of docs/ARCHITECTURE.md, one small story each. Where a story was first told by the simulator, its seed
// at that time stands with it.
#include <algorithm>

#include "tests/sim/scenarios/bench.h"

namespace edgelog::sim::edge {
namespace {

using agent::Outcome;
using agent::SourceKind;

constexpr std::int16_t out_of_order = 45, fenced = 47;

TEST(Path, TakenPublishedAcknowledged) {
  Bench b;
  b.open();
  EXPECT_EQ(b.take("climate").outcome, Outcome::taken);
  EXPECT_TRUE(b.batches.empty());
  b.connect();
  ASSERT_EQ(b.batches.size(), 1U);
  EXPECT_FALSE(b.core->all_acknowledged());
  b.answer(b.last_batch(), 0, Offset{0});
  EXPECT_TRUE(b.core->all_acknowledged());
  EXPECT_EQ(b.store.stream("climate")->acknowledged.offset, Offset{0});
}

TEST(Rule4, OneInFlightUntilTheIdIsKnownThenFive) {
  Bench b;
  b.open();
  b.connect();
  for (int i = 0; i < 90; ++i) b.take("climate");
  b.tick();
  ASSERT_EQ(b.batches.size(), 1U);
  b.answer(b.batches[0], 0, Offset{0});
  EXPECT_EQ(b.batches.size(), 6U);
  // A new connection: the log may have forgotten it meanwhile. What is in flight is sent again one at a time.
  b.step(agent::Disconnected{});
  const std::size_t before = b.batches.size();
  b.connect(Offset{100});
  EXPECT_EQ(b.batches.size(), before + 1);
  EXPECT_EQ(b.last_batch().batch.first, b.batches[1].batch.first);
}

TEST(Rule4, AMarkThatIsDurableAfterAReconnectionWaitsForTheWindow) {  // seed 480
  Bench b;
  b.open();
  b.connect();
  b.take("climate");
  b.answer(b.batches[0], 0, Offset{0});
  b.take("climate");  // in flight
  b.pass(seconds(1));
  ASSERT_EQ(b.batches.size(), 2U);
  b.hold = true;
  b.take("climate");
  b.tick();
  ASSERT_TRUE(b.is_held());
  b.step(agent::Disconnected{});
  b.connect(Offset{100});
  b.release();
  b.tick();
  EXPECT_EQ(b.last_batch().batch.first, b.batches[1].batch.first)
      << "the third may not go before the second is answered";
}

TEST(Rule3, NothingIsPublishedBeforeItsMarkIsDurable) {
  Bench b;
  b.open();
  b.connect();
  b.hold = true;
  b.take("climate");
  b.tick();
  EXPECT_TRUE(b.batches.empty());
  b.release();
  b.tick();
  ASSERT_EQ(b.batches.size(), 1U);
  EXPECT_TRUE(b.store.batch(b.batches[0].batch.stream, b.batches[0].batch.first)->row.published);
}

TEST(Rule5, AnAnswerOfAnotherEpochIsIgnored) {
  Bench b;
  b.open();
  b.connect();
  b.take("climate");
  ASSERT_EQ(b.batches.size(), 1U);
  b.answer(b.batches[0], 0, Offset{0}, LeaderEpoch{1}, uplink::fence_epoch);
  EXPECT_FALSE(b.core->all_acknowledged());
  b.answer(b.batches[0], 0, Offset{0});
  EXPECT_TRUE(b.core->all_acknowledged());
}

TEST(Rule7, AFenceThatStandsNowhereIsNotAnswered) {
  Bench b;
  b.open();
  b.connect();
  b.take("climate");
  b.answer(b.batches[0], 47);
  b.tick();
  ASSERT_EQ(b.fences.size(), 1U);
  b.answer_fence(b.fences[0], Offset{-1});
  b.answer_fence(b.fences[0], Offset{5}, LeaderEpoch{-1});
  b.tick();
  EXPECT_TRUE(b.looks.empty());
  b.answer_fence(b.fences[0], Offset{5});
  b.tick();
  EXPECT_EQ(b.looks.size(), 1U);
}

TEST(Rule6, OutOfOrderWithAnOlderOneSendsTheOlderOneAgain) {
  Bench b;
  b.open();
  b.connect();
  b.take("climate");
  b.answer(b.batches[0], 0, Offset{0});
  b.take("climate");
  b.pass(milliseconds(1));
  b.take("climate");
  b.pass(seconds(2));
  ASSERT_EQ(b.batches.size(), 3U);
  b.answer(b.batches[2], out_of_order);
  b.tick();
  ASSERT_EQ(b.batches.size(), 4U);
  EXPECT_EQ(b.batches[3].batch.first, b.batches[1].batch.first);
  EXPECT_TRUE(b.fences.empty());
}

struct Recovered : Bench {
  // A batch of three that the log answers with `fenced`: fence and look are out.
  void until_look() {
    config.defaults.linger = milliseconds(10);
    open();
    connect();
    for (int i = 0; i < 3; ++i) take("climate");
    pass(milliseconds(20));
    ASSERT_EQ(batches.size(), 1U);
    answer(batches[0], fenced);
    tick();
    ASSERT_EQ(fences.size(), 1U);
    EXPECT_EQ(fences[0].id, batches[0].batch.producer);
    EXPECT_TRUE(looks.empty()) << "the end is asked for after the fence's answer";
    answer_fence(fences[0], Offset{5});
    tick();
    ASSERT_EQ(looks.size(), 1U);
  }
};

TEST(Rule7, WhatIsNotFoundGoesUnderANewId) {
  Recovered b;
  b.until_look();
  const ProducerId old = b.batches[0].batch.producer;
  b.answer_look(b.looks[0], Offset{6}, {fence_at(old, 5)});
  b.pass(milliseconds(20));
  ASSERT_EQ(b.batches.size(), 2U);
  EXPECT_NE(b.last_batch().batch.producer, old);
  EXPECT_EQ(b.last_batch().batch.sequence, 0);
  const ContentPtr content = b.content(b.last_batch());
  ASSERT_EQ(content->records.size(), 3U);
  EXPECT_EQ(content->records[0].origin, old) << "an event keeps the origin under which it was taken";
  EXPECT_FALSE(content->records[0].late);
}

TEST(Rule7, WhatIsFoundIsAcknowledgedAndWhatIsBeforeItIsLate) {
  Recovered b;
  b.until_look();
  const ProducerId old = b.batches[0].batch.producer;
  b.answer_look(b.looks[0], Offset{6}, {seen(old, old, 2, 2, 1), fence_at(old, 5)});
  b.pass(milliseconds(20));
  ASSERT_EQ(b.batches.size(), 2U);
  const ContentPtr content = b.content(b.last_batch());
  ASSERT_EQ(content->records.size(), 2U);
  EXPECT_EQ(content->records[1].index, EventIndex{1});
  EXPECT_TRUE(content->records[0].late && content->records[1].late);
}

TEST(Rule7, AnUnknownIdIsFencedTooAndLookedForAgain) {
  Recovered b;
  b.until_look();
  const ProducerId old = b.batches[0].batch.producer;
  const ProducerId stranger = uplink::make_producer_id("site-0", 4711);
  b.answer_look(b.looks[0], Offset{6}, {seen(stranger, old, 0, 0, 2), fence_at(old, 5)});
  b.tick();
  ASSERT_EQ(b.fences.size(), 2U);
  EXPECT_EQ(b.fences[1].id, stranger);
  b.answer_fence(b.fences[1], Offset{6});
  b.tick();
  ASSERT_EQ(b.looks.size(), 2U);
  EXPECT_NE(b.looks[1].request.look_id, b.looks[0].request.look_id);
  b.answer_look(b.looks[1], Offset{8}, {seen(stranger, old, 0, 1, 2), fence_at(old, 5), fence_at(stranger, 6)});
  b.pass(milliseconds(20));
  ASSERT_EQ(b.batches.size(), 2U);
  EXPECT_EQ(b.last_batch().batch.first, EventIndex{2});
}

TEST(Rule7, AFenceThatTheLookDoesNotSeeIsSetAgain) {
  Recovered b;
  b.until_look();
  b.answer_look(b.looks[0], Offset{5}, {});  // a leader that is behind, or a log that went back
  b.tick();
  EXPECT_EQ(b.fences.size(), 2U);
  EXPECT_EQ(b.batches.size(), 1U);
}

TEST(Rule7, AFenceThatRetentionTookIsNotSetAgain) {  // seed 334
  Recovered b;
  b.until_look();
  b.answer_look(b.looks[0], Offset{9}, {}, uplink::Expectation::found, Offset{8});
  b.tick();
  EXPECT_EQ(b.fences.size(), 1U);
  ASSERT_FALSE(b.gaps.empty());
  EXPECT_EQ(b.gaps[0].reason, agent::gap_reason::unresolved);
  EXPECT_EQ(b.gaps[0].count, 3);
}

TEST(Rule7, ALeaderThatWasDeposedBeforeTheFenceIsNotBelieved) {
  Recovered b;
  b.config.defaults.linger = milliseconds(10);
  b.open();
  b.connect();
  b.take("climate");
  b.pass(milliseconds(20));
  b.answer(b.batches[0], fenced);
  b.answer_fence(b.fences[0], Offset{0}, LeaderEpoch{2});  // a marker of another life: it stands far back
  b.tick();
  b.answer_look(b.looks[0], Offset{1}, {fence_at(b.fences[0].id, 0)}, uplink::Expectation::found, Offset{0},
                LeaderEpoch{1});
  b.pass(milliseconds(20));
  EXPECT_EQ(b.batches.size(), 1U);
}

TEST(Rule7, ADamagedBatchIsLookedForAndThenNamed) {
  for (const bool found : {false, true}) {
    Bench b;
    b.open();
    b.connect();
    b.take("climate");  // its answer gets lost
    b.take("climate");
    b.tick();
    const agent::PublishBatch first = b.batches.at(0);
    b.crash();
    b.store.damage(first.batch.stream, first.batch.first);
    b.open(8);
    b.connect();
    EXPECT_TRUE(b.batches.empty());
    b.answer_fence(b.fences.at(0), Offset{5});
    b.tick();
    std::vector<uplink::Sighting> sightings = {fence_at(b.fences[0].id, 5)};
    if (found) sightings.insert(sightings.begin(), seen(first.batch.producer, first.batch.origin, 0, 0, 1));
    b.answer_look(b.looks.at(0), Offset{6}, sightings);
    b.tick();
    EXPECT_EQ(b.store.batch(first.batch.stream, first.batch.first), nullptr);
    ASSERT_EQ(b.gaps.size(), found ? 0U : 1U);
    if (!found) {
      EXPECT_EQ(b.gaps[0].reason, agent::gap_reason::log_lost);
      EXPECT_EQ(b.gaps[0].stream, "climate");
      EXPECT_EQ(b.gaps[0].origin, first.batch.origin);
      EXPECT_EQ(b.gaps[0].first, EventIndex{0});
      EXPECT_EQ(b.gaps[0].last, EventIndex{0});
    }
    const auto next = std::find_if(b.batches.begin(), b.batches.end(),
                                   [](const agent::PublishBatch& p) { return p.topic == "climate"; });
    ASSERT_NE(next, b.batches.end()) << "what stood behind it goes on";
    EXPECT_EQ(next->batch.first, EventIndex{1});
  }
}

TEST(Rule7, BeforeTheFirstConnectionAnotherLifeMayHaveSentWhatIsOlder) {  // seed 162
  Bench b;
  b.open();
  b.take("climate");
  const Store image = b.store;
  b.crash();
  b.store = image;
  b.open(8);
  b.connect(Offset{35});
  ASSERT_EQ(b.batches.size(), 1U);
  b.answer(b.batches[0], fenced);
  b.answer_fence(b.fences.at(0), Offset{40});
  b.tick();
  ASSERT_EQ(b.looks.size(), 1U);
  EXPECT_EQ(b.looks[0].request.from, Offset{0});
}

TEST(Rule7, WhatAnEarlierOpeningLeftIsLateWhereAPartOfTheRangeIsGone) {  // seed 264
  Bench b;
  b.open();
  for (int i = 0; i < 15; ++i) b.take("climate");  // two batches, of which one is published: the window is one
  b.crash();
  b.open(8);
  b.connect();
  b.pass(milliseconds(1));
  ASSERT_EQ(b.batches.size(), 1U);
  b.answer(b.batches[0], fenced);
  b.answer_fence(b.fences.at(0), Offset{40});
  b.tick();
  b.answer_look(b.looks.at(0), Offset{41}, {fence_at(b.fences[0].id, 40)}, uplink::Expectation::found, Offset{20});
  b.pass(milliseconds(1));
  const auto next =
      std::find_if(b.batches.begin() + 1, b.batches.end(), [](const auto& p) { return p.topic == "climate"; });
  ASSERT_NE(next, b.batches.end());
  EXPECT_TRUE(b.content(*next)->records.back().late);
}

TEST(Rule1, TheNextIdWaitsUntilTheLastOneIsResolved) {
  Bench b;
  b.open();
  b.take("climate");
  b.crash();
  b.open(8);
  b.take("climate");
  b.connect();
  ASSERT_EQ(b.batches.size(), 1U);
  const ProducerId first = b.batches[0].batch.producer;
  b.pass(seconds(1));
  ASSERT_EQ(b.batches.size(), 1U);
  b.answer(b.batches[0], 0, Offset{0});
  b.tick();
  ASSERT_EQ(b.batches.size(), 2U);
  EXPECT_NE(b.batches[1].batch.producer, first);
  EXPECT_EQ(b.batches[1].batch.sequence, 0);
}

TEST(Rule3, OverflowNamesWhatItDropsAndSparesWhatWasPublished) {
  Bench b;
  b.config.defaults.bytes_max = 3'000;
  agent::StreamSettings gaps = b.config.defaults;
  gaps.bytes_max = 1 << 20;
  gaps.linger = seconds(100);
  b.config.streams["edgelog.gaps"] = gaps;
  b.open();
  b.connect();
  b.take("climate");
  ASSERT_EQ(b.batches.size(), 1U);
  for (int i = 0; i < 200; ++i) b.take("climate");
  std::int64_t named = 0;
  for (const auto& gone : b.gone) {
    EXPECT_FALSE(gone.published);
    named += gone.topic == "climate" ? 1 : 0;
  }
  EXPECT_GT(named, 50);
  ASSERT_FALSE(b.gaps.empty());
  EXPECT_EQ(b.gaps.back().first, EventIndex{1}) << "neighbours merge";
  EXPECT_EQ(b.gaps.back().count, named);
}

TEST(Rule7, AFenceIsStampedByTheCloudsClock) {  // seed 22298
  Bench b;
  b.wall_offset = WallMillis{-86'400'000};
  b.open();
  b.connect();
  b.take("climate");
  b.answer(b.batches.at(0), fenced);
  b.tick();
  ASSERT_EQ(b.fences.size(), 1U);
  EXPECT_EQ(b.fences[0].timestamp, b.cloud_time());
}

// What it says that the log took may be what the log lost since, behind the batch that the check found.
TEST(Rule9, AGatewayThatIsBehindIsCheckedOnceAndNotHeard) {
  Bench b;
  b.open();
  b.connect(Offset{0}, LeaderEpoch{5});
  b.take("climate");
  b.answer(b.batches.at(0), 0, Offset{0}, LeaderEpoch{5});
  b.take("climate");
  b.pass(milliseconds(1));
  ASSERT_EQ(b.batches.size(), 2U);
  b.answer(b.batches[1], 0, Offset{1}, LeaderEpoch{4});
  b.tick();
  ASSERT_EQ(b.looks.size(), 1U);
  EXPECT_FALSE(b.core->all_acknowledged());
  b.answer_look(b.looks[0], Offset{2}, {}, uplink::Expectation::found, Offset{0}, LeaderEpoch{5});
  b.answer(b.batches[1], 0, Offset{1}, LeaderEpoch{4});
  EXPECT_FALSE(b.core->all_acknowledged());
  b.pass(seconds(10));
  ASSERT_EQ(b.batches.size(), 3U) << "it is sent again";
  EXPECT_EQ(b.looks.size(), 1U);
  b.answer(b.batches[2], 0, Offset{1}, LeaderEpoch{5});
  EXPECT_TRUE(b.core->all_acknowledged());
}

// The log forgets an id by the timestamps of its last batch. Those of the one before it may be younger: it was old when
// it was sealed, and was stamped anew.
TEST(Rule8, NothingIsSentAgainWhereABatchBehindItIsOld) {  // seed 1283952 of 200db72
  Bench b;
  b.config.batch_bytes = 1;
  b.open();
  b.take("climate");
  b.take("climate");
  b.pass(seconds(20));
  b.take("climate");
  b.pass(seconds(485));
  b.step(agent::Connected{});
  b.list(Offset{0}, LeaderEpoch{1}, seconds(1000));
  b.tick();
  ASSERT_EQ(b.batches.size(), 1U);
  b.answer(agent::PublishBatch(b.batches[0]), 0, Offset{0});
  b.tick();
  ASSERT_EQ(b.batches.size(), 3U);
  EXPECT_GT(b.batches[1].batch.oldest, b.batches[2].batch.oldest);
  b.pass(seconds(14));
  EXPECT_TRUE(b.fences.empty());
  const std::size_t sent = b.batches.size();
  b.pass(seconds(40));
  EXPECT_EQ(b.batches.size(), sent);
  EXPECT_EQ(b.fences.size(), 1U);
}

TEST(Rule8, ATimestampFromTheFutureIsNoAge) {  // seeds 232, 543018
  Bench b;
  b.wall_offset = WallMillis{86'400'000};
  b.open();
  b.take("climate");
  b.crash();
  b.wall_offset = WallMillis{0};
  b.open(8);
  b.step(agent::Connected{});
  b.list();
  b.pass(seconds(10));
  EXPECT_TRUE(b.batches.empty() && b.fences.empty()) << "the time may be that of an old list that is kept";
  b.list();  // the second time that it is told: a gateway lives
  b.tick();
  EXPECT_TRUE(b.batches.empty());
  EXPECT_EQ(b.fences.size(), 1U) << "nobody knows how old it is: it is looked for first";
}

// Opened, and one batch acknowledged at offset 0.
struct Acknowledged : Bench {
  Acknowledged() {
    open();
    connect();
    take("climate");
    answer(batches[0], 0, Offset{0});
  }
};

TEST(Rule9, ALogThatWentBackIsNamed) {
  Acknowledged b;
  b.list(Offset{0}, LeaderEpoch{2});
  b.tick();
  ASSERT_EQ(b.looks.size(), 1U);
  EXPECT_TRUE(b.looks[0].request.check_only);
  b.take("climate");
  b.pass(milliseconds(1));
  EXPECT_EQ(b.batches.size(), 1U) << "nothing is sent while nobody knows";
  b.answer_look(b.looks[0], Offset{0}, {}, uplink::Expectation::replaced, Offset{0}, LeaderEpoch{2});
  ASSERT_FALSE(b.gaps.empty());
  EXPECT_EQ(b.gaps[0].reason, agent::gap_reason::log_went_back);
  EXPECT_EQ(b.gaps[0].last, EventIndex{0});
  b.tick();
  EXPECT_EQ(b.fences.size(), 1U);
}

TEST(Rule7, WhatAnEarlierOpeningRenumberedIsLookedForFirst) {  // seed 44706
  Recovered b;
  b.until_look();
  const ProducerId old = b.batches[0].batch.producer;
  b.answer_look(b.looks[0], Offset{6}, {fence_at(old, 5)});
  const ProducerId mine = b.store.read().origins.at(0).producer;
  ASSERT_NE(mine, old);
  // Put back to here. Meanwhile the other life, from an image before the look, has renumbered the same events.
  b.crash();
  b.open(8);
  b.connect(Offset{10});
  b.pass(milliseconds(20));
  EXPECT_TRUE(b.batches.empty()) << "another life may have renumbered the same events";
  ASSERT_EQ(b.fences.size(), 1U);
  EXPECT_EQ(b.fences[0].id, mine);
  b.answer_fence(b.fences[0], Offset{10});
  b.tick();
  const ProducerId theirs = uplink::make_producer_id("site-0", 4711);
  ASSERT_EQ(b.looks.size(), 1U);
  b.answer_look(b.looks[0], Offset{11}, {seen(theirs, old, 0, 2, 7), fence_at(old, 5), fence_at(mine, 10)});
  b.tick();
  ASSERT_EQ(b.fences.size(), 2U);
  EXPECT_EQ(b.fences[1].id, theirs);
  b.answer_fence(b.fences[1], Offset{11});
  b.tick();
  ASSERT_EQ(b.looks.size(), 2U);
  b.answer_look(b.looks[1], Offset{12},
                {seen(theirs, old, 0, 2, 7), fence_at(old, 5), fence_at(mine, 10), fence_at(theirs, 11)});
  b.pass(milliseconds(20));
  EXPECT_TRUE(b.batches.empty());
  EXPECT_TRUE(b.core->all_acknowledged());
}

TEST(Rule9, WhatALookFoundAheadIsNamedTooWhereTheLogGoesBack) {  // seed 61842
  Recovered b;
  b.until_look();
  const ProducerId old = b.batches[0].batch.producer;
  b.answer_look(b.looks[0], Offset{6}, {seen(old, old, 2, 2, 1), fence_at(old, 5)});
  b.pass(milliseconds(20));
  ASSERT_EQ(b.last_batch().batch.last, EventIndex{1});
  b.answer(b.last_batch(), 0, Offset{6});
  ASSERT_TRUE(b.core->all_acknowledged());
  b.list(Offset{1}, LeaderEpoch{2});
  b.tick();
  ASSERT_EQ(b.looks.size(), 2U);
  b.answer_look(b.looks[1], Offset{1}, {}, uplink::Expectation::replaced, Offset{0}, LeaderEpoch{2});
  ASSERT_EQ(b.gaps.size(), 1U);
  EXPECT_EQ(b.gaps[0].reason, agent::gap_reason::log_went_back);
  EXPECT_EQ(b.gaps[0].last, EventIndex{2}) << "it was acknowledged before the two";
}

// The fence that the agent relies upon was taken for one lane; what the next lane's look finds before it goes with it.
TEST(Rule9, WhatALaterLaneFoundIsNamedTooWhereTheLogGoesBack) {  // seed 482900
  Bench b;
  b.open(7);
  b.connect();
  b.take("climate");
  b.pass(milliseconds(20));
  const ProducerId first = b.last_batch().batch.producer;
  b.crash();
  b.open(8);
  b.take("climate");
  b.crash();
  b.open(9);
  b.connect(Offset{20});
  b.pass(milliseconds(20));
  ASSERT_EQ(b.batches.size(), 1U);
  b.answer(b.batches[0], fenced);
  b.tick();
  ASSERT_EQ(b.fences.size(), 2U) << "before anything was acknowledged all known ids are fenced";
  const ProducerId second = b.fences[1].id;
  b.answer_fence(b.fences[0], Offset{10});
  b.answer_fence(b.fences[1], Offset{11});
  b.tick();
  ASSERT_EQ(b.looks.size(), 1U);
  const std::vector<uplink::Sighting> there{seen(first, first, 0, 0, 1), seen(second, second, 1, 1, 3),
                                            fence_at(first, 10), fence_at(second, 11)};
  b.answer_look(b.looks[0], Offset{12}, there);
  b.pass(milliseconds(20));
  ASSERT_EQ(b.batches.size(), 2U);
  b.answer(b.batches[1], fenced);
  b.tick();
  ASSERT_EQ(b.fences.size(), 3U) << "a lane that is done with does not make the next one wait";  // seed 815296
  ASSERT_EQ(b.fences[2].id, second);
  b.answer_fence(b.fences[2], Offset{11});
  b.tick();
  ASSERT_EQ(b.looks.size(), 2U);
  b.answer_look(b.looks[1], Offset{12}, there);
  b.pass(milliseconds(20));
  ASSERT_TRUE(b.core->all_acknowledged());
  b.list(Offset{0}, LeaderEpoch{2});
  b.tick();
  ASSERT_EQ(b.looks.size(), 3U);
  b.answer_look(b.looks[2], Offset{0}, {}, uplink::Expectation::replaced, Offset{0}, LeaderEpoch{2});
  ASSERT_FALSE(b.gaps.empty());
  EXPECT_EQ(b.gaps[0].last, EventIndex{1});
}

// Else a fence could come to stand where the last acknowledged one stood, the agent die before the gap is durable, and
// its next start would find all as it was.
TEST(Rule9, WhereTheLogWentBackNothingIsFencedBeforeTheGapIsDurable) {  // seed 467294
  Acknowledged b;
  b.list(Offset{0}, LeaderEpoch{2});
  b.tick();
  b.hold = true;
  b.answer_look(b.looks[0], Offset{0}, {}, uplink::Expectation::replaced, Offset{0}, LeaderEpoch{2});
  b.pass(seconds(1));
  ASSERT_TRUE(b.is_held());
  EXPECT_TRUE(b.fences.empty());
  b.release();
  b.tick();
  EXPECT_EQ(b.fences.size(), 1U);
}

TEST(Rule9, UnderAnotherEpochWhatWasAnsweredAheadIsLookedFor) {  // seed 954250
  Acknowledged b;
  b.take("climate");
  b.take("climate");
  b.pass(milliseconds(20));
  ASSERT_EQ(b.batches.size(), 3U);
  b.answer(b.batches[2], 0, Offset{2});  // that of the second one is lost, and the log goes back to before the third
  b.list(Offset{2}, LeaderEpoch{2});
  b.tick();
  ASSERT_EQ(b.looks.size(), 1U);
  b.answer_look(b.looks[0], Offset{2}, {}, uplink::Expectation::found, Offset{0}, LeaderEpoch{2});
  b.tick();
  ASSERT_EQ(b.fences.size(), 1U);
  EXPECT_EQ(b.fences[0].id, b.batches[0].batch.producer);
}

TEST(Rule9, ADeposedLeaderCannotSayThatTheLogWentBack) {  // seed 52 of 9076fd2
  Acknowledged b;
  b.list(Offset{5}, LeaderEpoch{2});
  b.tick();
  b.answer_look(b.looks.at(0), Offset{0}, {}, uplink::Expectation::replaced);
  b.pass(seconds(10));
  EXPECT_TRUE(b.gaps.empty());
  ASSERT_EQ(b.looks.size(), 2U) << "it is asked again";
  b.answer_look(b.looks[1], Offset{5}, {}, uplink::Expectation::found, Offset{0}, LeaderEpoch{2});
  b.take("climate");
  b.pass(milliseconds(20));
  EXPECT_EQ(b.batches.size(), 2U);
  EXPECT_TRUE(b.gaps.empty());
}

TEST(Rule9, AnAnswerToAnotherLifesQuestionIsIgnored) {  // seed 669454
  Acknowledged b;
  b.list(Offset{5}, LeaderEpoch{2});
  b.tick();
  const agent::PublishLook theirs = b.looks.at(0);
  b.crash();
  b.open(8);
  b.connect(Offset{5}, LeaderEpoch{2});
  b.take("climate");
  b.tick();
  ASSERT_EQ(b.looks.size(), 1U);
  b.answer_look(theirs, Offset{5}, {}, uplink::Expectation::found, Offset{0}, LeaderEpoch{2});
  b.pass(milliseconds(20));
  EXPECT_TRUE(b.batches.empty()) << "our own question is not answered";
}

TEST(Rule9, AnAnswerAboutAnotherRangeIsIgnored) {  // seed 705498
  Acknowledged b;
  b.list(Offset{5}, LeaderEpoch{2});
  b.take("climate");
  b.tick();
  ASSERT_EQ(b.looks.size(), 1U);
  agent::PublishLook other = b.looks[0];
  other.request.from = other.request.from + 1;
  b.batches.clear();
  b.answer_look(other, Offset{5}, {}, uplink::Expectation::found, Offset{0}, LeaderEpoch{2});
  b.pass(milliseconds(20));
  EXPECT_TRUE(b.batches.empty());
  b.answer_look(b.looks[0], Offset{5}, {}, uplink::Expectation::found, Offset{0}, LeaderEpoch{2});
  b.pass(milliseconds(20));
  EXPECT_EQ(b.batches.size(), 1U);
}

TEST(Rule9, WhereTheLogWentBackAllKnownIdsAreFencedAgain) {
  Recovered b;
  b.until_look();
  const ProducerId old = b.batches[0].batch.producer;
  b.answer_look(b.looks[0], Offset{6}, {fence_at(old, 5)});
  b.pass(milliseconds(20));
  const ProducerId next = b.last_batch().batch.producer;
  b.answer(b.last_batch(), 0, Offset{6});
  ASSERT_TRUE(b.core->all_acknowledged());
  b.crash();
  b.open(8);  // nothing waits, and the log has lost the fence that guards against an older image
  b.connect(Offset{0}, LeaderEpoch{2});
  b.tick();
  ASSERT_EQ(b.looks.size(), 1U);
  const std::size_t before = b.fences.size();
  b.answer_look(b.looks[0], Offset{0}, {}, uplink::Expectation::replaced, Offset{0}, LeaderEpoch{2});
  b.tick();
  const auto fenced_again = [&](ProducerId id) {
    return std::any_of(b.fences.begin() + static_cast<std::ptrdiff_t>(before), b.fences.end(),
                       [&](const auto& f) { return f.topic == "climate" && f.id == id; });
  };
  EXPECT_TRUE(fenced_again(old));
  EXPECT_TRUE(fenced_again(next));
}

// An image goes on with an id that another life had fenced. The log went back to before that fence; where the image's
// last acknowledged batch is, all is as it was.
TEST(Rule9, UnderAnotherEpochWhatAnEarlierOpeningTookIsLookedForFirst) {  // seed 307253
  Bench b;
  b.open();
  b.connect();
  b.take("climate");
  b.pass(milliseconds(20));
  const ProducerId old = b.last_batch().batch.producer;
  b.answer(b.last_batch(), 0, Offset{0});
  ASSERT_TRUE(b.core->all_acknowledged());
  b.take("climate");
  b.crash();
  b.open(8);
  b.connect(Offset{5}, LeaderEpoch{2});
  b.tick();
  ASSERT_EQ(b.looks.size(), 1U);
  EXPECT_TRUE(b.looks[0].request.check_only);
  b.answer_look(b.looks[0], Offset{5}, {}, uplink::Expectation::found, Offset{0}, LeaderEpoch{2});
  b.pass(milliseconds(20));
  EXPECT_TRUE(b.batches.empty()) << "the other life's copies may stand there under another id";
  ASSERT_EQ(b.fences.size(), 1U);
  EXPECT_EQ(b.fences[0].id, old);
}

TEST(Rounds, WhatDecisionsLeaveIsCommittedToo) {  // seed 807
  Bench b;
  b.open();
  b.take("climate");
  b.crash();
  b.open(8);
  b.connect();
  b.answer(b.batches.at(0), 0, Offset{0});
  for (int i = 0; i < 3; ++i) b.pass(seconds(1));
  EXPECT_TRUE(b.core->all_durable());
  EXPECT_TRUE(b.core->all_acknowledged());
}

agent::Taken from(SourceKind kind, std::int64_t number, const char* boot, std::uint64_t hash = 0) {
  agent::Taken in;
  in.kind = kind;
  in.source = {"mqtt", "door"};
  in.incarnation = boot;
  in.number = number;
  in.payload_hash = hash;
  return in;
}

TEST(Sources, ARingIsTakenInOrderAndConfirmedWhenDurable) {
  Bench b;
  b.open();
  b.hold = true;
  EXPECT_EQ(b.take("doors", from(SourceKind::ring, 1, "7")).outcome, Outcome::taken);
  EXPECT_EQ(b.take("doors", from(SourceKind::ring, 3, "7")).outcome, Outcome::out_of_order);
  for (const auto& c : b.confirmed) EXPECT_EQ(c.through, 0);
  b.release();
  b.pass(seconds(1));
  ASSERT_FALSE(b.confirmed.empty());
  EXPECT_EQ(b.confirmed.back().through, 1);
  EXPECT_EQ(b.take("doors", from(SourceKind::ring, 1, "7")).outcome, Outcome::repeat);
  b.step(agent::DeviceSays{{"mqtt", "door"}, "7", 3, 5});
  ASSERT_EQ(b.gaps.size(), 2U);
  EXPECT_EQ(b.gaps[0].reason, agent::gap_reason::confirmed_before);
  EXPECT_EQ(b.gaps[0].source_first, 2);
  EXPECT_EQ(b.gaps[1].reason, agent::gap_reason::ring_lost);
  EXPECT_EQ(b.gaps[1].source_last, 5);
  EXPECT_EQ(b.take("doors", from(SourceKind::ring, 6, "7")).outcome, Outcome::taken);
}

TEST(Sources, AHoleIsNamedAndARepeatDropped) {
  Bench b;
  b.open();
  b.take("doors", from(SourceKind::numbered, 4, "1"));
  EXPECT_EQ(b.take("doors", from(SourceKind::numbered, 4, "1")).outcome, Outcome::repeat);
  EXPECT_EQ(b.take("doors", from(SourceKind::numbered, 7, "1")).outcome, Outcome::taken);
  ASSERT_EQ(b.gaps.size(), 1U);
  EXPECT_EQ(b.gaps[0].source_first, 5);
  EXPECT_EQ(b.gaps[0].source_last, 6);
  EXPECT_EQ(b.take("doors", from(SourceKind::numbered, 1, "2")).outcome, Outcome::taken) << "another boot";
}

TEST(Sources, WithoutABootADeviceThatBeginsAgainLosesNothing) {
  Bench b;
  b.open();
  for (int n = 1; n <= 3; ++n) b.take("doors", from(SourceKind::numbered, n, "", static_cast<std::uint64_t>(n)));
  EXPECT_EQ(b.take("doors", from(SourceKind::numbered, 2, "", 2)).outcome, Outcome::repeat);
  EXPECT_EQ(b.take("doors", from(SourceKind::numbered, 1, "", 99)).outcome, Outcome::taken);
  b.crash();
  b.open(8);
  EXPECT_EQ(b.take("doors", from(SourceKind::numbered, 1, "", 99)).outcome, Outcome::repeat) << "remembered by the log";
}

TEST(Sources, AMessagesEventsAndItsNumberAreOneTransaction) {
  Bench b;
  b.open();
  b.hold = true;
  agent::Taken in = from(SourceKind::numbered, 1, "1");
  in.events = {{*b.core->stream("doors"), 40}, {*b.core->stream("climate"), 40}};
  b.take("", in);
  b.crash();
  b.open(8);
  EXPECT_EQ(b.store.last_of({"mqtt", "door"}, "1"), -1);
  EXPECT_EQ(b.take("doors", from(SourceKind::numbered, 1, "1")).outcome, Outcome::taken);
}

TEST(Gaps, OfTwoOpeningsStayTwo) {
  Bench b;
  b.config.defaults.bytes_max = 2'000;
  agent::StreamSettings gaps = b.config.defaults;
  gaps.bytes_max = 1 << 20;
  gaps.linger = seconds(100);
  b.config.streams["edgelog.gaps"] = gaps;
  b.open();
  for (int i = 0; i < 20; ++i) b.take("climate");
  b.crash();
  b.open(8);
  for (int i = 0; i < 100; ++i) b.take("climate");
  for (const auto& gone : b.gone) {
    const bool named = std::any_of(b.gaps.begin(), b.gaps.end(), [&](const agent::Gap& g) {
      return g.origin == gone.key.origin && g.first <= gone.key.index && gone.key.index <= g.last;
    });
    EXPECT_TRUE(named) << text(gone.key);
  }
}

}  // namespace
}  // namespace edgelog::sim::edge
