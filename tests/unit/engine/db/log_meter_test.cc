#include "engine/db/log_meter.h"

#include "gtest/gtest.h"

namespace engram::internal {
namespace {

TEST(LogMeterTest, SaysOnceForEachStepThatSoMuchWasLogged) {
  LogMeter meter(100);
  EXPECT_FALSE(meter.Add(1, 99));
  EXPECT_TRUE(meter.Add(2, 1));
  EXPECT_FALSE(meter.Add(3, 99));
  EXPECT_TRUE(meter.Add(4, 500)) << "one step, however long";
  EXPECT_FALSE(meter.Add(5, 99));
  EXPECT_EQ(meter.total_bytes(), 798u);
}

TEST(LogMeterTest, IsWrongByLessThanAStepAndAGroup) {
  constexpr uint64_t kStep = 1000;
  constexpr uint64_t kGroup = 70;
  LogMeter meter(kStep);
  for (Lsn lsn = 1; lsn <= 500; ++lsn) meter.Add(lsn, kGroup);
  for (Lsn above = 0; above <= 500; above += 3) {
    for (Lsn up_to = above; up_to <= 500; up_to += 7) {
      const auto truth = static_cast<double>((up_to - above) * kGroup);
      EXPECT_NEAR(static_cast<double>(meter.BytesBetween(above, up_to)), truth,
                  kStep + kGroup)
          << above << " to " << up_to;
    }
  }
}

TEST(LogMeterTest, WhatIsForgottenChangesNothingForHigherLsns) {
  LogMeter meter(10);
  for (Lsn lsn = 1; lsn <= 100; ++lsn) meter.Add(lsn, 10);
  meter.Forget(60);
  EXPECT_EQ(meter.BytesBetween(60, 100), 400u);
  EXPECT_EQ(meter.BytesBetween(70, 99), 290u);
  meter.Forget(1000);
  EXPECT_EQ(meter.BytesBetween(1000, 2000), 0u);
}

TEST(LogMeterTest, ALogWithoutBytesIsEmptyEverywhere) {
  const LogMeter meter(0);
  EXPECT_EQ(meter.BytesBetween(0, 0), 0u);
  EXPECT_EQ(meter.BytesBetween(7, 9), 0u);
}

}  // namespace
}  // namespace engram::internal
