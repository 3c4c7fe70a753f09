// The power fails, fails again while the database recovers or soon after, and
// once more: three levels deep. ENGRAM_CRASH_CHAINS sets how many times,
// ENGRAM_CRASH_WORKLOAD seeds the workload; see crash_point_test.cc.

#include <cstdint>
#include <cstdio>
#include <string>

#include "gtest/gtest.h"
#include "tests/crash/crash_points.h"

namespace engram::testing {
namespace {

constexpr int kLevels = 3;

// An operation of `recording` to cut the power after: every other time one of
// its recovery.
uint64_t NextCut(const Recording& recording, uint64_t seed) {
  const uint64_t end =
      seed % 2 == 0 ? recording.opened_at : recording.journal.size();
  return seed / 2 % (end + 1);
}

TEST(NestedCrashTest, ThreePowerCutsInARowLoseNothingAcknowledged) {
  const uint64_t workload = FromEnvironment("ENGRAM_CRASH_WORKLOAD", 1);
  const uint64_t chains = FromEnvironment("ENGRAM_CRASH_CHAINS", 60);
  const absl::StatusOr<Recording> past = RecordWorkload({}, workload);
  ASSERT_TRUE(past.ok()) << past.status();

  DiskAt disk(&*past);
  std::mt19937_64 random(workload);
  uint64_t recoveries = 0;
  for (uint64_t chain = 0; chain < chains; ++chain) {
    uint64_t at = past->journal.size() * chain / chains;
    uint64_t seed = random();
    io::SimState image = disk.After(at).AfterCrash(seed);
    Recording before;
    for (int level = 1; level <= kLevels; ++level) {
      Recording recovery;
      const std::string problems = CheckRecovery(
          image, level == 1 ? *past : before, at, seed, &recovery);
      ASSERT_EQ(problems, "") << "workload " << workload << ", chain " << chain
                              << ", level " << level;
      ++recoveries;
      at = NextCut(recovery, random());
      seed = random();
      before = std::move(recovery);
      image = DiskAt(&before).After(at).AfterCrash(seed);
    }
  }
  std::printf("%llu chains, %llu recoveries, 0 violations\n",
              static_cast<unsigned long long>(chains),
              static_cast<unsigned long long>(recoveries));
}

}  // namespace
}  // namespace engram::testing
