#include "storage/base/histogram.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(HistogramTest, IsEmptyAtFirst) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.sum(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.Quantile(.5), 0u);
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (int64_t value = 0; value < 16; ++value) histogram.Add(value);
  for (uint64_t value = 0; value < 16; ++value) {
    EXPECT_EQ(histogram.Quantile((static_cast<double>(value) + 1) / 16), value);
  }
  EXPECT_EQ(histogram.sum(), 120u);
}

TEST(HistogramTest, AnyValueIsRightToAnEighthAndNeverTooSmall) {
  for (uint64_t value = 1; value < (uint64_t{1} << 32);
       value += 1 + value / 50) {
    Histogram histogram;
    histogram.Add(static_cast<int64_t>(value));
    histogram.Add(int64_t{1} << 32);  // so that the maximum does not help
    const uint64_t quantile = histogram.Quantile(.5);
    ASSERT_GE(quantile, value);
    ASSERT_LE(static_cast<double>(quantile),
              static_cast<double>(value) * 1.125);
  }
}

TEST(HistogramTest, QuantilesAgreeWithThoseOfTheSortedValues) {
  std::mt19937 random(1);
  std::lognormal_distribution<double> distribution(6, 2);
  std::vector<uint64_t> values;
  Histogram histogram;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<uint64_t>(distribution(random)));
    histogram.Add(static_cast<int64_t>(values.back()));
  }
  std::sort(values.begin(), values.end());
  for (const double share : {.01, .25, .5, .9, .99, .999, 1.}) {
    const auto exact = static_cast<double>(values[static_cast<size_t>(
        std::ceil(share * static_cast<double>(values.size())) - 1)]);
    const auto quantile = static_cast<double>(histogram.Quantile(share));
    EXPECT_GE(quantile, exact) << share;
    EXPECT_LE(quantile, exact * 1.125) << share;
  }
  EXPECT_EQ(histogram.sum(),
            std::accumulate(values.begin(), values.end(), uint64_t{0}))
      << "exact, as quantiles are not";
  EXPECT_EQ(histogram.max(), values.back());
  EXPECT_EQ(histogram.Quantile(1), values.back());
}

TEST(HistogramTest, WhatIsOutOfRangeCountsAsTheNearest) {
  Histogram histogram;
  histogram.Add(-5);
  EXPECT_EQ(histogram.Quantile(1), 0u);
  histogram.Add(INT64_MAX);
  EXPECT_EQ(histogram.Quantile(1), (uint64_t{1} << 32) - 1);
  EXPECT_EQ(histogram.count(), 2u);
}

TEST(HistogramTest, MergingIsAddingAll) {
  Histogram both;
  Histogram a;
  Histogram b;
  for (int64_t value = 1; value < 2'000'000; value *= 3) {
    (value % 2 == 0 ? a : b).Add(value);
    a.Add(value + 1);
    both.Add(value + 1);
    both.Add(value);
  }
  a.Merge(b);
  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.sum(), both.sum());
  EXPECT_EQ(a.max(), both.max());
  for (const double share : {.1, .5, .9}) {
    EXPECT_EQ(a.Quantile(share), both.Quantile(share));
  }
}

}  // namespace
}  // namespace engram
