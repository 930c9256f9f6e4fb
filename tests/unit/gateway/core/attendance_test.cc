#include "gateway/core/attendance.h"

#include <gtest/gtest.h>

namespace edgelog::gateway {
namespace {

class AttendanceTest : public ::testing::Test {
 protected:
  void join() {
    attendance.connected();
    attendance.list_answered(true);
    ASSERT_TRUE(attendance.wanted(now));
  }
  Attendance attendance{seconds(10)};
  Instant now{1'000'000'000};
};

TEST_F(AttendanceTest, JoinsOnceTheServerHasTakenTheList) {
  EXPECT_FALSE(attendance.wanted(now));
  attendance.connected();
  EXPECT_FALSE(attendance.wanted(now));
  attendance.list_answered(true);
  EXPECT_TRUE(attendance.wanted(now));
  EXPECT_EQ(attendance.deadline(), never);
}

TEST_F(AttendanceTest, LeavesWhenMqttWasAwayForAWhileAndComesBackWithIt) {
  join();
  attendance.disconnected(now);
  EXPECT_TRUE(attendance.wanted(now + seconds(9)));
  EXPECT_EQ(attendance.deadline(), now + seconds(10));
  EXPECT_FALSE(attendance.wanted(now + seconds(10)));
  EXPECT_EQ(attendance.deadline(), never);
  now = now + seconds(20);
  attendance.connected();
  EXPECT_FALSE(attendance.wanted(now));
  attendance.list_answered(true);
  EXPECT_TRUE(attendance.wanted(now));
}

TEST_F(AttendanceTest, AConnectionThatComesAndGoesIsNone) {
  join();
  attendance.disconnected(now);
  attendance.connected();
  attendance.disconnected(now + seconds(8));
  EXPECT_EQ(attendance.deadline(), now + seconds(10));
  attendance.connected();
  attendance.list_answered(true);
  EXPECT_TRUE(attendance.wanted(now + seconds(30)));
}

// A deadline that has passed and stays one keeps its driver awake for as long as the outage lasts.
TEST_F(AttendanceTest, AnAbsenceThatIsOverIsNoDeadline) {
  join();
  attendance.disconnected(now);
  now = attendance.deadline();
  EXPECT_FALSE(attendance.wanted(now));
  EXPECT_EQ(attendance.deadline(), never);
  attendance.connected();
  attendance.disconnected(now + seconds(1));
  EXPECT_EQ(attendance.deadline(), never);
}

TEST_F(AttendanceTest, WhatTheServerRefusesKeepsItOut) {
  attendance.connected();
  attendance.filters_refused(true);
  attendance.list_answered(true);
  EXPECT_FALSE(attendance.wanted(now));
  attendance.filters_refused(false);
  EXPECT_TRUE(attendance.wanted(now));
  attendance.list_answered(false);
  EXPECT_FALSE(attendance.wanted(now));
  attendance.list_answered(true);
  EXPECT_TRUE(attendance.wanted(now));
  attendance.filters_refused(true);
  EXPECT_FALSE(attendance.wanted(now));
}

TEST_F(AttendanceTest, NoEndedOneJoinsAgain) {
  join();
  attendance.end();
  attendance.list_answered(true);
  EXPECT_FALSE(attendance.wanted(now));
}

}  // namespace
}  // namespace edgelog::gateway
