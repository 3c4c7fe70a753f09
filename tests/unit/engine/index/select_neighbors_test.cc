#include "engine/index/select_neighbors.h"

#include <cstdint>
#include <vector>

#include "engine/simd/kernels.h"
#include "gtest/gtest.h"

namespace engram::index {
namespace {

// Candidates in the plane for a base node in the origin.
class SelectNeighborsTest : public testing::Test {
 protected:
  SelectNeighborsTest()
      : nodes_(2, 16), distance_(schema::Metric::kL2, 2, simd::BestKernels()) {}

  // Candidates must be added nearest first.
  void AddCandidate(float x, float y) {
    const uint32_t slot = nodes_.Append({x, y}, 0.0f);
    scratch_.pool.push_back({x * x + y * y, slot});
  }

  std::vector<uint32_t> Select(size_t limit) {
    SelectNeighbors(nodes_, distance_, limit, scratch_);
    std::vector<uint32_t> slots;
    for (const Neighbor& neighbor : scratch_.selected) {
      slots.push_back(neighbor.slot);
    }
    return slots;
  }

  NodeStore nodes_;
  VectorDistance distance_;
  Scratch scratch_;
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
}

TEST_F(SelectNeighborsTest, TakesAllWhenThereAreFewerThanTheLimit) {
  AddCandidate(1.0f, 0.0f);
  AddCandidate(1.1f, 0.0f);
  EXPECT_EQ(Select(3), (std::vector<uint32_t>{0, 1}));
}

}  // namespace
}  // namespace engram::index
