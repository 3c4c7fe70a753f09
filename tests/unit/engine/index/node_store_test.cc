#include "engine/index/node_store.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace engram::index {
namespace {

uint32_t SlotsPerChunk(const NodeLayout& layout) {
  return NodeStore(layout).slots_per_chunk();
}

TEST(NodeStoreTest, ChunksHoldAPowerOfTwoOfSlotsWithinBothLimits) {
  EXPECT_EQ(SlotsPerChunk({.dimension = 16, .M = 16}), 4096u);
  EXPECT_EQ(SlotsPerChunk({.dimension = 768, .M = 16}), 4096u);
  EXPECT_EQ(SlotsPerChunk({.dimension = 1536, .M = 16}), 2048u);
  EXPECT_EQ(SlotsPerChunk({.dimension = 1536, .M = 16, .keep_rows = false}),
            4096u);
  // 65,535 components and the inverse norm are 256 KiB.
  EXPECT_EQ(SlotsPerChunk({.dimension = 65535, .M = 16}), 32u);
}

// Each part of each slot is written whole, and nothing else changes.
TEST(NodeStoreTest, PartsAreKeptAcrossChunkBoundaries) {
  constexpr uint32_t kDimension = 30001;
  const NodeLayout layout = {.dimension = kDimension,
                             .M = 4,
                             .crumb_bytes = 24,
                             .high_bytes = 40,
                             .low_bytes = 56};
  NodeStore nodes(layout);
  const uint32_t slot_count = 2 * nodes.slots_per_chunk() + 3;
  nodes.GrowTo(slot_count);
  const auto byte_of = [](uint32_t slot, int part) {
    return static_cast<uint8_t>(slot * 7 + static_cast<uint32_t>(part));
  };
  for (uint32_t slot = 0; slot < slot_count; ++slot) {
    std::fill_n(nodes.row(slot), kDimension, static_cast<float>(slot));
    nodes.row(slot)[kDimension] = 0.25f;
    std::fill_n(nodes.crumbs(slot), 24, byte_of(slot, 0));
    std::fill_n(nodes.high(slot), 40, byte_of(slot, 1));
    std::fill_n(nodes.low(slot), 56, byte_of(slot, 2));
    nodes.MakeNode(slot, slot % 3);
    for (uint32_t layer = 0; layer <= slot % 3; ++layer) {
      nodes.links(slot, layer).Fill({slot + layer, slot + layer + 1});
    }
  }
  for (uint32_t slot = 0; slot < slot_count; ++slot) {
    const auto all = [](const auto* begin, size_t count, auto value) {
      return std::all_of(begin, begin + count,
                         [&](auto other) { return other == value; });
    };
    EXPECT_TRUE(all(nodes.row(slot), kDimension, static_cast<float>(slot)));
    EXPECT_EQ(nodes.inverse_norm(slot), 0.25f);
    EXPECT_TRUE(all(nodes.crumbs(slot), 24, byte_of(slot, 0)));
    EXPECT_TRUE(all(nodes.high(slot), 40, byte_of(slot, 1)));
    EXPECT_TRUE(all(nodes.low(slot), 56, byte_of(slot, 2)));
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
  NodeStore nodes({.dimension = 1, .M = 2});
  nodes.GrowTo(1);
  float* const row = nodes.row(0);
  *row = 42.0f;
  // The table starts with 8 chunks of 4,096 slots and grows three times here.
  nodes.GrowTo(4096 * 40);
  EXPECT_EQ(nodes.row(0), row);
  EXPECT_EQ(*row, 42.0f);
  nodes.GrowTo(5);
  EXPECT_EQ(nodes.slot_count(), 4096u * 40);
}

class SlotTest : public testing::Test {
 protected:
  SlotTest() : nodes_({.dimension = 3, .M = 4}) { nodes_.GrowTo(10); }

  std::vector<uint32_t> Chain(uint32_t slot) const {
    std::vector<uint32_t> chain;
    for (; slot != kNoSlot; slot = nodes_.next_twin(slot)) {
      chain.push_back(slot);
    }
    return chain;
  }

  using Slots = std::vector<uint32_t>;

  NodeStore nodes_;
};

TEST_F(SlotTest, AFreshSlotIsFree) {
  EXPECT_FALSE(nodes_.is_linked(0));
  nodes_.MakeNode(0, 0);
  EXPECT_TRUE(nodes_.is_node(0));
  EXPECT_EQ(nodes_.links(0, 0).degree(), 0u);
  EXPECT_EQ(nodes_.parent(0), kNoSlot);
}

// The memory of its upper layers still holds what was there.
TEST_F(SlotTest, AReusedSlotHasNothingOfItsFormerLife) {
  nodes_.MakeNode(0, 2);
  for (uint32_t layer = 0; layer <= 2; ++layer) {
    nodes_.links(0, layer).Fill({1, 2, 3});
  }
  nodes_.MarkUnlinked(0);
  // Readable until it is released.
  EXPECT_EQ(nodes_.links(0, 2).degree(), 3u);
  EXPECT_EQ(nodes_.top_layer(0), 0u);
  nodes_.Release(0);
  nodes_.MakeNode(0, 2);
  for (uint32_t layer = 0; layer <= 2; ++layer) {
    EXPECT_EQ(nodes_.links(0, layer).degree(), 0u);
    EXPECT_EQ(*nodes_.one_way(0, layer), OneWayLinks::kEmpty);
  }
  EXPECT_EQ(nodes_.next_twin(0), kNoSlot);
}

TEST_F(SlotTest, UpperLayersThatWereReleasedAreUsedAgain) {
  uint64_t after_first_round = 0;
  for (int round = 0; round < 50; ++round) {
    for (uint32_t slot = 0; slot < 10; ++slot) nodes_.MakeNode(slot, 1 + slot);
    if (round == 0) after_first_round = nodes_.memory_bytes();
    for (uint32_t slot = 0; slot < 10; ++slot) {
      nodes_.MarkUnlinked(slot);
      nodes_.Release(slot);
    }
  }
  EXPECT_EQ(nodes_.memory_bytes(), after_first_round);
}

TEST_F(SlotTest, ANodeOfTheHighestLayerIsKnown) {
  EXPECT_EQ(nodes_.AnyOfTopLayer(), kNoSlot);
  nodes_.MakeNode(0, 0);
  EXPECT_EQ(nodes_.AnyOfTopLayer(), kNoSlot);
  nodes_.MakeNode(1, 2);
  nodes_.MakeNode(2, 2);
  nodes_.MakeNode(3, 2);
  nodes_.MakeNode(4, 1);
  for (const uint32_t slot : {2, 3, 1}) {
    const uint32_t any = nodes_.AnyOfTopLayer();
    EXPECT_EQ(nodes_.top_layer(any), 2u);
    nodes_.MarkUnlinked(slot);
    EXPECT_NE(nodes_.AnyOfTopLayer(), slot);
  }
  EXPECT_EQ(nodes_.AnyOfTopLayer(), 4u);
}

TEST_F(SlotTest, TwinsStandInAChainBehindTheirHead) {
  nodes_.MakeNode(0, 0);
  for (const uint32_t twin : {1, 2, 3, 4}) nodes_.MakeTwin(twin, 0);
  EXPECT_EQ(Chain(0), (Slots{0, 4, 3, 2, 1}));
  EXPECT_EQ(nodes_.head_of(3), 0u);
  EXPECT_EQ(nodes_.head_of(0), kNoSlot);
  EXPECT_FALSE(nodes_.is_node(3));
  nodes_.LeaveChain(3);
  EXPECT_EQ(Chain(0), (Slots{0, 4, 2, 1}));
  // A reader who stands on it goes on.
  EXPECT_EQ(Chain(3), (Slots{3, 2, 1}));
  nodes_.LeaveChain(4);
  nodes_.LeaveChain(1);
  EXPECT_EQ(Chain(0), (Slots{0, 2}));
  nodes_.LeaveChain(2);
  EXPECT_EQ(Chain(0), (Slots{0}));
  EXPECT_FALSE(nodes_.is_linked(2));
}

TEST_F(SlotTest, AnHeirTakesEverythingOver) {
  nodes_.MakeNode(0, 2);
  nodes_.links(0, 0).Fill({7, 8});
  nodes_.links(0, 2).Fill({9});
  nodes_.set_parent(0, 7);
  nodes_.in_degree(0) = 5;
  for (const uint32_t twin : {1, 2, 3}) nodes_.MakeTwin(twin, 0);
  nodes_.InheritNode(0, 3);
  nodes_.MarkUnlinked(0);
  EXPECT_TRUE(nodes_.is_node(3));
  EXPECT_EQ(nodes_.top_layer(3), 2u);
  EXPECT_EQ(nodes_.parent(3), 7u);
  EXPECT_EQ(nodes_.in_degree(3), 5u);
  EXPECT_TRUE(nodes_.links(3, 0).Contains(8));
  EXPECT_TRUE(nodes_.links(3, 2).Contains(9));
  EXPECT_EQ(nodes_.AnyOfTopLayer(), 3u);
  EXPECT_EQ(nodes_.head_of(1), 3u);
  EXPECT_EQ(nodes_.head_of(2), 3u);
  EXPECT_EQ(Chain(3), (Slots{3, 2, 1}));
  EXPECT_EQ(Chain(0), (Slots{0, 3, 2, 1}));
  nodes_.LeaveChain(2);
  EXPECT_EQ(Chain(3), (Slots{3, 1}));
}

// Chains begin, end, change hands and begin anew, beside each other.
TEST_F(SlotTest, EveryTwinKnowsItsOwnHeadHoweverChainsComeAndGo) {
  nodes_.MakeNode(0, 0);
  nodes_.MakeNode(5, 0);
  nodes_.MakeTwin(1, 0);
  nodes_.MakeTwin(6, 5);
  nodes_.LeaveChain(1);  // ends the chain of 0
  nodes_.MakeTwin(7, 5);
  nodes_.MakeTwin(2, 0);  // begins a new one
  EXPECT_EQ(nodes_.head_of(2), 0u);
  EXPECT_EQ(nodes_.head_of(6), 5u);
  EXPECT_EQ(nodes_.head_of(7), 5u);
  nodes_.InheritNode(0, 2);  // ends it: there is no other twin
  nodes_.MarkUnlinked(0);
  nodes_.InheritNode(5, 7);  // hands it on
  nodes_.MarkUnlinked(5);
  nodes_.MakeTwin(3, 2);
  EXPECT_EQ(nodes_.head_of(3), 2u);
  EXPECT_EQ(nodes_.head_of(6), 7u);
}

TEST(NodeStoreTest, MemoryGrowsWithTheSlotsInUse) {
  NodeStore nodes({.dimension = 100, .M = 16});
  EXPECT_EQ(nodes.memory_bytes(), 0u);
  nodes.GrowTo(1);
  const uint64_t one = nodes.memory_bytes();
  EXPECT_GE(one, 100 * sizeof(float) + 32 * sizeof(uint32_t));
  nodes.GrowTo(2);
  EXPECT_EQ(nodes.memory_bytes(), 2 * one);
}

}  // namespace
}  // namespace engram::index
