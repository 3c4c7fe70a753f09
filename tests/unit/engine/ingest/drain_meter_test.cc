#include "engine/ingest/drain_meter.h"

#include <cstdint>
#include <optional>

#include "gtest/gtest.h"

namespace engram::ingest {
namespace {

constexpr int64_t kSecond = 1'000'000;

class DrainMeterTest : public ::testing::Test {
 protected:
  // Indexes `per_second` records of 10 bytes for a time, a batch each 10 ms.
  void Drain(int64_t begin, int64_t end, uint64_t per_second) {
    for (int64_t now = begin + 10'000; now <= end; now += 10'000) {
      meter_.Add(per_second / 100, per_second / 10, now);
    }
  }

  double Micros(uint64_t records, uint64_t bytes, int64_t now) const {
    const std::optional<int64_t> micros = meter_.Micros(records, bytes, now);
    EXPECT_TRUE(micros.has_value());
    return static_cast<double>(micros.value_or(0));
  }

  DrainMeter meter_;
};

TEST_F(DrainMeterTest, SaysNothingBeforeItHasMeasured) {
  EXPECT_EQ(meter_.Micros(1, 1, 0), std::nullopt);
  meter_.Resume(0);
  EXPECT_EQ(meter_.Micros(1, 1, kSecond), std::nullopt) << "nothing indexed";
  meter_.Pause(1'000);
  meter_.Resume(kSecond);
  meter_.Add(500, 500, kSecond + 1'000);
  EXPECT_EQ(meter_.Micros(1, 1, kSecond + 2'000), std::nullopt)
      << "one batch says little";
}

TEST_F(DrainMeterTest, TakesTheSlowerOfRecordsAndBytes) {
  meter_.Resume(0);
  Drain(0, kSecond, 1000);
  EXPECT_NEAR(Micros(100, 1, kSecond), 100'000, 10'000);
  EXPECT_NEAR(Micros(1, 2'000, kSecond), 200'000, 20'000);
}

TEST_F(DrainMeterTest, FollowsARateThatChanges) {
  meter_.Resume(0);
  Drain(0, 2 * kSecond, 10'000);
  Drain(2 * kSecond, 4 * kSecond, 1'000);
  EXPECT_NEAR(Micros(100, 0, 4 * kSecond), 100'000, 10'000);
}

TEST_F(DrainMeterTest, AStallIsSlowness) {
  meter_.Resume(0);
  Drain(0, kSecond, 1'000);
  EXPECT_GT(Micros(100, 0, 10 * kSecond), 500'000);
}

TEST_F(DrainMeterTest, APauseIsNoSlowness) {
  meter_.Resume(0);
  Drain(0, kSecond, 1'000);
  meter_.Pause(kSecond);
  EXPECT_NEAR(Micros(100, 0, 100 * kSecond), 100'000, 10'000);
  meter_.Resume(100 * kSecond);
  Drain(100 * kSecond, 101 * kSecond, 2'000);
  EXPECT_NEAR(Micros(100, 0, 101 * kSecond), 50'000, 5'000);
}

// A writer that hands in one record each 10 ms, which takes 1 ms to index.
TEST_F(DrainMeterTest, SlowWritersAreNotSlowWorkers) {
  int64_t now = 0;
  for (int i = 0; i < 500; ++i) {
    meter_.Resume(now);
    meter_.Add(1, 10, now + 1'000);
    meter_.Pause(now + 1'000);
    now += 10'000;
  }
  EXPECT_NEAR(Micros(100, 0, now), 100'000, 10'000);
}

}  // namespace
}  // namespace engram::ingest
