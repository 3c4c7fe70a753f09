#include "engine/index/select_neighbors.h"

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/simd/kernels.h"
#include "gtest/gtest.h"

namespace engram::index {
namespace {

// Candidates in the plane for a base node in the origin.
class SelectNeighborsTest : public testing::Test {
 protected:
  SelectNeighborsTest()
      : nodes_({.dimension = 2, .M = 16}),
        exact_(schema::Metric::kL2, 2, simd::BestKernels()),
        compare_(nodes_, exact_, codec_) {}

  // Candidates must be added nearest first.
  void AddCandidate(float x, float y) {
    const uint32_t slot = nodes_.slot_count();
    nodes_.GrowTo(slot + 1);
    nodes_.row(slot)[0] = x;
    nodes_.row(slot)[1] = y;
    scratch_.pool.push_back({x * x + y * y, slot});
  }

  std::vector<uint32_t> Select(size_t limit, size_t fill_to = 0) {
    chosen_ = SelectNeighbors(compare_, limit, fill_to, scratch_);
    std::vector<uint32_t> slots;
    for (const Neighbor& neighbor : scratch_.selected) {
      slots.push_back(neighbor.slot);
    }
    return slots;
  }

  NodeStore nodes_;
  VectorDistance exact_;
  std::optional<VectorCodec> codec_;
  SlotDistance compare_;
  Scratch scratch_;
  size_t chosen_ = 0;
};

TEST_F(SelectNeighborsTest, LeavesOutACandidateBehindAChosenNeighbor) {
  AddCandidate(1.0f, 0.0f);
  AddCandidate(1.1f, 0.0f);   // behind slot 0
  AddCandidate(0.0f, 1.5f);   // another direction
  AddCandidate(0.0f, -2.0f);  // another direction
  EXPECT_EQ(Select(4), (std::vector<uint32_t>{0, 2, 3}));
}

// Five directions 72 degrees apart occlude none of each other.
TEST_F(SelectNeighborsTest, ComparesWithEveryChosenNeighborNotJustTheFirst) {
  AddCandidate(1.000f, 0.000f);
  AddCandidate(0.312f, 0.960f);
  AddCandidate(-0.825f, 0.599f);
  AddCandidate(-0.834f, -0.606f);
  AddCandidate(0.322f, -0.989f);
  AddCandidate(0.644f, -1.978f);  // behind slot 4
  EXPECT_EQ(Select(6), (std::vector<uint32_t>{0, 1, 2, 3, 4}));
}

TEST_F(SelectNeighborsTest, StopsAtTheLimitWithTheNearest) {
  AddCandidate(1.0f, 0.0f);
  AddCandidate(0.0f, 2.0f);
  AddCandidate(-3.0f, 0.0f);
  EXPECT_EQ(Select(2), (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(chosen_, 2u);
}

TEST_F(SelectNeighborsTest, TakesAllWhenThereAreFewerThanTheLimit) {
  AddCandidate(1.0f, 0.0f);
  AddCandidate(1.1f, 0.0f);
  EXPECT_EQ(Select(3), (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(chosen_, 2u);
}

// Slot 3 was left out by slot 2, before slot 1 by slot 0 in time, if not in
// distance: the fill goes by distance.
TEST_F(SelectNeighborsTest, FillsUpWithTheNearestThatWereLeftOut) {
  AddCandidate(1.0f, 0.0f);
  AddCandidate(1.1f, 0.0f);   // behind slot 0
  AddCandidate(0.0f, 1.5f);   // another direction
  AddCandidate(0.0f, 1.6f);   // behind slot 2
  AddCandidate(1.9f, 0.0f);   // behind slot 0
  AddCandidate(0.0f, -2.0f);  // another direction
  EXPECT_EQ(Select(5, 5), (std::vector<uint32_t>{0, 2, 5, 1, 3}));
  EXPECT_EQ(chosen_, 3u);
  EXPECT_EQ(Select(5, 4), (std::vector<uint32_t>{0, 2, 5, 1}));
  EXPECT_EQ(Select(5, 2), (std::vector<uint32_t>{0, 2, 5}));
  EXPECT_EQ(chosen_, 3u);
}

TEST_F(SelectNeighborsTest, NothingIsChosenFromNothing) {
  EXPECT_TRUE(Select(3, 3).empty());
  EXPECT_EQ(chosen_, 0u);
}

// Many more than are compared in one call, on a line: all lie behind the first.
TEST_F(SelectNeighborsTest, APoolOfAnySizeIsComparedWhole) {
  for (int i = 0; i < 1000; ++i) {
    AddCandidate(1.0f + static_cast<float>(i) / 1000, 0.0f);
  }
  AddCandidate(0.0f, 3.0f);
  EXPECT_EQ(Select(16), (std::vector<uint32_t>{0, 1000}));
}

}  // namespace
}  // namespace engram::index
