#include "engine/ingest/rate_meter.h"

#include <algorithm>
#include <random>

#include "gtest/gtest.h"

namespace engram::ingest {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kStart = 77 * kSecond;

RateMeter Meter(uint64_t per_second) {
  RateMeter meter;
  meter.SetRate(per_second);
  return meter;
}

TEST(RateMeterTest, WithoutARateNothingWaits) {
  RateMeter meter;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(meter.Wait(kStart), 0);
    meter.Take(1'000'000'000, kStart);
  }
}

TEST(RateMeterTest, ASecondsWorthMayComeAtOnceAndThenTheRate) {
  RateMeter meter = Meter(100);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(meter.Wait(kStart), 0) << i;
    meter.Take(1, kStart);
  }
  meter.Take(1, kStart);  // the one that finds the bucket empty, not in debt
  EXPECT_EQ(meter.Wait(kStart), 10'001);
  EXPECT_EQ(meter.Wait(kStart + 10'001), 0);
}

TEST(RateMeterTest, HoldsTheRateOverALongTime) {
  constexpr uint64_t kRate = 12'345;
  constexpr int64_t kSeconds = 1000;
  RateMeter meter = Meter(kRate);
  std::mt19937 random(5);
  uint64_t passed = 0;
  // Always somebody who wants to pass, with amounts of all sizes.
  for (int64_t now = kStart; now < kStart + kSeconds * kSecond;) {
    const uint64_t amount = 1 + random() % 3000;
    now += meter.Wait(now);
    meter.Take(amount, now);
    passed += amount;
  }
  const double allowed = static_cast<double>(kRate) * (kSeconds + 1);
  EXPECT_NEAR(static_cast<double>(passed) / allowed, 1, 0.01);
}

TEST(RateMeterTest, AnAmountLargerThanTheBucketPassesAndLeavesADebt) {
  RateMeter meter = Meter(100);
  EXPECT_EQ(meter.Wait(kStart), 0);
  meter.Take(1000, kStart);
  EXPECT_EQ(meter.Wait(kStart), 9 * kSecond + 1);
}

TEST(RateMeterTest, APauseSavesUpOneSecondsWorthAtMost) {
  RateMeter meter = Meter(100);
  meter.Take(100, kStart);
  const int64_t later = kStart + 3600 * kSecond;
  meter.Take(100, later);
  meter.Take(100, later);
  EXPECT_EQ(meter.Wait(later), kSecond + 1);
}

TEST(RateMeterTest, WhatIsGivenBackMayBeTakenAgain) {
  RateMeter meter = Meter(100);
  meter.Take(200, kStart);
  meter.GiveBack(100);
  EXPECT_EQ(meter.Wait(kStart), 0);
}

TEST(RateMeterTest, ANewRateForgetsTheDebt) {
  RateMeter meter = Meter(1);
  meter.Take(1000, kStart);
  meter.SetRate(2);
  EXPECT_EQ(meter.Wait(kStart), 0);
}

}  // namespace
}  // namespace engram::ingest
