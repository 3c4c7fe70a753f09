#include "engine/db/checkpoint_timer.h"

#include <algorithm>
#include <map>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace engram::internal {
namespace {

constexpr int64_t kInterval = 6400;
constexpr int64_t kStep = kInterval / 64;
constexpr int64_t kNever = CheckpointTimer::kNever;

CheckpointTimer NewTimer() {
  return CheckpointTimer(absl::Microseconds(kInterval));
}

TEST(CheckpointTimerTest, SaysOnceThatSomebodyIsToWait) {
  CheckpointTimer timer = NewTimer();
  EXPECT_EQ(timer.next_look(), kNever);
  EXPECT_TRUE(timer.Add(1, 1000));
  EXPECT_FALSE(timer.Add(2, 2000));
  EXPECT_EQ(timer.next_look(), 1000 + kInterval);
  timer.BeginLook();
  EXPECT_EQ(timer.next_look(), kNever);
  EXPECT_TRUE(timer.Add(3, 3000)) << "who comes during a look may not be seen";
  timer.EndLook(2000, 3000);
  EXPECT_EQ(timer.next_look(), 2000 + kInterval);
}

TEST(CheckpointTimerTest, WhereNothingWaitsNobodyLooks) {
  CheckpointTimer timer = NewTimer();
  timer.Add(5, 1000);
  timer.BeginLook();
  EXPECT_EQ(timer.LoggedAt(5), kNever);
  timer.EndLook(kNever, 1000 + kInterval);
  EXPECT_EQ(timer.next_look(), kNever);
}

TEST(CheckpointTimerTest, KnowsWhenARecordWasLoggedToAStep) {
  CheckpointTimer timer = NewTimer();
  std::map<Lsn, int64_t> times;
  int64_t now = 0;
  for (Lsn lsn = 1; lsn <= 500; ++lsn) {
    now += lsn % 50 == 0 ? 10 * kInterval : 7;
    timer.Add(lsn, now);
    times[lsn] = now;
  }
  for (const Lsn forgotten : {0, 200, 499}) {
    timer.Forget(forgotten);
    for (Lsn above = forgotten; above < 500; ++above) {
      const int64_t truth = times[above + 1];
      EXPECT_LE(timer.LoggedAt(above), truth) << above;
      EXPECT_GT(timer.LoggedAt(above), truth - kStep) << above;
    }
  }
}

TEST(CheckpointTimerTest, WithoutAnIntervalNothingIsDue) {
  CheckpointTimer timer(absl::InfiniteDuration());
  EXPECT_FALSE(timer.Add(1, 0));
  EXPECT_EQ(timer.next_look(), kNever);
  EXPECT_FALSE(timer.IsDue(0, kNever - 1));
}

TEST(CheckpointTimerTest, ALongIntervalDoesNotOverflow) {
  CheckpointTimer timer(absl::Hours(1e12));
  EXPECT_TRUE(timer.Add(1, 1000));
  EXPECT_GT(timer.next_look(), 1000);
  EXPECT_FALSE(timer.IsDue(1000, int64_t{1} << 50));
}

// Many spaces that are written to at all times.
TEST(CheckpointTimerTest, LooksAreFewAndNoSpaceWaitsForLonger) {
  CheckpointTimer timer = NewTimer();
  constexpr Lsn kSpaces = 300;
  constexpr int64_t kEnd = 20 * kInterval;
  std::map<Lsn, Lsn> first_waiting;  // by space; each is written in its turn
  std::map<Lsn, int64_t> times;
  Lsn lsn = 0;
  int looks = 0;
  int64_t longest = 0;
  for (int64_t now = 0; now < kEnd; now += 10) {
    ++lsn;
    times[lsn] = now;
    first_waiting.emplace(lsn % kSpaces, lsn);
    timer.Add(lsn, now);
    if (now < timer.next_look()) continue;
    ++looks;
    timer.BeginLook();
    int64_t oldest = kNever;
    for (auto it = first_waiting.begin(); it != first_waiting.end();) {
      const int64_t logged_at = timer.LoggedAt(it->second - 1);
      if (timer.IsDue(logged_at, now)) {
        longest = std::max(longest, now - times[it->second]);
        it = first_waiting.erase(it);
      } else {
        oldest = std::min(oldest, logged_at);
        ++it;
      }
    }
    timer.EndLook(oldest, now);
  }
  EXPECT_LE(looks, 20 * CheckpointTimer::kLooks);
  EXPECT_LE(longest, kInterval + 10);
  EXPECT_GE(longest, kInterval - kInterval / 12);
}

// A look that saves nothing, because nothing is indexed yet or the disk is
// full.
TEST(CheckpointTimerTest, WhatStaysDueIsNotTriedAtOnce) {
  CheckpointTimer timer = NewTimer();
  timer.Add(1, 0);
  int64_t now = 0;
  for (int look = 0; look < 10; ++look) {
    const int64_t before = now;
    now = timer.next_look();
    EXPECT_GT(now - before, kInterval / CheckpointTimer::kLooks);
    timer.BeginLook();
    EXPECT_TRUE(timer.IsDue(timer.LoggedAt(0), now));
    timer.EndLook(timer.LoggedAt(0), now);
  }
}

}  // namespace
}  // namespace engram::internal
