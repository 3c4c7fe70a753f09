#include "engine/ingest/quota.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/base/clock.h"

namespace engram::ingest {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kNoWait = 0;
constexpr int64_t kLong = 60'000'000;
constexpr int64_t kHour = int64_t{3600} * 1'000'000;

int64_t Now() { return Clock::System().MonotonicMicros(); }

TEST(QuotaTest, WithoutALimitEverythingPasses) {
  Quota quota("s");
  EXPECT_FALSE(quota.is_limited());
  quota.Set({0, 5});
  EXPECT_TRUE(quota.is_limited());
  EXPECT_EQ(quota.limits().bytes_per_second, 5u);
  quota.Set({0, 0});
  EXPECT_FALSE(quota.is_limited());
  Refusal refusal;
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(quota.Admit({1000, 1 << 30}, kNoWait, &refusal).ok());
  }
}

TEST(QuotaTest, ARefusalNamesTheLimitAndWhenItIsTheWritesTurn) {
  Quota quota("space \"a\"");
  quota.Set({10, 1'000'000});
  Refusal refusal;
  ASSERT_TRUE(quota.Admit({3610 * 10, 1}, kNoWait, &refusal).ok());
  const int64_t before = Now();
  const absl::Status status = quota.Admit({1, 1}, kNoWait, &refusal);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("space \"a\": its quota of 10 records a second"));
  EXPECT_FALSE(refusal.of_bytes);
  ASSERT_TRUE(refusal.retry_after_micros.has_value());
  EXPECT_LE(*refusal.retry_after_micros, 3610'000'000 - 1'000'000 + 1);
  EXPECT_GT(*refusal.retry_after_micros, kHour - (Now() - before));
  EXPECT_EQ(quota.GetStats().refused_of_records, 1u);
  EXPECT_EQ(quota.GetStats().refused_of_bytes, 0u);
}

TEST(QuotaTest, BytesHaveALimitOfTheirOwn) {
  Quota quota("s");
  quota.Set({1'000'000, 100});
  Refusal refusal;
  ASSERT_TRUE(quota.Admit({1, 100 * 1000}, kNoWait, &refusal).ok());
  const absl::Status status = quota.Admit({1, 1}, kLong, &refusal);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << "it knows without waiting";
  EXPECT_THAT(std::string(status.message()), HasSubstr("100 bytes a second"));
  EXPECT_TRUE(refusal.of_bytes);
  EXPECT_EQ(quota.GetStats().refused_of_bytes, 1u);
}

TEST(QuotaTest, WhoWaitsPassesAtItsTurnAndInOrder) {
  Quota quota("s");
  quota.Set({100, 0});
  Refusal refusal;
  ASSERT_TRUE(quota.Admit({100, 0}, kNoWait, &refusal).ok());
  ASSERT_TRUE(quota.Admit({5, 0}, kNoWait, &refusal).ok());
  const int64_t start = Now();
  ASSERT_TRUE(quota.Admit({10, 0}, kLong, &refusal).ok());
  EXPECT_GE(Now() - start, 40'000);
  // The one behind it waits for the ten as well.
  ASSERT_TRUE(quota.Admit({1, 0}, kLong, &refusal).ok());
  EXPECT_GE(Now() - start, 140'000);
}

TEST(QuotaTest, ALargeWriteIsNotPassedByWhatComesBehindIt) {
  Quota quota("s");
  quota.Set({100, 0});
  Refusal refusal;
  ASSERT_TRUE(quota.Admit({110, 0}, kNoWait, &refusal).ok());
  std::atomic<int> place{0};
  std::atomic<bool> waiting{false};
  int large_place = 0;
  std::thread large([&] {
    waiting = true;
    Refusal own;
    EXPECT_TRUE(quota.Admit({20, 0}, kLong, &own).ok());
    large_place = ++place;
  });
  while (!waiting) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(quota.Admit({1, 0}, kLong, &refusal).ok());
  const int small_place = ++place;
  large.join();
  EXPECT_EQ(large_place, 1);
  EXPECT_EQ(small_place, 2);
}

TEST(QuotaTest, WhatIsGivenBackPassesAgain) {
  Quota quota("s");
  quota.Set({10, 10});
  Refusal refusal;
  ASSERT_TRUE(quota.Admit({1000, 1000}, kNoWait, &refusal).ok());
  EXPECT_FALSE(quota.Admit({1, 1}, kNoWait, &refusal).ok());
  quota.GiveBack({1000, 1000});
  EXPECT_TRUE(quota.Admit({1, 1}, kNoWait, &refusal).ok());
}

TEST(QuotaTest, OtherLimitsAndTheEndReachWhoWaits) {
  for (const bool close : {false, true}) {
    Quota quota("s");
    quota.Set({1, 0});
    Refusal refusal;
    ASSERT_TRUE(quota.Admit({1000, 0}, kNoWait, &refusal).ok());
    std::atomic<bool> begun{false};
    absl::Status status;
    std::thread waiter([&] {
      Refusal own;
      begun = true;
      status = quota.Admit({1, 0}, kHour, &own);
    });
    while (!begun) std::this_thread::yield();
    if (close) {
      quota.Close();
    } else {
      quota.Set({1'000'000, 0});
    }
    waiter.join();
    EXPECT_EQ(absl::IsFailedPrecondition(status), close) << status;
    EXPECT_EQ(status.ok(), !close) << status;
  }
}

}  // namespace
}  // namespace engram::ingest
