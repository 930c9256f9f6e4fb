#include "common/io/subscriptions.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace edgelog::io {
namespace {

constexpr int granted = 1, not_authorized = 0x87;

using List = std::vector<std::string>;

Subscriptions asked_for(const List& filters) {
  Subscriptions out;
  for (const auto& filter : filters) out.add(filter);
  out.begin();
  out.asked(filters);
  return out;
}

TEST(Subscriptions, NothingIsToldBeforeAllAreAnswered) {
  auto all = asked_for({"a", "b"});
  EXPECT_FALSE(all.answered("a", not_authorized));
  EXPECT_FALSE(all.news());
  EXPECT_FALSE(all.answered("b", granted));
  const auto news = all.news();
  ASSERT_TRUE(news);
  EXPECT_EQ(news->filters, List{"a"});
  EXPECT_EQ(news->sentence, "1 of 2 refused, such as a (reason 0x87)");
  EXPECT_FALSE(all.news()) << "it was told";
}

TEST(Subscriptions, AllGrantedIsNoNews) {
  auto all = asked_for({"a"});
  all.answered("a", granted);
  EXPECT_FALSE(all.news());
}

TEST(Subscriptions, WhatIsUnknownIsAskedForAlone) {
  auto all = asked_for({"a"});
  EXPECT_TRUE(all.answered("a", unknown_reason));
  EXPECT_FALSE(all.all_answered());
  EXPECT_FALSE(all.answered("a", not_authorized));
  EXPECT_EQ(all.refused(), List{"a"});
}

TEST(Subscriptions, WhatIsGrantedLaterIsNewsOnce) {
  auto all = asked_for({"a"});
  all.answered("a", not_authorized);
  ASSERT_TRUE(all.news());
  all.asked({"a"});
  EXPECT_FALSE(all.news()) << "while it is asked again";
  all.answered("a", granted);
  const auto news = all.news();
  ASSERT_TRUE(news);
  EXPECT_TRUE(news->filters.empty());
  EXPECT_TRUE(news->sentence.empty());
}

TEST(Subscriptions, AnAnswerForWhatWasRemovedCountsForNothing) {
  auto all = asked_for({"a", "b"});
  EXPECT_TRUE(all.remove("a"));
  EXPECT_FALSE(all.remove("a"));
  EXPECT_FALSE(all.answered("a", unknown_reason)) << "nobody wants to know";
  EXPECT_FALSE(all.answered("a", not_authorized));
  EXPECT_TRUE(all.refused().empty());
  EXPECT_FALSE(all.all_answered()) << "b is awaited";
}

TEST(Subscriptions, WhatIsRefusedAndThenRemovedIsNews) {
  auto all = asked_for({"a"});
  all.answered("a", not_authorized);
  all.news();
  all.remove("a");
  const auto news = all.news();
  ASSERT_TRUE(news);
  EXPECT_TRUE(news->filters.empty());
}

TEST(Subscriptions, ANewConnectionBeginsWithNothingTold) {
  auto all = asked_for({"a"});
  all.answered("a", not_authorized);
  ASSERT_TRUE(all.news());
  all.begin();
  all.asked(all.filters());
  all.answered("a", not_authorized);
  EXPECT_TRUE(all.news()) << "whoever watches was told of the connection anew";
}

}  // namespace
}  // namespace edgelog::io
