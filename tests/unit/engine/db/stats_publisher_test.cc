#include "engine/db/stats_publisher.h"

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "storage/base/clock.h"
#include "tests/support/temporary_directory.h"

namespace engram::internal {
namespace {

class StatsPublisherTest : public ::testing::Test {
 protected:
  // Whether the metrics are asked for `times` times within `limit`.
  bool AwaitCalls(int times, absl::Duration limit) const {
    const absl::Time deadline = absl::Now() + limit;
    while (calls_.load() < times && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    return calls_.load() >= times;
  }

  const testing::TemporaryDirectory directory_;
  const std::string path_ = directory_.PathOf("STATS");
  std::atomic<int> calls_{0};
};

// As a thread does that has to wait for its turn on a busy machine.
TEST_F(StatsPublisherTest, RestsNoLongerForTimeThatItWaited) {
  StatsPublisher publisher;
  publisher.Start(path_, absl::Milliseconds(1), [this] {
    ++calls_;
    absl::SleepFor(absl::Milliseconds(400));
    return Metrics();
  });
  EXPECT_TRUE(AwaitCalls(3, absl::Seconds(20)));
}

TEST_F(StatsPublisherTest, RestsAHundredTimesAsLongAsItUsedAProcessor) {
  constexpr int64_t kBusyMicros = 10'000;
  StatsPublisher publisher;
  const int64_t start = MonotonicMicros();
  publisher.Start(path_, absl::Milliseconds(1), [this] {
    ++calls_;
    const int64_t cpu_start = ThreadCpuMicros();
    while (ThreadCpuMicros() - cpu_start < kBusyMicros) {
    }
    return Metrics();
  });
  ASSERT_TRUE(AwaitCalls(2, absl::Seconds(100)));
  EXPECT_GE(MonotonicMicros() - start, 100 * kBusyMicros);
}

}  // namespace
}  // namespace engram::internal
