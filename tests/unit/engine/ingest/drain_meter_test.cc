#include "engine/ingest/drain_meter.h"

#include "gtest/gtest.h"

namespace engram::ingest {
namespace {

constexpr int64_t kSecond = 1'000'000;

// Drains `per_second` records of 10 bytes for a time, a batch each 10 ms.
void Drain(DrainMeter* meter, int64_t begin, int64_t end, uint64_t per_second) {
  for (int64_t now = begin; now < end; now += 10'000) {
    meter->Add(per_second / 100, per_second / 10, now);
  }
}

TEST(DrainMeterTest, SaysNothingBeforeItHasMeasured) {
  DrainMeter meter;
  EXPECT_EQ(meter.Micros(1, 1, 0), std::nullopt);
  meter.Begin(0);
  EXPECT_EQ(meter.Micros(1, 1, kSecond), std::nullopt);
  meter.Add(500, 500, 1'000);
  EXPECT_EQ(meter.Micros(1, 1, 2'000), std::nullopt) << "one batch at once";
}

TEST(DrainMeterTest, TakesTheSlowerOfRecordsAndBytes) {
  DrainMeter meter;
  meter.Begin(0);
  Drain(&meter, 0, kSecond, 1000);
  const int64_t of_records = *meter.Micros(100, 1, kSecond);
  EXPECT_NEAR(static_cast<double>(of_records), 100'000, 10'000);
  const int64_t of_bytes = *meter.Micros(1, 2'000, kSecond);
  EXPECT_NEAR(static_cast<double>(of_bytes), 200'000, 20'000);
}

TEST(DrainMeterTest, FollowsARateThatChanges) {
  DrainMeter meter;
  meter.Begin(0);
  Drain(&meter, 0, 2 * kSecond, 10'000);
  Drain(&meter, 2 * kSecond, 4 * kSecond, 1'000);
  EXPECT_NEAR(static_cast<double>(*meter.Micros(100, 0, 4 * kSecond)), 100'000,
              10'000);
}

TEST(DrainMeterTest, AStallIsSlowness) {
  DrainMeter meter;
  meter.Begin(0);
  Drain(&meter, 0, kSecond, 1'000);
  EXPECT_GT(*meter.Micros(100, 0, 10 * kSecond), 500'000);
}

TEST(DrainMeterTest, ATimeWithoutAnythingToDrainIsNone) {
  DrainMeter meter;
  meter.Begin(0);
  Drain(&meter, 0, kSecond, 1'000);
  meter.Begin(100 * kSecond);
  EXPECT_NEAR(static_cast<double>(*meter.Micros(100, 0, 100 * kSecond + 1)),
              100'000, 10'000)
      << "what was measured last";
  Drain(&meter, 100 * kSecond, 101 * kSecond, 2'000);
  EXPECT_NEAR(static_cast<double>(*meter.Micros(100, 0, 101 * kSecond)), 50'000,
              5'000);
}

}  // namespace
}  // namespace engram::ingest
