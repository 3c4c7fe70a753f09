#include "tools/bench/cache_misses.h"

#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::bench {
namespace {

// Reads more memory than a cache holds, in an order that cannot be foreseen.
uint64_t ReadMuch() {
  std::vector<uint64_t> much(size_t{64} << 20 >> 3, 1);
  uint64_t sum = 0;
  for (size_t i = 0, at = 1; i < 2'000'000; ++i) {
    at = at * 6364136223846793005 + 1442695040888963407;
    sum += much[(at >> 20) % much.size()];
  }
  return sum;
}

TEST(CacheMissesTest, CountsForThreadsThatWereStartedLaterOrSaysWhyNot) {
  const absl::StatusOr<std::unique_ptr<CacheMisses>> misses =
      CacheMisses::Open();
  if (!misses.ok()) {
    EXPECT_THAT(std::string(misses.status().message()),
                ::testing::HasSubstr("perf_event_open"));
    return;
  }
  EXPECT_EQ((*misses)->Read().value_or(1), 0u) << "it was not started yet";
  ASSERT_TRUE((*misses)->Start().ok());
  uint64_t sum = 0;
  std::thread([&sum] { sum = ReadMuch(); }).join();
  EXPECT_EQ(sum, 2'000'000u);
  ASSERT_TRUE((*misses)->Stop().ok());
  const absl::StatusOr<uint64_t> counted = (*misses)->Read();
  // Others may have the counter.
  if (!counted.ok()) return;
  EXPECT_GT(*counted, 10'000u);
}

}  // namespace
}  // namespace engram::bench
