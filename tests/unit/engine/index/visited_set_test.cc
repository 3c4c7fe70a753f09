#include "engine/index/visited_set.h"

#include <set>

#include "gtest/gtest.h"

namespace engram::index {
namespace {

TEST(VisitedSetTest, HoldsManyMoreSlotsThanExpected) {
  VisitedSet visited;
  visited.Reset(1);
  for (uint32_t slot = 0; slot < 10000; ++slot) {
    EXPECT_TRUE(visited.Insert(slot * 4096));
  }
  for (uint32_t slot = 0; slot < 10000; ++slot) {
    EXPECT_FALSE(visited.Insert(slot * 4096));
  }
}

TEST(VisitedSetTest, ResetForgetsWhateverTheSizeBefore) {
  VisitedSet visited;
  for (size_t expected : {10, 100000, 10, 1000}) {
    visited.Reset(expected);
    for (uint32_t slot = 0; slot < 500; ++slot) {
      EXPECT_TRUE(visited.Insert(slot)) << slot << " of " << expected;
    }
  }
}

}  // namespace
}  // namespace engram::index
