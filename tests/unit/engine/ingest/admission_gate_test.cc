#include "engine/ingest/admission_gate.h"

#include <atomic>
#include <chrono>
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

AdmissionLimits Limits(uint64_t records, uint64_t bytes) {
  AdmissionLimits limits;
  limits.records_max = records;
  limits.bytes_max = bytes;
  return limits;
}

// Something that was admitted is logged and indexed.
void Index(AdmissionGate* gate, uint64_t records, uint64_t bytes) {
  gate->Publish(records);
  gate->Release(records, bytes);
}

TEST(AdmissionGateTest, AdmitsUpToTheLimitOfRecordsAndNoFurther) {
  AdmissionGate gate("s", Limits(3, 1000));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(gate.Admit({1, 1}, kNoWait).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(gate.Admit({1, 1}, kNoWait)));
  EXPECT_EQ(gate.records(), 3u) << "the refused one is not counted";
  EXPECT_EQ(gate.bytes(), 3u);
}

TEST(AdmissionGateTest, AdmitsUpToTheLimitOfBytesAndNoFurther) {
  AdmissionGate gate("s", Limits(1000, 100));
  EXPECT_TRUE(gate.Admit({1, 60}, kNoWait).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(gate.Admit({1, 41}, kNoWait)));
  EXPECT_TRUE(gate.Admit({1, 40}, kNoWait).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(gate.Admit({1, 1}, kNoWait)));
  EXPECT_EQ(gate.bytes(), 100u);
}

TEST(AdmissionGateTest, TheRefusalNamesTheSpaceBothCountsAndBothLimits) {
  AdmissionGate gate("space \"agent-7\"", Limits(2, 500));
  ASSERT_TRUE(gate.Admit({2, 321}, kNoWait).ok());
  const std::string message(gate.Admit({1, 1}, kNoWait).message());
  EXPECT_THAT(message, HasSubstr("space \"agent-7\""));
  EXPECT_THAT(message, HasSubstr("2 records (321 bytes) are waiting"));
  EXPECT_THAT(message, HasSubstr("allowed are 2 (500 bytes)"));
}

TEST(AdmissionGateTest, MoreThanTheLimitIsAdmittedWhenNothingElseIsPending) {
  AdmissionGate gate("s", Limits(2, 100));
  EXPECT_TRUE(gate.Admit({50, 5000}, kNoWait).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(gate.Admit({1, 1}, kNoWait)));
  Index(&gate, 50, 5000);
  EXPECT_TRUE(gate.Admit({1, 1}, kNoWait).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(gate.Admit({50, 1}, kNoWait)));
  EXPECT_TRUE(absl::IsResourceExhausted(gate.Admit({1, 5000}, kNoWait)));
}

TEST(AdmissionGateTest, ForceKnowsNoLimitButCounts) {
  AdmissionGate gate("s", Limits(2, 100));
  gate.Force(10, 1000);
  gate.Force(10, 1000);
  EXPECT_EQ(gate.records(), 20u);
  EXPECT_EQ(gate.bytes(), 2000u);
  EXPECT_TRUE(absl::IsResourceExhausted(gate.Admit({1, 1}, kNoWait)));
  Index(&gate, 19, 1950);
  EXPECT_TRUE(gate.Admit({1, 1}, kNoWait).ok());
}

TEST(AdmissionGateTest, ARefusalComesWhenTheTimeIsUpAndNotBefore) {
  AdmissionGate gate("s", Limits(1, 100));
  ASSERT_TRUE(gate.Admit({1, 1}, kNoWait).ok());
  constexpr int64_t kTimeout = 50'000;
  const int64_t begin = Clock::System().MonotonicMicros();
  EXPECT_TRUE(absl::IsResourceExhausted(gate.Admit({1, 1}, kTimeout)));
  EXPECT_GE(Clock::System().MonotonicMicros() - begin, kTimeout);
}

TEST(AdmissionGateTest, WhoWaitsIsAdmittedAsSoonAsThereIsRoom) {
  AdmissionGate gate("s", Limits(1, 100));
  ASSERT_TRUE(gate.Admit({1, 1}, kNoWait).ok());
  std::atomic<bool> admitted{false};
  std::thread waiter([&] {
    EXPECT_TRUE(gate.Admit({1, 2}, kLong).ok());
    admitted = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(admitted);
  Index(&gate, 1, 1);
  waiter.join();
  EXPECT_EQ(gate.records(), 1u);
  EXPECT_EQ(gate.bytes(), 2u);
}

TEST(AdmissionGateTest, OneReleaseWakesEveryoneForWhomThereIsRoom) {
  constexpr int kWaiters = 8;
  AdmissionGate gate("s", Limits(kWaiters, 1000));
  ASSERT_TRUE(gate.Admit({kWaiters, 8}, kNoWait).ok());
  std::vector<std::thread> waiters;
  for (int i = 0; i < kWaiters; ++i) {
    waiters.emplace_back([&] { EXPECT_TRUE(gate.Admit({1, 1}, kLong).ok()); });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const int64_t begin = Clock::System().MonotonicMicros();
  Index(&gate, kWaiters, 8);
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_LT(Clock::System().MonotonicMicros() - begin, kLong / 2)
      << "someone slept until the time was up";
  EXPECT_EQ(gate.records(), static_cast<uint64_t>(kWaiters));
}

// What is admitted by many threads never exceeds the limit, and all comes
// through.
TEST(AdmissionGateTest, ManyThreadsNeverExceedTheLimit) {
  AdmissionGate gate("s", Limits(5, 50));
  std::atomic<int> inside{0};
  std::atomic<int> exceeded{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        EXPECT_TRUE(gate.Admit({1, 10}, kLong).ok());
        if (++inside > 5) ++exceeded;
        --inside;
        Index(&gate, 1, 10);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(exceeded, 0);
  EXPECT_EQ(gate.records(), 0u);
  EXPECT_EQ(gate.bytes(), 0u);
}

TEST(AdmissionGateDeathTest, ReleasingMoreThanWasAdmittedIsABug) {
  AdmissionGate gate("s", Limits(5, 50));
  ASSERT_TRUE(gate.Admit({1, 10}, kNoWait).ok());
  EXPECT_DEATH(gate.Cancel(2, 10), "");
  EXPECT_DEATH(gate.Cancel(1, 11), "");
  EXPECT_DEATH(gate.Release(1, 10), "") << "it was not published";
  EXPECT_DEATH(gate.Publish(2), "");
  gate.Publish(1);
  EXPECT_DEATH(gate.Cancel(1, 10), "") << "it was published";
}

// --- Priorities

AdmissionLimits Shared(uint64_t records, uint64_t bytes) {
  AdmissionLimits limits = Limits(records, bytes);
  limits.percent = {50, 80, 100};
  return limits;
}

TEST(AdmissionGateTest, EachPriorityFillsItsShareAndNoMore) {
  AdmissionGate gate("s", Shared(10, 1000));
  const auto admits = [&gate](Priority priority) {
    return gate.Admit({1, 1, priority}, kNoWait).ok();
  };
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(admits(Priority::kLow));
  EXPECT_FALSE(admits(Priority::kLow));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(admits(Priority::kNormal));
  EXPECT_FALSE(admits(Priority::kNormal));
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(admits(Priority::kHigh));
  EXPECT_FALSE(admits(Priority::kHigh));
  Index(&gate, 3, 3);
  EXPECT_FALSE(admits(Priority::kLow));
  EXPECT_TRUE(admits(Priority::kNormal));
}

TEST(AdmissionGateTest, BytesAreSharedLikeRecords) {
  AdmissionGate gate("s", Shared(1000, 100));
  EXPECT_TRUE(gate.Admit({1, 50, Priority::kLow}, kNoWait).ok());
  EXPECT_FALSE(gate.Admit({1, 1, Priority::kLow}, kNoWait).ok());
  EXPECT_TRUE(gate.Admit({1, 30, Priority::kNormal}, kNoWait).ok());
  EXPECT_FALSE(gate.Admit({1, 1, Priority::kNormal}, kNoWait).ok());
  EXPECT_TRUE(gate.Admit({1, 20, Priority::kHigh}, kNoWait).ok());
}

TEST(AdmissionGateTest, TheSmallestLimitAndTheLargestHaveShares) {
  AdmissionGate small("s", Shared(1, 1));
  EXPECT_TRUE(small.Admit({1, 1, Priority::kLow}, kNoWait).ok());
  AdmissionGate large("s", Shared(UINT64_MAX, UINT64_MAX));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(large.Admit({1, 1, Priority::kLow}, kNoWait).ok());
  }
}

TEST(AdmissionGateTest, WhoeverWaitsIsAdmittedWhenHisShareIsFree) {
  AdmissionGate gate("s", Shared(10, 1000));
  ASSERT_TRUE(gate.Admit({8, 8, Priority::kNormal}, kNoWait).ok());
  std::atomic<bool> admitted{false};
  std::thread waiter([&] {
    EXPECT_TRUE(gate.Admit({1, 1, Priority::kLow}, kLong).ok());
    admitted = true;
  });
  Index(&gate, 3, 3);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(admitted) << "5 of 10 is what low priority may fill";
  Index(&gate, 1, 1);
  waiter.join();
  EXPECT_EQ(gate.records(), 5u);
}

// --- What a refusal says, and what is counted

TEST(AdmissionGateTest, ARefusalSaysWhatWasTooMuchAndIsCountedThere) {
  AdmissionGate gate("s", Limits(10, 100));
  ASSERT_TRUE(gate.Admit({5, 95}, kNoWait).ok());
  Refusal refusal;
  EXPECT_FALSE(gate.Admit({1, 10}, kNoWait, &refusal).ok());
  EXPECT_TRUE(refusal.of_bytes);
  EXPECT_FALSE(refusal.retry_after_micros.has_value()) << "nothing drained";
  EXPECT_FALSE(gate.Admit({6, 1}, kNoWait, &refusal).ok());
  EXPECT_FALSE(refusal.of_bytes);
  EXPECT_FALSE(gate.Admit({6, 1}, kNoWait, &refusal).ok());
  const AdmissionStats stats = gate.GetStats();
  EXPECT_EQ(stats.refused_of_bytes, 1u);
  EXPECT_EQ(stats.refused_of_records, 2u);
  EXPECT_DOUBLE_EQ(stats.pressure, .95) << "the larger share";
}

TEST(AdmissionGateTest, RetryAfterFollowsFromHowFastItDrains) {
  AdmissionGate gate("s", Limits(100, 1'000'000));
  ASSERT_TRUE(gate.Admit({100, 100}, kNoWait).ok());
  gate.Publish(100);
  const int64_t begin = Clock::System().MonotonicMicros();
  constexpr int kReleases = 15;
  for (int i = 0; i < kReleases; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    gate.Release(1, 1);
  }
  const double micros_each =
      static_cast<double>(Clock::System().MonotonicMicros() - begin) /
      kReleases;
  Refusal refusal;
  EXPECT_FALSE(gate.Admit({25, 1}, kNoWait, &refusal).ok());
  ASSERT_TRUE(refusal.retry_after_micros.has_value());
  const auto retry_after = static_cast<double>(*refusal.retry_after_micros);
  EXPECT_GT(retry_after, 10 * micros_each / 2);
  EXPECT_LT(retry_after, 10 * micros_each * 2);
}

TEST(AdmissionGateTest, WhatIsCancelledWasNotDrained) {
  AdmissionGate gate("s", Limits(10, 100));
  ASSERT_TRUE(gate.Admit({10, 10}, kNoWait).ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(110));
  gate.Cancel(5, 5);
  Refusal refusal;
  EXPECT_FALSE(gate.Admit({9, 9}, kNoWait, &refusal).ok());
  EXPECT_FALSE(refusal.retry_after_micros.has_value());
  EXPECT_TRUE(gate.Admit({5, 5}, kNoWait).ok());
}

}  // namespace
}  // namespace engram::ingest
