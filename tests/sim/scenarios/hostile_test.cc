// What a hostile reading of the path found: clocks that are years off, a log that refuses whatever comes, devices
// that name whatever they like.
#include <algorithm>

#include "tests/sim/scenarios/bench.h"

namespace edgelog::sim::edge {
namespace {

using agent::Outcome;
using agent::SourceKind;
using agent::StreamId;

constexpr std::int64_t year_ms = 365LL * 24 * 3600 * 1000;
constexpr std::int16_t out_of_order = 45;

// A gateway speaks: it tells a second time, later than the first.
void go_live(Bench& b) {
  b.connect();
  b.pass(seconds(11));
  b.list();
  b.pass(seconds(11));
}

TEST(Age, AClockThatNobodyConfirmedDropsNothing) {
  Bench b;
  b.open();
  for (int i = 0; i < 3; ++i) b.take("climate");
  b.crash();
  b.wall_offset = WallMillis{10 * year_ms};  // no uplink, and the clock of the machine is years ahead
  b.open(8);
  b.take("climate");
  b.pass(seconds(30));
  EXPECT_TRUE(b.gone.empty()) << "the whole backlog would be dropped for its age";
}

TEST(Age, WhatWasTakenSinceTheOpeningIsNoOlderThanThat) {
  Bench b;
  b.wall_offset = WallMillis{-3 * year_ms};  // no clock of its own: it begins at the day its image was made
  b.open();
  for (int i = 0; i < 40; ++i) b.take("climate");
  go_live(b);
  EXPECT_TRUE(b.gaps.empty()) << "a minute old, whatever their timestamps say";
}

TEST(Age, WhatIsTooOldIsDroppedByNameAlsoWithoutTheCloud) {
  Bench b;
  b.config.defaults.age_max = seconds(100);
  b.wall_offset = WallMillis{-3 * year_ms};
  b.open();
  for (int i = 0; i < 60; ++i) b.take("climate");
  for (int i = 0; i < 6; ++i) b.pass(seconds(11));
  for (int i = 0; i < 3; ++i) b.take("climate");
  EXPECT_TRUE(b.gone.empty());
  for (int i = 0; i < 5; ++i) b.pass(seconds(11));
  ASSERT_FALSE(b.gaps.empty());
  EXPECT_EQ(b.gaps[0].reason, agent::gap_reason::age);
  EXPECT_EQ(b.gaps.back().last, EventIndex{59}) << "the three that came a minute later are young";
}

TEST(Age, WhatAnEarlierOpeningTookIsAsOldAsThisOneIs) {
  Bench b;
  b.config.defaults.age_max = seconds(100);
  b.open();
  for (int i = 0; i < 60; ++i) b.take("climate");
  b.crash();
  b.pass_down(seconds(200));
  b.open(8);
  for (int i = 0; i < 9; ++i) b.pass(seconds(11));
  EXPECT_TRUE(b.gone.empty());
  for (int i = 0; i < 2; ++i) b.pass(seconds(11));
  ASSERT_FALSE(b.gaps.empty());
  EXPECT_EQ(b.gaps[0].reason, agent::gap_reason::age);
  EXPECT_EQ(b.gaps.back().last, EventIndex{59});
}

// It boots in the year of its image, takes events, loses power, and meets the cloud and a right clock later.
TEST(Age, AClockThatWasYearsBehindDropsNothing) {
  Bench b;
  b.wall_offset = WallMillis{-3 * year_ms};
  b.open();
  for (int i = 0; i < 40; ++i) b.take("climate");
  b.crash();
  b.wall_offset = WallMillis{0};
  b.open(8);
  go_live(b);
  b.pass(seconds(11));
  EXPECT_TRUE(b.gaps.empty()) << "minutes old, whatever their timestamps say";
}

TEST(Time, AFloorFromTheFutureIsLeftWhenTheCloudShowsIt) {
  Bench b;
  b.wall_offset = WallMillis{10 * year_ms};
  b.open();
  b.take("climate");
  b.crash();
  b.wall_offset = WallMillis{0};
  b.open(8);
  go_live(b);
  b.take("climate");
  const WallMillis floor = b.store.stream("climate")->floor;
  EXPECT_EQ(floor, b.cloud_time()) << "or every event of the next ten years has the same timestamp";
}

void tell_time(Bench& b, WallMillis time) {
  uplink::Answers answers;
  answers.gateway_time = time;
  b.step(answers);
}

// One event by a right clock, and one by a clock that is years ahead, go into one batch.
TEST(Time, ABatchOfMixedStampsIsNotPublishedWithThem) {
  Bench b;
  b.open();
  b.take("climate");
  b.wall_offset = WallMillis{10 * year_ms};
  b.take("climate");
  b.crash();
  b.wall_offset = WallMillis{0};
  b.open(8);
  go_live(b);
  EXPECT_FALSE(b.fences.empty()) << "how old it is nobody knows: it is looked for";
  for (const auto& batch : b.batches) EXPECT_LT(batch.batch.newest, b.cloud_time() + milliseconds(year_ms));
}

// The clock that was ahead is set right while its events wait: the newest of them is not the last.
TEST(Time, StampsThatGoBackAwaitTheCloudsTimeToo) {
  Bench b;
  b.config.defaults.linger = seconds(500);
  b.wall_offset = WallMillis{10 * year_ms};
  b.open();
  b.take("climate");
  b.wall_offset = WallMillis{0};
  go_live(b);
  b.take("climate");
  b.crash();
  b.open(8);
  b.connect();
  b.pass(seconds(11));
  EXPECT_TRUE(b.batches.empty()) << "one time was told: it may be an old list that is kept";
  EXPECT_TRUE(b.fences.empty());
  EXPECT_TRUE(b.store.read().batches.empty()) << "nor is it sealed with these stamps, and said to be published";
}

TEST(Time, AGatewayThatWasAheadIsNotBelievedForEver) {
  Bench b;
  b.open();
  go_live(b);
  b.take("climate");
  ASSERT_EQ(b.batches.size(), 1U);
  tell_time(b, b.cloud_time() + milliseconds(10 * year_ms));
  b.take("doors");
  EXPECT_GT(b.store.stream("doors")->floor, b.cloud_time());
  for (int i = 0; i < 10; ++i) {
    b.pass(seconds(10));
    tell_time(b, b.cloud_time());
  }
  b.take("doors");
  EXPECT_EQ(b.store.stream("doors")->floor, b.cloud_time());
  const auto fenced = [&](const char* topic) {
    return std::any_of(b.fences.begin(), b.fences.end(), [&](const auto& f) { return f.topic == topic; });
  };
  EXPECT_TRUE(fenced("climate")) << "how old what is in flight is, nobody knows: it is looked for";
}

TEST(Time, WhatIsRetainedIsNoTimeHoweverOftenItComes) {
  Bench b;
  b.open();
  go_live(b);
  const WallMillis old = b.cloud_time();
  b.pass(seconds(50'000));
  tell_time(b, b.cloud_time());
  for (int i = 0; i < 20; ++i) {
    b.pass(seconds(10));
    tell_time(b, old);
  }
  b.wall_offset = WallMillis{-year_ms};
  b.take("climate");
  EXPECT_EQ(b.store.stream("climate")->floor, b.cloud_time());
}

TEST(Refused, ALogThatRefusesWhateverComesIsNotFilledWithFences) {
  Bench b;
  b.open();
  b.connect();
  b.take("climate");
  for (int i = 0; i < 300; ++i) {
    if (!b.batches.empty()) {
      const agent::PublishBatch batch = b.last_batch();
      b.batches.clear();
      b.answer(batch, out_of_order);
    }
    if (!b.fences.empty()) {
      const agent::PublishFence fence = b.fences.back();
      b.answer_fence(fence, Offset{i});
    }
    if (!b.looks.empty()) {
      const agent::PublishLook look = b.looks.back();
      b.looks.clear();
      b.answer_look(look, Offset{i + 1}, {fence_at(b.fences.back().id, i)});
    }
    b.pass(milliseconds(100));
  }
  EXPECT_GE(b.fences.size(), 3U) << "it tries on";
  EXPECT_LE(b.fences.size(), 6U) << "in 30 seconds";
  const auto status = b.core->status();
  const auto climate =
      std::find_if(status.begin(), status.end(), [](const auto& s) { return s.state.topic == "climate"; });
  EXPECT_EQ(climate->waits_for, "refused again and again with 45");
}

// Two lanes that begin at one event: which goes first was left to the ids, so to chance; events of the later one
// were given to the empty one, and the agent died at each start.
TEST(Lanes, AnEmptyOneGoesBeforeTheOneThatBeginsWhereItDoes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Bench b;
    b.open(seed);
    b.connect();
    b.take("climate");
    b.answer(b.last_batch(), 0, Offset{5});
    b.crash();
    b.open(seed + 100);
    b.connect(Offset{3}, LeaderEpoch{2});  // the log ends before what it acknowledged
    ASSERT_EQ(b.looks.size(), 1U);
    b.answer_look(b.looks[0], Offset{3}, {}, uplink::Expectation::replaced, Offset{0}, LeaderEpoch{2});
    ASSERT_FALSE(b.gaps.empty());
    b.crash();  // the lane that waits to be resolved is empty
    b.open(seed + 200);
    for (int i = 0; i < 40; ++i) b.take("climate");
    b.crash();
    const auto rows = b.store.read();
    const StreamId climate = b.store.stream("climate")->id;
    std::vector<agent::OriginRow> lanes;
    for (const auto& row : rows.origins)
      if (row.stream == climate) lanes.push_back(row);
    ASSERT_EQ(lanes.size(), 2U);
    ASSERT_EQ(lanes[0].first, lanes[1].first);
    b.open(seed + 300);  // asserts that each batch lies in the lane of its origin
  }
}

TEST(Streams, DevicesThatNameManyCrowdNobodyOut) {
  Bench b;
  b.config.streams_max = 10;
  b.config.streams["doors"] = b.config.defaults;
  b.open();
  int made = 0;
  for (int i = 0; i < 20; ++i) made += b.core->stream("junk-" + std::to_string(i)) ? 1 : 0;
  EXPECT_EQ(made, 7);
  EXPECT_TRUE(b.core->stream("doors"));
  EXPECT_TRUE(b.core->stream("edgelog.dead-letters"));
  EXPECT_FALSE(b.core->stream("one-more"));
}

agent::Taken numbered(Bench& b, const std::string& device, std::int64_t number, std::uint64_t hash) {
  agent::Taken in;
  in.kind = SourceKind::numbered;
  in.source = {"mqtt", device};
  in.number = number;
  in.payload_hash = hash;
  in.events.push_back({*b.core->stream("doors"), 40});
  return in;
}

TEST(Sources, WhatIsForgottenOfADeviceIsForgottenOnDiskToo) {
  Bench b;
  b.config.sources_max = 2;
  b.open();
  for (const char* device : {"a", "b", "c", "d", "e"}) b.take("doors", numbered(b, device, 7, 77));
  EXPECT_EQ(b.store.read().sources.size(), 2U);
  EXPECT_EQ(b.store.read().recents.size(), 2U) << "or they grow with every name that ever was";
  b.crash();
  b.open(8);
  EXPECT_EQ(b.take("doors", numbered(b, "e", 7, 77)).outcome, Outcome::repeat);
  EXPECT_EQ(b.take("doors", numbered(b, "a", 7, 77)).outcome, Outcome::taken);
}

TEST(Sources, TheLastSixtyFourGoOnWhereTheyWereAfterAnOpening) {
  Bench b;
  b.open();
  std::uint64_t hash = 0;
  for (std::int64_t n = 1; n <= 60; ++n) b.take("doors", numbered(b, "a", n, ++hash));
  for (std::int64_t n = 1; n <= 10; ++n) b.take("doors", numbered(b, "a", n, ++hash));  // it began again
  b.crash();
  b.open(8);
  b.take("doors", numbered(b, "a", 11, ++hash));
  // Of 71 messages the last 64 are known: the 8th of the first round is, the 7th is not.
  EXPECT_EQ(b.take("doors", numbered(b, "a", 8, 8)).outcome, Outcome::repeat);
  EXPECT_EQ(b.take("doors", numbered(b, "a", 7, 7)).outcome, Outcome::taken);
}

}  // namespace
}  // namespace edgelog::sim::edge
