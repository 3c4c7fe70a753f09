#include "tools/bench/curve.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::bench {
namespace {

const Curve kCurve = {{10, 0.80, 10000}, {20, 0.90, 4000}, {40, 0.96, 1000}};

TEST(QpsAtRecall, IsThePointsOwnAtItsRecall) {
  EXPECT_DOUBLE_EQ(*QpsAtRecall(kCurve, 0.90), 4000);
  EXPECT_DOUBLE_EQ(*QpsAtRecall(kCurve, 0.96), 1000);
}

TEST(QpsAtRecall, IsTheGeometricMeanHalfwayBetweenTwoPoints) {
  EXPECT_NEAR(*QpsAtRecall(kCurve, 0.93), std::sqrt(4000.0 * 1000.0), 1e-6);
}

TEST(QpsAtRecall, IsThatOfTheNarrowestBeamBelowIt) {
  EXPECT_DOUBLE_EQ(*QpsAtRecall(kCurve, 0.5), 10000);
}

TEST(QpsAtRecall, IsNothingWhereTheRecallIsNotReached) {
  EXPECT_FALSE(QpsAtRecall(kCurve, 0.97).has_value());
  EXPECT_FALSE(QpsAtRecall({}, 0.5).has_value());
}

TEST(QpsAtRecall, TakesTheFirstCrossingOfACurveThatFalls) {
  const Curve curve = {{10, 0.90, 8000}, {20, 0.95, 4000}, {40, 0.94, 2000}};
  EXPECT_DOUBLE_EQ(*QpsAtRecall(curve, 0.95), 4000);
}

}  // namespace
}  // namespace engram::bench
