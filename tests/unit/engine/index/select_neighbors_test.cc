#include "engine/index/select_neighbors.h"

#include <algorithm>
#include <cstddef>
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
    chosen_ = SelectNeighbors(compare_, &SlotDistance::Fine, limit, fill_to,
                              scratch_);
    std::vector<uint32_t> slots;
    for (const Neighbor& neighbor : scratch_.selected) {
      slots.push_back(neighbor.slot);
    }
    return slots;
  }

  // Of the candidates, the first `kept` are neighbors already.
  std::vector<uint32_t> Extend(size_t kept, size_t limit, size_t fill_to) {
    const auto end = scratch_.pool.begin() + static_cast<ptrdiff_t>(kept);
    scratch_.selected.assign(scratch_.pool.begin(), end);
    std::sort(scratch_.selected.begin(), scratch_.selected.end(),
              [](const Neighbor& a, const Neighbor& b) {
                return a.distance < b.distance;
              });
    scratch_.pool.erase(scratch_.pool.begin(), end);
    ExtendNeighbors(compare_, limit, fill_to, scratch_);
    std::vector<uint32_t> slots;
    for (const Neighbor& neighbor : scratch_.selected) {
      slots.push_back(neighbor.slot);
    }
    std::sort(slots.begin(), slots.end());
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

// --- ExtendNeighbors

TEST_F(SelectNeighborsTest, AnExtensionKeepsWhatIsThereEvenIfItIsOccluded) {
  AddCandidate(1.1f, 0.0f);  // a neighbor, behind what comes
  AddCandidate(3.0f, 0.0f);  // a neighbor, behind the other
  AddCandidate(1.0f, 0.0f);  // nearer than both: nothing occludes it
  EXPECT_EQ(Extend(2, 8, 0), (std::vector<uint32_t>{0, 1, 2}));
}

TEST_F(SelectNeighborsTest, AnExtensionLeavesOutWhatANeighborOccludes) {
  AddCandidate(1.0f, 0.0f);
  AddCandidate(1.1f, 0.0f);   // behind slot 0
  AddCandidate(0.0f, 1.5f);   // another direction
  AddCandidate(0.0f, 1.75f);  // behind slot 2, which is new itself
  EXPECT_EQ(Extend(1, 8, 0), (std::vector<uint32_t>{0, 2}));
}

// More neighbors than are compared at once, and only the last occludes.
TEST_F(SelectNeighborsTest, AnExtensionComparesWithEveryNearerNeighbor) {
  AddCandidate(1.00f, 0.00f);
  AddCandidate(0.00f, 1.01f);
  AddCandidate(-1.02f, 0.00f);
  AddCandidate(-0.72f, 0.73f);
  AddCandidate(0.73f, 0.73f);
  AddCandidate(0.00f, -1.04f);
  AddCandidate(0.00f, -1.50f);  // behind slot 5
  EXPECT_EQ(Extend(6, 8, 0), (std::vector<uint32_t>{0, 1, 2, 3, 4, 5}));
}

TEST_F(SelectNeighborsTest, AnExtensionFillsUpWithTheNearestItLeftOut) {
  AddCandidate(1.0f, 0.0f);
  AddCandidate(1.1f, 0.0f);
  AddCandidate(1.2f, 0.0f);
  AddCandidate(1.3f, 0.0f);
  EXPECT_EQ(Extend(1, 8, 3), (std::vector<uint32_t>{0, 1, 2}));
}

TEST_F(SelectNeighborsTest, AnExtensionStopsAtTheLimit) {
  AddCandidate(1.0f, 0.0f);
  AddCandidate(0.0f, 1.5f);
  AddCandidate(-1.6f, 0.0f);
  AddCandidate(0.0f, -1.7f);
  EXPECT_EQ(Extend(1, 3, 3), (std::vector<uint32_t>{0, 1, 2}));
}

}  // namespace
}  // namespace engram::index
