#include "engine/db/memory_gate.h"

#include <cstdint>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace engram::internal {
namespace {

constexpr uint64_t kBudget = uint64_t{16} << 20;
constexpr uint64_t kBetweenChecks = kBudget / 16;
constexpr int64_t kLong = 60'000'000;

TEST(MemoryGateTest, WithoutABudgetAllPasses) {
  MemoryGate gate(0);
  EXPECT_FALSE(gate.is_limited());
}

TEST(MemoryGateTest, OnlySoMuchPassesBetweenTwoChecks) {
  MemoryGate gate(kBudget);
  gate.EndCheck(0, kBudget);
  EXPECT_TRUE(gate.is_limited());
  gate.Count(kBetweenChecks);
  EXPECT_TRUE(gate.Wait(0).ok());
  gate.Count(1);
  const absl::Status refused = gate.Wait(0);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  gate.EndCheck(gate.BeginCheck(), kBudget);
  EXPECT_TRUE(gate.Wait(0).ok());
}

TEST(MemoryGateTest, AQuarterOfWhatIsFreePasses) {
  MemoryGate gate(kBudget);
  gate.Count(kBudget / 4);
  EXPECT_TRUE(gate.Wait(0).ok());
  gate.EndCheck(gate.BeginCheck(), kBudget / 2);
  gate.Count(kBudget / 8);
  EXPECT_TRUE(gate.Wait(0).ok());
  gate.Count(1);
  EXPECT_FALSE(gate.Wait(0).ok());
}

TEST(MemoryGateTest, WhatIsCountedDuringACheckCountsForTheNext) {
  MemoryGate gate(kBudget);
  gate.EndCheck(0, kBudget);
  gate.Count(kBetweenChecks);
  const uint64_t begun = gate.BeginCheck();
  gate.Count(kBetweenChecks + 1);
  gate.EndCheck(begun, kBudget);
  EXPECT_FALSE(gate.Wait(0).ok());
}

TEST(MemoryGateTest, ACheckIsAskedForOnceAndBeforeAnybodyWaits) {
  MemoryGate gate(kBudget);
  gate.EndCheck(0, kBudget);
  int asked = 0;
  for (int i = 0; i < 64; ++i) {
    asked += gate.Count(kBetweenChecks / 64) ? 1 : 0;
    if (i == 15) {
      EXPECT_EQ(asked, 1);
    }
  }
  EXPECT_EQ(asked, 4);
  EXPECT_TRUE(gate.Wait(0).ok());
}

TEST(MemoryGateTest, WhoWaitsPassesWhenACheckEnds) {
  MemoryGate gate(kBudget);
  gate.EndCheck(0, kBudget);
  gate.Count(2 * kBetweenChecks);
  std::thread checker([&gate] {
    absl::SleepFor(absl::Milliseconds(20));
    gate.EndCheck(gate.BeginCheck(), kBudget);
  });
  EXPECT_TRUE(gate.Wait(kLong).ok());
  checker.join();
}

TEST(MemoryGateTest, ClosingEndsTheWait) {
  MemoryGate gate(kBudget);
  gate.EndCheck(0, kBudget);
  gate.Count(2 * kBetweenChecks);
  std::thread closer([&gate] {
    absl::SleepFor(absl::Milliseconds(20));
    gate.Close();
  });
  EXPECT_TRUE(absl::IsFailedPrecondition(gate.Wait(kLong)));
  closer.join();
}

// A check that sees more than a waiting thread did must not turn it away.
TEST(MemoryGateTest, ALateWriterIsNotAheadOfTheCheck) {
  MemoryGate gate(kBudget);
  gate.EndCheck(0, kBudget);
  gate.EndCheck(5 * kBetweenChecks, kBudget);
  EXPECT_FALSE(gate.Count(1));
  EXPECT_TRUE(gate.Wait(0).ok());
}

}  // namespace
}  // namespace engram::internal
