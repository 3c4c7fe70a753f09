// The power fails, or the disk does, while a backup is made. The database has
// taken no harm then, and what stands under the backup's name is one.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/crash/crash_points.h"
#include "tests/crash/sim_machine.h"
#include "tests/support/test_vectors.h"

namespace engram::testing {
namespace {

constexpr uint32_t kDimension = 4;
constexpr int kCheckpointed = 30;
constexpr int kWritten = 40;
constexpr char kBackupPath[] = "/backup";
constexpr char kUnfinishedPath[] = "/backup.unfinished";

absl::Status Observe(Space* space, int number) {
  return space
      ->Observe({absl::StrCat(number), TestVector(kDimension, number),
                 absl::StrCat("payload", number)})
      .status();
}

// A database with a checkpoint and a tail.
absl::StatusOr<std::unique_ptr<Db>> Prepare(SimMachine* machine) {
  absl::StatusOr<std::unique_ptr<Db>> db = machine->Open(SimOptions());
  if (!db.ok()) return db;
  SpaceOptions options;
  options.dimension = kDimension;
  Space space = (*db)->OpenSpace("notes", options).value();
  for (int i = 0; i < kWritten; ++i) {
    if (absl::Status status = Observe(&space, i); !status.ok()) return status;
    if (i + 1 != kCheckpointed) continue;
    absl::Status status = (*db)->Checkpoint();
    if (!status.ok()) return status;
  }
  return db;
}

// Why the database at `path` is not what was written; empty if it is. It must
// take another write.
std::string Check(SimMachine* machine, const std::string& path) {
  absl::StatusOr<std::unique_ptr<Db>> db = machine->Open(SimOptions(), path);
  if (!db.ok()) return absl::StrCat(path, ": ", db.status().ToString());
  absl::StatusOr<Space> space = (*db)->OpenSpace("notes", {});
  if (!space.ok()) return space.status().ToString();
  if (space->ListIds()->size() != size_t{kWritten}) {
    return absl::StrCat(path, ": has ", space->ListIds()->size(), " ids");
  }
  for (int i = 0; i < kWritten; ++i) {
    const auto stored = space->Get(absl::StrCat(i));
    if (!stored.ok()) return stored.status().ToString();
    if (stored->payload != absl::StrCat("payload", i)) return "other payload";
  }
  const absl::Status written = Observe(&*space, kWritten);
  if (!written.ok()) return written.ToString();
  const absl::Status closed = (*db)->Close();
  return closed.ok() ? "" : closed.ToString();
}

TEST(BackupCrashTest, APowerCutLeavesTheDatabaseAndAWholeBackupOrNone) {
  SimMachine machine(EmptyDisk(), 1);
  absl::StatusOr<std::unique_ptr<Db>> db = Prepare(&machine);
  ASSERT_TRUE(db.ok()) << db.status();
  const io::SimState before = machine.disk().state();
  machine.disk().KeepJournal();
  const absl::Status status = (*db)->Backup(kBackupPath);
  ASSERT_TRUE(status.ok()) << status;
  const std::vector<io::SimOperation> journal = machine.disk().TakeJournal();
  ASSERT_GT(journal.size(), 20u);
  ASSERT_TRUE((*db)->Close().ok());

  const uint64_t seeds = FromEnvironment("ENGRAM_CRASH_SEEDS", 4);
  io::SimState state = before;
  uint64_t whole = 0;
  for (size_t at = 0; at <= journal.size(); ++at) {
    for (uint64_t seed = at * 8; seed < at * 8 + seeds; ++seed) {
      SCOPED_TRACE(absl::StrCat("after operation ", at, " of ", journal.size(),
                                ", seed ", seed));
      SimMachine later(state.AfterCrash(seed), seed);
      ASSERT_EQ(Check(&later, kSimDatabasePath), "");
      const bool found = later.disk().Exists(kBackupPath);
      ASSERT_TRUE(found || at < journal.size()) << "it was acknowledged";
      if (!found) continue;
      ++whole;
      ASSERT_EQ(VerifySimDisk(later.disk(), kBackupPath), "");
      ASSERT_EQ(Check(&later, kBackupPath), "");
    }
    if (at < journal.size()) state.Apply(journal[at]);
  }
  EXPECT_GE(whole, seeds);
}

TEST(BackupCrashTest, TheNextBackupRemovesWhatThePowerCutLeft) {
  SimMachine machine(EmptyDisk(), 1);
  absl::StatusOr<std::unique_ptr<Db>> db = Prepare(&machine);
  ASSERT_TRUE(db.ok()) << db.status();
  const uint64_t before = machine.disk().operations();
  machine.disk().SetPlan({before + 25, {}});
  EXPECT_FALSE((*db)->Backup(kBackupPath).ok());
  SimMachine later(machine.disk().state(), 2);
  ASSERT_TRUE(later.disk().Exists(kUnfinishedPath));
  absl::StatusOr<std::unique_ptr<Db>> next = later.Open(SimOptions());
  ASSERT_TRUE(next.ok()) << next.status();
  const absl::Status status = (*next)->Backup(kBackupPath);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_FALSE(later.disk().Exists(kUnfinishedPath));
  EXPECT_EQ(Check(&later, kBackupPath), "");
}

// Each operation on the backup's files fails, one at a time. Those on the
// database's own, as when RocksDB gets to removing an old file, are not
// counted: they may be nobody's failure.
TEST(BackupCrashTest, AFailedOperationLeavesNothingAndDisturbsNobody) {
  using Target = io::SimFault::Target;
  for (const Target target :
       {Target::kWrites, Target::kSyncs, Target::kNames}) {
    bool struck = true;
    for (uint64_t nth = 1; struck; ++nth) {
      SCOPED_TRACE(
          absl::StrCat("target ", static_cast<int>(target), ", failure ", nth));
      SimMachine machine(EmptyDisk(), 1);
      absl::StatusOr<std::unique_ptr<Db>> db = Prepare(&machine);
      ASSERT_TRUE(db.ok()) << db.status();
      Space space = (*db)->OpenSpace("notes", {}).value();
      ASSERT_TRUE((*db)->Checkpoint().ok());
      io::SimPlan plan;
      plan.fault.target = target;
      plan.fault.effect = io::SimFault::Effect::kNoSpace;
      plan.fault.nth = nth;
      plan.fault.path_prefix = kBackupPath;
      machine.disk().SetPlan(plan);
      const absl::Status status = (*db)->Backup(kBackupPath);
      struck = machine.disk().fault_struck();
      machine.disk().SetPlan({});
      if (!struck) {
        ASSERT_TRUE(status.ok()) << status;
        EXPECT_GE(nth, 3u);
        break;
      }
      ASSERT_FALSE(status.ok());
      ASSERT_FALSE(machine.disk().Exists(kBackupPath)) << status;
      ASSERT_FALSE(machine.disk().Exists(kUnfinishedPath));
      ASSERT_TRUE(Observe(&space, kWritten - 1).ok());
      ASSERT_TRUE((*db)->Checkpoint().ok());
      ASSERT_TRUE((*db)->Backup(kBackupPath).ok());
      ASSERT_TRUE((*db)->Close().ok());
      ASSERT_EQ(Check(&machine, kSimDatabasePath), "");
      ASSERT_EQ(Check(&machine, kBackupPath), "");
    }
  }
}

}  // namespace
}  // namespace engram::testing
