// The power fails while a damaged log is salvaged: what was lost stays told,
// and what was kept stays kept.

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/crash/crash_points.h"
#include "tests/crash/sim_machine.h"
#include "tests/support/test_vectors.h"

namespace engram::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kDimension = 4;
constexpr int kRecords = 30;
constexpr uint64_t kSeeds = 3;
constexpr char kLostText[] = "lost LSN 19 to 19: ";

Options Salvaging() {
  Options options = SimOptions();
  options.salvage_damaged_log = true;
  return options;
}

absl::StatusOr<Space> OpenNotes(Db* db) {
  SpaceOptions options;
  options.dimension = kDimension;
  return db->OpenSpace("notes", options);
}

// Changes a bit of the place in the log where `text` stands.
bool Damage(const std::string& text, io::SimState* disk) {
  const io::SimNode folder = disk->Find(absl::StrCat(kSimDatabasePath, "/wal"));
  for (const std::string& name : disk->List(folder)) {
    const io::SimNode file =
        disk->Find(absl::StrCat(kSimDatabasePath, "/wal/", name));
    const std::string& bytes = disk->Bytes(file);
    const size_t at = bytes.find(text);
    if (at == std::string::npos) continue;
    io::SimOperation write;
    write.kind = io::SimOperation::Kind::kWrite;
    write.node = file;
    write.offset = at;
    write.bytes =
        std::make_shared<std::string>(1, static_cast<char>(bytes[at] ^ 0x20));
    disk->Apply(write);
    io::SimOperation sync;
    sync.kind = io::SimOperation::Kind::kSync;
    sync.node = file;
    disk->Apply(sync);
    return true;
  }
  return false;
}

// A database with one damaged write.
io::SimState DamagedDisk(uint64_t seed) {
  SimMachine machine(EmptyDisk(), seed);
  auto db = machine.Open(SimOptions());
  EXPECT_TRUE(db.ok()) << db.status();
  auto notes = OpenNotes(db->get());
  EXPECT_TRUE(notes.ok()) << notes.status();
  for (int i = 0; i < kRecords; ++i) {
    const std::string id = absl::StrCat("id", i, ".");
    const std::string payload = absl::StrCat("of ", id);
    EXPECT_TRUE(notes->Observe({id, TestVector(kDimension, 1), payload}).ok());
  }
  // The idle marker vouches for the last one.
  absl::SleepFor(absl::Milliseconds(50));
  machine.disk().Stop();
  io::SimState disk = machine.disk().AfterCrash(seed);
  EXPECT_TRUE(Damage("of id17.", &disk));
  return disk;
}

std::string LostFile(const io::SimState& disk) {
  const io::SimNode file = disk.Find(absl::StrCat(kSimDatabasePath, "/LOST"));
  return file == io::kSimNone ? "" : disk.Bytes(file);
}

void ExpectSalvaged(Db* db) {
  auto notes = OpenNotes(db);
  ASSERT_TRUE(notes.ok()) << notes.status();
  EXPECT_EQ(notes->ListIds()->size(), size_t{kRecords - 1});
  EXPECT_TRUE(absl::IsNotFound(notes->Get("id17.").status()));
  EXPECT_TRUE(notes->Observe({"new", TestVector(kDimension, 1), ""}).ok());
  EXPECT_TRUE(db->Close().ok());
}

// Salvages `damaged` until the power fails after `stop_after` operations, and
// looks at what the next machine finds. Whether the power failed before the
// database was open.
bool SalvageInTwoAttempts(const io::SimState& damaged, uint64_t stop_after,
                          uint64_t seed) {
  SimMachine first(damaged, seed);
  io::SimPlan plan;
  plan.stop_after = stop_after;
  first.disk().SetPlan(plan);
  const bool cut = !first.Open(Salvaging()).ok();
  const io::SimState left = first.disk().AfterCrash(seed);
  SimMachine second(left, seed);
  auto db = second.Open(SimOptions());
  if (db.ok()) {
    EXPECT_THAT(LostFile(left), HasSubstr(kLostText)) << "nobody was told";
  } else {
    EXPECT_TRUE(absl::IsDataLoss(db.status())) << db.status();
    db = second.Open(Salvaging());
    if (!db.ok()) {
      ADD_FAILURE() << db.status();
      return cut;
    }
    EXPECT_THAT(LostFile(second.disk().state()), HasSubstr(kLostText));
  }
  ExpectSalvaged(db->get());
  return cut;
}

TEST(SalvageCrashTest, APowerCutDuringSalvageLosesNeitherRecordsNorTheReport) {
  const uint64_t seeds = FromEnvironment("ENGRAM_CRASH_SEEDS", kSeeds);
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    const io::SimState damaged = DamagedDisk(seed);
    uint64_t cuts = 0;
    while (SalvageInTwoAttempts(damaged, cuts, seed)) {
      if (HasFailure()) break;
      ++cuts;
    }
    ASSERT_FALSE(HasFailure()) << "seed " << seed << ", operation " << cuts;
    EXPECT_GT(cuts, 20u);
  }
}

}  // namespace
}  // namespace engram::testing
