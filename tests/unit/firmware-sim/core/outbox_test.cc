#include "firmware-sim/core/outbox.h"

#include <gtest/gtest.h>

#include <vector>

namespace edgelog::firmware {
namespace {

Instant at(std::int64_t ms) { return Instant{ms * 1'000'000}; }

std::vector<std::uint64_t> send_all(Outbox& outbox, Instant now) {
  std::vector<std::uint64_t> sent;
  while (const auto number = outbox.due(now)) {
    outbox.sent(*number, now);
    sent.push_back(*number);
  }
  return sent;
}

OutboxConfig ring(std::size_t capacity, std::uint32_t in_flight) {
  return {SourceKind::ring, capacity, in_flight, {seconds(2), seconds(10)}};
}

TEST(Outbox, ARingSendsAtMostItsWindowAndGoesOnWhenConfirmed) {
  Outbox outbox(ring(10, 3), 1);
  for (int i = 0; i < 5; ++i) outbox.make();
  EXPECT_EQ(send_all(outbox, at(0)), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_FALSE(outbox.confirmed(2, at(1)));
  EXPECT_EQ(outbox.oldest(), 3u);
  EXPECT_EQ(send_all(outbox, at(1)), (std::vector<std::uint64_t>{4, 5}));
  EXPECT_FALSE(outbox.confirmed(5, at(2)));
  EXPECT_EQ(outbox.stored(), 0u);
  EXPECT_EQ(outbox.deadline(), never);
}

TEST(Outbox, ARingSendsAgainFromWhatTheAgentHas) {
  Outbox outbox(ring(10, 4), 1);
  for (int i = 0; i < 4; ++i) outbox.make();
  send_all(outbox, at(1000));
  outbox.confirmed(1, at(1001));
  EXPECT_TRUE(send_all(outbox, at(1002)).empty());
  EXPECT_FALSE(outbox.confirmed(1, at(1300))) << "nothing is lost, so nothing is to be said";
  EXPECT_EQ(send_all(outbox, at(1301)), (std::vector<std::uint64_t>{2, 3, 4}));
  outbox.confirmed(1, at(1302));  // the answer to each number behind the hole
  EXPECT_TRUE(send_all(outbox, at(1303)).empty());
}

TEST(Outbox, ARingSendsAgainAfterItsTime) {
  Outbox outbox(ring(10, 4), 1);
  outbox.make();
  send_all(outbox, at(0));
  EXPECT_TRUE(send_all(outbox, at(1400)).empty());
  EXPECT_EQ(send_all(outbox, at(2600)), (std::vector<std::uint64_t>{1}));
}

TEST(Outbox, ARingForgetsItsOldestAndSaysSoWhenAsked) {
  Outbox outbox(ring(4, 2), 1);
  for (int i = 0; i < 4; ++i) outbox.make();
  send_all(outbox, at(1000));
  outbox.confirmed(1, at(1001));
  for (int i = 0; i < 3; ++i) outbox.make();  // 5, 6, 7: 2 and 3 are gone
  EXPECT_EQ(outbox.oldest(), 4u);
  EXPECT_EQ(send_all(outbox, at(1002)), (std::vector<std::uint64_t>{4, 5}));
  const auto notice = outbox.confirmed(1, at(2000));
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->confirmed, 1u);
  EXPECT_EQ(notice->lost, 3u);
  EXPECT_EQ(send_all(outbox, at(2001)), (std::vector<std::uint64_t>{4, 5})) << "and sends again";
}

TEST(Outbox, ARingSaysWhatWasConfirmedToAnAgentThatForgot) {
  Outbox outbox(ring(10, 4), 1);
  for (int i = 0; i < 6; ++i) outbox.make();
  outbox.confirmed(4, at(1000));
  const auto notice = outbox.confirmed(2, at(2000));
  ASSERT_TRUE(notice);
  EXPECT_EQ(notice->confirmed, 4u);
  EXPECT_EQ(notice->lost, 4u) << "nothing of the ring is lost";
}

TEST(Outbox, ANumberThatWasNeverMadeConfirmsNothing) {
  Outbox outbox(ring(10, 4), 1);
  outbox.make();
  EXPECT_FALSE(outbox.confirmed(7, at(0)));
  EXPECT_EQ(outbox.stored(), 1u);
}

TEST(Outbox, APlainDeviceIsDoneWhenMqttTookItAndSendsAgainAfterABreak) {
  Outbox outbox({SourceKind::plain, 10, 4, {seconds(2), seconds(10)}}, 1);
  for (int i = 0; i < 3; ++i) outbox.make();
  send_all(outbox, at(0));
  outbox.handed_over(2);
  EXPECT_EQ(outbox.oldest(), 1u);
  outbox.handed_over(1);
  EXPECT_EQ(outbox.oldest(), 3u);
  outbox.resend_all();
  EXPECT_EQ(send_all(outbox, at(1)), (std::vector<std::uint64_t>{3}));
  EXPECT_FALSE(outbox.confirmed(3, at(2))) << "nobody confirms a plain one";
  EXPECT_EQ(outbox.stored(), 1u);
}

// Against a lossy line and an agent that takes only the next number: all arrives, once, in order.
TEST(Outbox, DeliversAllOverALineThatLosesAndRepeats) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Prng chance(seed);
    Outbox outbox(ring(64, 8), seed);
    std::uint64_t taken = 0, made = 0;
    std::int64_t now = 1000;
    while (taken < 200) {
      if (made < 200 && !outbox.full()) made = outbox.make();
      if (const auto number = outbox.due(at(now))) {
        outbox.sent(*number, at(now));
        if (chance.chance(7, 10)) {
          ASSERT_LE(*number, taken + 8);
          if (*number == taken + 1) ++taken;
          const bool heard = chance.chance(7, 10);
          ASSERT_FALSE(heard && outbox.confirmed(taken, at(now)));
        }
      }
      ++now;
      ASSERT_LT(now, 10'000'000) << "seed " << seed;
    }
    EXPECT_EQ(taken, 200u);
  }
}

}  // namespace
}  // namespace edgelog::firmware
