#include "tools/bench/samples.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::bench {
namespace {

TEST(Median, IsTheMiddle) {
  EXPECT_DOUBLE_EQ(Median({3}), 3);
  EXPECT_DOUBLE_EQ(Median({9, 1, 5}), 5);
  EXPECT_DOUBLE_EQ(Median({4, 1, 3, 2}), 2.5);
}

TEST(Samples, TakeTheRatioRunByRun) {
  Samples samples;
  // A machine that is ten times slower in the second run.
  samples.Add(0, "engram", "rate", 100);
  samples.Add(0, "peer", "rate", 50);
  samples.Add(1, "engram", "rate", 20);
  samples.Add(1, "peer", "rate", 5);
  samples.Add(2, "engram", "rate", 300);
  samples.Add(2, "peer", "rate", 100);
  EXPECT_DOUBLE_EQ(*samples.RatioOf("engram", "peer", "rate"), 3);
  EXPECT_DOUBLE_EQ(*samples.MedianOf("engram", "rate"), 100);
  EXPECT_DOUBLE_EQ(*samples.MeanOf("engram", "rate"), 140);
  EXPECT_DOUBLE_EQ(*samples.MinOf("peer", "rate"), 5);
  EXPECT_DOUBLE_EQ(*samples.MaxOf("peer", "rate"), 100);
  EXPECT_EQ(samples.CountOf("peer", "rate"), 3);
}

TEST(Samples, LeaveRunsOutThatOnlyOneHas) {
  Samples samples;
  samples.Add(0, "engram", "rate", 100);
  samples.Add(1, "engram", "rate", 20);
  samples.Add(1, "peer", "rate", 10);
  EXPECT_DOUBLE_EQ(*samples.RatioOf("engram", "peer", "rate"), 2);
}

TEST(Samples, HaveNothingOfWhatWasNotMeasured) {
  Samples samples;
  samples.Add(0, "engram", "rate", 100);
  EXPECT_FALSE(samples.MedianOf("peer", "rate").has_value());
  EXPECT_FALSE(samples.RatioOf("engram", "peer", "rate").has_value());
  EXPECT_EQ(samples.CountOf("peer", "rate"), 0);
}

}  // namespace
}  // namespace engram::bench
