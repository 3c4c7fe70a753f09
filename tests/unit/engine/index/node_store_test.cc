#include "engine/index/node_store.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace engram::index {
namespace {

std::vector<float> VectorOfSlot(uint32_t dimension, uint32_t slot) {
  std::vector<float> vector(dimension, static_cast<float>(slot));
  vector.back() = -static_cast<float>(slot) - 1.0f;
  return vector;
}

TEST(NodeStoreTest, ChunksHoldAPowerOfTwoOfSlotsWithinBothLimits) {
  EXPECT_EQ(NodeStore(16, 16).slots_per_chunk(), 4096u);
  EXPECT_EQ(NodeStore(768, 16).slots_per_chunk(), 4096u);
  EXPECT_EQ(NodeStore(1536, 16).slots_per_chunk(), 2048u);
  // 65,535 components and the inverse norm are 256 KiB.
  EXPECT_EQ(NodeStore(65535, 16).slots_per_chunk(), 64u);
}

TEST(NodeStoreTest, VectorsAndLinksAreKeptAcrossChunkBoundaries) {
  constexpr uint32_t kDimension = 65535;
  constexpr uint32_t kSlotCount = 64 * 2 + 3;
  NodeStore nodes(kDimension, 4);
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    EXPECT_EQ(nodes.Append(VectorOfSlot(kDimension, slot), 0.25f), slot);
    nodes.MakeNode(slot, slot % 3);
    for (uint32_t layer = 0; layer <= slot % 3; ++layer) {
      nodes.links(slot, layer).Assign({slot + layer, slot + layer + 1});
    }
  }
  for (uint32_t slot = 0; slot < kSlotCount; ++slot) {
    const std::vector<float> expected = VectorOfSlot(kDimension, slot);
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), nodes.row(slot)));
    EXPECT_EQ(nodes.inverse_norm(slot), 0.25f);
    ASSERT_EQ(nodes.top_layer(slot), slot % 3);
    for (uint32_t layer = 0; layer <= slot % 3; ++layer) {
      const LinkList links = nodes.links(slot, layer);
      EXPECT_EQ(links.capacity(), layer == 0 ? 8u : 4u);
      ASSERT_EQ(links.degree(), 2u);
      EXPECT_EQ(links.id(0), slot + layer);
      EXPECT_EQ(links.id(1), slot + layer + 1);
    }
  }
}

TEST(NodeStoreTest, RowsNeverMoveWhenTheChunkTableGrows) {
  NodeStore nodes(1, 2);
  nodes.Append({42.0f}, 0.0f);
  const float* row = nodes.row(0);
  // The table starts with 16 chunks of 4,096 slots and grows twice here.
  for (uint32_t slot = 1; slot < 4096 * 40; ++slot) {
    nodes.Append({static_cast<float>(slot)}, 0.0f);
  }
  EXPECT_EQ(nodes.row(0), row);
  EXPECT_EQ(*row, 42.0f);
  for (uint32_t slot = 1; slot < nodes.slot_count(); ++slot) {
    ASSERT_EQ(*nodes.row(slot), static_cast<float>(slot));
  }
}

TEST(NodeStoreTest, AnAppendedSlotIsNoNodeYet) {
  NodeStore nodes(3, 2);
  nodes.Append({1.0f, 2.0f, 3.0f}, 0.0f);
  EXPECT_FALSE(nodes.is_node(0));
  EXPECT_EQ(nodes.links(0, 0).degree(), 0u);
  nodes.MakeNode(0, 0);
  EXPECT_TRUE(nodes.is_node(0));
}

TEST(NodeStoreTest, MemoryGrowsWithTheSlotsInUse) {
  NodeStore nodes(100, 16);
  EXPECT_EQ(nodes.memory_bytes(), 0u);
  const std::vector<float> vector(100);
  nodes.Append(vector, 0.0f);
  const uint64_t one = nodes.memory_bytes();
  EXPECT_GE(one, 100 * sizeof(float) + 32 * sizeof(uint32_t));
  nodes.Append(vector, 0.0f);
  EXPECT_EQ(nodes.memory_bytes(), 2 * one);
}

}  // namespace
}  // namespace engram::index
