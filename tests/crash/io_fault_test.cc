// The N-th write or sync fails, once or from then on, for all N that the
// workload has with ENGRAM_FAULT_STEP=1, for each so manyth of them otherwise.

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/crash/crash_points.h"

namespace engram::testing {
namespace {

using Target = io::SimFault::Target;
using Effect = io::SimFault::Effect;

constexpr WorkloadSize kSize = {6, 5};
constexpr uint64_t kSeed = 3;
constexpr int kStepsAfterFault = 3;

struct Kind {
  const char* name;
  Target target;
  Effect effect;
  bool for_ever;
};

class IoFaultTest : public ::testing::TestWithParam<Kind> {};

// Runs the workload on a disk with the fault, and looks at what it left: as the
// next process finds it, or the next machine after a power cut. Returns whether
// the fault struck.
bool RunWithFault(const io::SimFault& fault, uint64_t seed) {
  Recording run;
  run.history = std::make_unique<History>(kWorkloadClients);
  SimMachine machine(EmptyDisk(), seed);
  io::SimPlan plan;
  plan.fault = fault;
  machine.disk().SetPlan(plan);
  bool acknowledged_after_failed_sync = false;
  absl::Status status;
  {
    Workload workload(&machine, run.history.get(), kSeed);
    workload.set_admission_timeout(absl::Milliseconds(20));
    workload.set_erase_timeout(absl::Seconds(1));
    status = workload.Run(kSize);
    if (!status.ok()) workload.TryOn(kStepsAfterFault);
    acknowledged_after_failed_sync = workload.acknowledged_after_failed_sync();
  }
  if (!machine.disk().fault_struck()) {
    EXPECT_TRUE(status.ok()) << status;  // it came to its end
    return false;
  }
  EXPECT_FALSE(acknowledged_after_failed_sync);
  const uint64_t operations = machine.disk().operations();
  const io::SimState image =
      seed % 2 == 0 ? machine.disk().state() : machine.disk().AfterCrash(seed);
  EXPECT_EQ(CheckRecovery(image, run, operations, seed, nullptr), "");
  return true;
}

TEST_P(IoFaultTest, NothingIsAcknowledgedOnAFailedDiskAndNothingIsLost) {
  const Kind& kind = GetParam();
  const uint64_t step = FromEnvironment("ENGRAM_FAULT_STEP", 40);
  uint64_t runs = 0;
  for (uint64_t nth = 1 + kSeed % step;; nth += step) {
    io::SimFault fault;
    fault.target = kind.target;
    fault.effect = kind.effect;
    fault.for_ever = kind.for_ever;
    fault.nth = nth;
    SCOPED_TRACE(absl::StrCat("failure ", nth));
    bool struck = false;
    for (uint64_t seed : {2 * nth, 2 * nth + 1}) {
      struck |= RunWithFault(fault, seed);
      if (HasFailure()) return;
      ++runs;
    }
    if (!struck) break;
  }
  std::printf("%s: %llu runs, 0 violations\n", kind.name,
              static_cast<unsigned long long>(runs));
  EXPECT_GT(runs, 4u);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, IoFaultTest,
    ::testing::Values(
        Kind{"SyncOnce", Target::kSyncs, Effect::kIoError, false},
        Kind{"SyncForEver", Target::kSyncs, Effect::kIoError, true},
        Kind{"WriteOnce", Target::kWrites, Effect::kIoError, false},
        Kind{"WriteForEver", Target::kWrites, Effect::kIoError, true},
        Kind{"NoSpaceOnce", Target::kWrites, Effect::kNoSpace, false},
        Kind{"NoSpaceForEver", Target::kWrites, Effect::kNoSpace, true},
        Kind{"ShortWriteOnce", Target::kWrites, Effect::kShortWrite, false},
        Kind{"ShortWriteForEver", Target::kWrites, Effect::kShortWrite, true},
        Kind{"NameOnce", Target::kNames, Effect::kIoError, false},
        Kind{"NameForEver", Target::kNames, Effect::kNoSpace, true}),
    [](const ::testing::TestParamInfo<Kind>& kind) {
      return std::string(kind.param.name);
    });

}  // namespace
}  // namespace engram::testing
