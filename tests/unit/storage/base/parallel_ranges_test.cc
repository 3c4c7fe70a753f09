#include "storage/base/parallel_ranges.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(ParallelRangesTest, TheRangesAreAllOfIt) {
  for (const size_t ranges : {1, 2, 3, 8}) {
    for (const uint32_t count : {0u, 1u, 2u, 7u, 1000u}) {
      std::vector<std::atomic<int>> seen(count);
      std::vector<uint32_t> begins(ranges, count + 1);
      ForParallelRanges(ranges, count,
                        [&](size_t range, uint32_t begin, uint32_t end) {
                          begins[range] = begin;
                          for (uint32_t i = begin; i < end; ++i) ++seen[i];
                        });
      for (const std::atomic<int>& times : seen) EXPECT_EQ(times, 1);
      for (size_t i = 1; i < ranges; ++i) {
        EXPECT_LE(begins[i - 1], begins[i]) << "in order";
      }
      EXPECT_LE(begins.back(), count) << "each was called";
    }
  }
}

TEST(ParallelRangesTest, LargeCountsDoNotOverflow) {
  std::atomic<uint64_t> total{0};
  ForParallelRanges(7, UINT32_MAX, [&](size_t, uint32_t begin, uint32_t end) {
    total += end - begin;
  });
  EXPECT_EQ(total, UINT32_MAX);
}

}  // namespace
}  // namespace engram
