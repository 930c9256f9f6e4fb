#include "common/window/window.h"

#include <gtest/gtest.h>
#include <algorithm>

namespace edgelog::window {
namespace {

constexpr Backoff backoff{seconds(4), seconds(16)};
constexpr Instant at(std::int64_t s) { return Instant{} + seconds(s); }

TEST(Window, SendsInOrderWithinItsLimit) {
  Window window(backoff, 1);
  window.set_limit(2);
  EXPECT_TRUE(window.has_room());
  for (int i = 0; i < 3; ++i) window.admit();
  EXPECT_FALSE(window.has_room());
  for (const std::uint64_t expected : {0U, 1U}) {
    const auto due = window.due(at(0));
    ASSERT_TRUE(due.has_value());
    EXPECT_EQ(*due, expected);
    window.sent(*due, at(0));
  }
  EXPECT_FALSE(window.due(at(0)).has_value());  // the third is beyond the limit
  EXPECT_TRUE(window.answered(0));
  EXPECT_EQ(window.due(at(0)), std::uint64_t{2});
}

TEST(Window, AnswersInAnyOrderMoveThePrefix) {
  Window window(backoff, 1);
  window.set_limit(5);
  for (int i = 0; i < 3; ++i) window.sent(window.admit(), at(0));
  EXPECT_TRUE(window.answered(1));
  EXPECT_FALSE(window.answered(1));
  EXPECT_FALSE(window.answered(7));
  EXPECT_EQ(window.begin(), 0U);
  EXPECT_TRUE(window.answered(0));
  EXPECT_EQ(window.begin(), 2U);
  EXPECT_EQ(window.answered_through(9), 1U);
  EXPECT_TRUE(window.empty());
  EXPECT_EQ(window.begin(), 3U);
}

TEST(Window, WaitsLongerEachTimeUpToTheMost) {
  Prng random(3);
  for (std::uint32_t sendings = 1; sendings < 40; ++sendings) {
    const std::int64_t whole = std::min<std::int64_t>(4'000LL << std::min(sendings - 1, 10U), 16'000);
    const auto wait = to_millis(wait_after(backoff, sendings, random));
    EXPECT_GE(wait, whole * 3 / 4);
    EXPECT_LE(wait, whole * 5 / 4);
  }
}

TEST(Window, HeldWaitsForAnOlderAnswer) {
  Window window(backoff, 1);
  window.set_limit(5);
  for (int i = 0; i < 2; ++i) window.sent(window.admit(), at(0));
  window.hold(1);
  window.resend(0);
  EXPECT_EQ(window.due(at(100)), std::uint64_t{0});
  window.sent(0, at(100));
  EXPECT_FALSE(window.due(at(100)).has_value());
  EXPECT_TRUE(window.answered(0));
  EXPECT_EQ(window.due(at(100)), std::uint64_t{1});
  window.sent(1, at(100));
  window.hold(1);  // it is the first: nothing to wait for
  EXPECT_NE(window.deadline(), never);
}

}  // namespace
}  // namespace edgelog::window
