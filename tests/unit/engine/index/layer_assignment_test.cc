#include "engine/index/layer_assignment.h"

#include <vector>

#include "gtest/gtest.h"

namespace engram::index {
namespace {

TEST(LayerAssignmentTest, IsAFunctionOfSeedAndSlot) {
  bool seeds_differ = false;
  for (uint32_t slot = 0; slot < 1000; ++slot) {
    EXPECT_EQ(AssignTopLayer(7, slot, 16), AssignTopLayer(7, slot, 16));
    seeds_differ |= AssignTopLayer(7, slot, 16) != AssignTopLayer(8, slot, 16);
  }
  EXPECT_TRUE(seeds_differ);
}

// Files store layers, not the seed's sequence, but a replay must build the
// same layers as the run before it, also after an upgrade.
TEST(LayerAssignmentTest, DoesNotChangeBetweenVersions) {
  std::vector<uint32_t> raised;
  for (uint32_t slot = 0; slot < 100; ++slot) {
    if (AssignTopLayer(0, slot, 16) > 0) raised.push_back(slot);
  }
  EXPECT_EQ(raised, (std::vector<uint32_t>{5, 14, 53, 89, 93}));
}

TEST(LayerAssignmentTest, EachLayerHoldsOneMthOfTheLayerBelow) {
  constexpr uint32_t kCount = 200000;
  std::vector<int> count_by_layer(kLayerMax + 1);
  for (uint32_t slot = 0; slot < kCount; ++slot) {
    ++count_by_layer[AssignTopLayer(1, slot, 16)];
  }
  EXPECT_NEAR(count_by_layer[1], kCount * 15 / 256, kCount / 200);
  EXPECT_NEAR(count_by_layer[2], kCount * 15 / 4096, kCount / 1000);
}

TEST(LayerAssignmentTest, NeverExceedsTheLimit) {
  for (uint32_t slot = 0; slot < 100000; ++slot) {
    EXPECT_LE(AssignTopLayer(3, slot, 2), kLayerMax);
  }
}

}  // namespace
}  // namespace engram::index
