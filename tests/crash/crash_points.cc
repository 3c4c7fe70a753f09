#include "tests/crash/crash_points.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"
#include "tests/crash/sim_machine.h"

namespace engram::testing {
namespace {

constexpr int kStepsAfterRecovery = 4;

// Opens, checks, writes and closes; says what went wrong.
std::string RunOn(SimMachine* machine, const Recording& past,
                  uint64_t operations, uint64_t seed, Recording* next) {
  absl::StatusOr<std::unique_ptr<Db>> db = machine->Open(SimOptions());
  if (!db.ok()) return absl::StrCat("Open: ", db.status().ToString(), "\n");
  if (next != nullptr) next->opened_at = machine->disk().operations();
  absl::StatusOr<Contents> found = ReadContents(db->get());
  if (!found.ok()) return found.status().ToString();
  const std::string problems = past.history->Check(*found, operations);
  if (!problems.empty()) return problems;

  auto history = std::make_unique<History>(kWorkloadClients, *found);
  Workload workload(machine, history.get(), seed);
  const absl::Status written =
      workload.WriteSome(db->get(), kStepsAfterRecovery);
  if (!written.ok()) return absl::StrCat("write: ", written.ToString(), "\n");
  const uint64_t now = machine->disk().operations();
  found = ReadContents(db->get());
  if (!found.ok()) return found.status().ToString();
  const std::string after = history->Check(*found, now);
  if (!after.empty()) return absl::StrCat("after new writes: ", after);
  const absl::Status closed = (*db)->Close();
  if (!closed.ok()) return absl::StrCat("Close: ", closed.ToString(), "\n");
  if (next != nullptr) next->history = std::move(history);
  return "";
}

// Before there is a database, there is nothing to verify.
bool HoldsDatabase(const io::SimState& image) {
  return image.Find(absl::StrCat(kSimDatabasePath, "/ENGRAM")) != io::kSimNone;
}

}  // namespace

absl::StatusOr<Recording> RecordWorkload(const WorkloadSize& size,
                                         uint64_t seed) {
  Recording recording;
  recording.start = EmptyDisk();
  recording.history = std::make_unique<History>(kWorkloadClients);
  SimMachine machine(EmptyDisk(), seed);
  machine.disk().KeepJournal();
  {
    Workload workload(&machine, recording.history.get(), seed);
    ENGRAM_RETURN_IF_ERROR(workload.Run(size));
  }
  recording.journal = machine.disk().TakeJournal();
  return recording;
}

const io::SimState& DiskAt::After(uint64_t operations) {
  ENGRAM_CHECK(operations >= operations_ &&
               operations <= recording_.journal.size());
  for (; operations_ < operations; ++operations_) {
    state_.Apply(recording_.journal[operations_]);
  }
  return state_;
}

std::string CheckRecovery(const io::SimState& image, const Recording& past,
                          uint64_t operations, uint64_t seed, Recording* next) {
  std::string problems;
  SimMachine machine(image, seed);
  machine.disk().KeepJournal();
  const bool verifies_first = seed / 2 % 2 == 0 && HoldsDatabase(image);
  if (verifies_first) problems = VerifySimDisk(machine.disk());
  if (problems.empty()) {
    problems = RunOn(&machine, past, operations, seed, next);
  }
  if (problems.empty() && !verifies_first) {
    problems = VerifySimDisk(machine.disk());
  }
  if (next != nullptr) {
    next->start = image;
    next->journal = machine.disk().TakeJournal();
  }
  if (problems.empty()) return problems;
  const std::string folder = absl::StrCat(::testing::TempDir(), "engram_crash_",
                                          operations, "_", seed);
  const absl::Status saved =
      io::SimDisk(image).Export(kSimDatabasePath, folder);
  return absl::StrCat(problems, "after operation ", operations, ", seed ", seed,
                      "; the disk that was found is in ", folder,
                      saved.ok() ? "" : " (incomplete)", "\n");
}

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace engram::testing
