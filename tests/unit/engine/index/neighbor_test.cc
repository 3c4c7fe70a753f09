#include "engine/index/neighbor.h"

#include <vector>

#include "gtest/gtest.h"

namespace engram::index {
namespace {

TEST(NeighborKeyTest, KeysAscendWithTheDistanceThroughNegativeAndZero) {
  const std::vector<float> ascending = {-1e30f, -2.5f, -1e-30f, 0.0f,
                                        1e-30f, 0.5f,  2.5f,    1e30f};
  for (size_t i = 1; i < ascending.size(); ++i) {
    EXPECT_LT(KeyOf(ascending[i - 1], 9), KeyOf(ascending[i], 1))
        << ascending[i];
  }
}

TEST(NeighborKeyTest, EqualDistancesAreOrderedBySlot) {
  EXPECT_LT(KeyOf(1.5f, 3), KeyOf(1.5f, 4));
  EXPECT_LT(KeyOf(-0.0f, 3), KeyOf(0.0f, 4));
  EXPECT_LT(KeyOf(0.0f, 3), KeyOf(-0.0f, 4));
}

TEST(NeighborKeyTest, AKeyGivesBackItsDistanceAndSlot) {
  for (float distance : {-1e30f, -2.5f, 0.0f, 1e-30f, 0.75f, 1e30f}) {
    EXPECT_EQ(NeighborOf(KeyOf(distance, 123456789)),
              (Neighbor{distance, 123456789}));
  }
}

}  // namespace
}  // namespace engram::index
