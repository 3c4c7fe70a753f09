// The power fails after an operation of a workload: after each, with
// ENGRAM_CRASH_POINTS=0, or after so many of them, with ENGRAM_CRASH_SEEDS
// kinds of damage to what was not synced. Nothing that was acknowledged may be
// missing, nothing that was not submitted may be there, and the database must
// work.
//
// ENGRAM_CRASH_WORKLOAD seeds the workload; ENGRAM_CRASH_AT and
// ENGRAM_CRASH_SEED repeat one power cut. The threads of the database take
// turns as the machine has them do, so the operation may be another one: the
// disk that a failed recovery found is kept for that reason.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/crash/crash_points.h"

namespace engram::testing {
namespace {

constexpr uint64_t kOperationsMin = 2000;

TEST(CrashPointTest, APowerCutAfterAnyOperationLosesNothingAcknowledged) {
  const uint64_t workload = FromEnvironment("ENGRAM_CRASH_WORKLOAD", 1);
  const uint64_t seeds = FromEnvironment("ENGRAM_CRASH_SEEDS", 4);
  const uint64_t points = FromEnvironment("ENGRAM_CRASH_POINTS", 125);
  const uint64_t only = FromEnvironment("ENGRAM_CRASH_AT", 0);
  const uint64_t only_seed = FromEnvironment("ENGRAM_CRASH_SEED", 0);
  const absl::StatusOr<Recording> past = RecordWorkload({}, workload);
  ASSERT_TRUE(past.ok()) << past.status();
  const uint64_t operations = past->journal.size();
  ASSERT_GE(operations, kOperationsMin);
  const uint64_t step =
      points == 0 ? 1 : std::max<uint64_t>(1, operations / points);

  DiskAt disk(&*past);
  uint64_t recoveries = 0;
  for (uint64_t at = workload % step; at <= operations; at += step) {
    if (only != 0 && at != only) continue;
    for (uint64_t i = 0; i < seeds; ++i) {
      const uint64_t seed = (workload * operations + at) * 8 + i;
      if (only_seed != 0 && seed != only_seed) continue;
      const std::string problems = CheckRecovery(
          disk.After(at).AfterCrash(seed), *past, at, seed, nullptr);
      ASSERT_EQ(problems, "") << "workload " << workload;
      ++recoveries;
    }
  }
  std::printf("%llu operations, %llu calls, %llu recoveries, 0 violations\n",
              static_cast<unsigned long long>(operations),
              static_cast<unsigned long long>(past->history->steps()),
              static_cast<unsigned long long>(recoveries));
}

}  // namespace
}  // namespace engram::testing
