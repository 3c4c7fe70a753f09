// A database whose log is damaged: refused, unless salvage is asked for.

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/child_process.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::RunInChild;
using testing::TestVector;

constexpr uint32_t kDimension = 8;
constexpr int kRecords = 40;

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class SalvageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::kChildrenMayStartThreads) GTEST_SKIP() << "forks threads";
  }

  static Options SmallLog() {
    Options options;
    options.wal_segment_bytes = 256 << 10;
    options.wal_limit_bytes = 4 << 20;
    options.workers = 1;
    return options;
  }
  static Options Salvaging() {
    Options options = SmallLog();
    options.salvage_damaged_log = true;
    return options;
  }

  absl::StatusOr<std::unique_ptr<Db>> Open(const Options& options) const {
    return Db::Open(path(), options);
  }

  static Space OpenSpace(Db* db, const std::string& name) {
    SpaceOptions options;
    options.dimension = kDimension;
    return db->OpenSpace(name, options).value();
  }

  static bool Observe(Space* space, const std::string& id) {
    return space->Observe({id, TestVector(kDimension, 1), "of " + id}).ok();
  }

  // Runs `work` on the database in a process that ends without closing it, but
  // not before the idle marker vouches for all of it.
  void RunAndEnd(const std::function<bool(Db*)>& work) {
    ASSERT_EQ(RunInChild([&] {
                Db* const db = Open(SmallLog()).value().release();
                if (!work(db)) return 1;
                ::usleep(100'000);
                return 0;
              }),
              0);
  }

  // "notes" with id0, id1, ... each in a group of its own.
  void WriteNotes() {
    RunAndEnd([](Db* db) {
      Space space = OpenSpace(db, "notes");
      for (int i = 0; i < kRecords; ++i) {
        if (!Observe(&space, absl::StrCat("id", i, "."))) return false;
      }
      return true;
    });
  }

  // Changes a bit of the place in the log where `text` stands.
  void Damage(const std::string& text) {
    for (const auto& entry :
         std::filesystem::directory_iterator(path() + "/wal")) {
      if (entry.path().extension() != ".log") continue;
      std::string bytes = Contents(entry.path());
      const size_t at = bytes.find(text);
      if (at == std::string::npos) continue;
      bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
      std::ofstream(entry.path(), std::ios::binary) << bytes;
      return;
    }
    FAIL() << "nowhere in the log: " << text;
  }

  static size_t CountIds(Db* db, const std::string& name) {
    return OpenSpace(db, name).ListIds()->size();
  }

  std::string path() const { return directory_.PathOf("db"); }

  testing::TemporaryDirectory directory_;
};

TEST_F(SalvageTest, KeepsAllButTheDamagedGroupAndSaysWhatIsLost) {
  WriteNotes();
  Damage("of id17.");
  const absl::Status refused = Open(SmallLog()).status();
  ASSERT_TRUE(absl::IsDataLoss(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("(of space \"notes\")"));
  std::string lost_file;
  {
    auto db = Open(Salvaging());
    ASSERT_TRUE(db.ok()) << db.status();
    const SalvageReport& report = (*db)->salvage_report();
    ASSERT_EQ(report.losses.size(), 1u);
    const LogDamage& loss = report.losses[0];
    EXPECT_EQ(loss.first_lsn, 19u);  // the first one created the space
    EXPECT_EQ(loss.last_lsn, 19u);
    EXPECT_FALSE(loss.open_ended);
    EXPECT_THAT(loss.path, HasSubstr(".log"));
    ASSERT_EQ(loss.writes.size(), 1u);
    EXPECT_EQ(loss.writes[0].lsn, 19u);
    EXPECT_EQ(loss.writes[0].kind, LostWrite::Kind::kObserve);
    EXPECT_EQ(loss.writes[0].space, "notes");
    EXPECT_EQ(loss.writes[0].id, "id17.");
    EXPECT_FALSE(loss.writes[0].certain);
    EXPECT_EQ(report.recorded_in, path() + "/LOST");
    lost_file = Contents(report.recorded_in);
    EXPECT_THAT(lost_file, HasSubstr("lost LSN 19 to 19: "));
    EXPECT_THAT(lost_file,
                HasSubstr("probably LSN 19: observe, space 1 \"notes\", id "
                          "\"id17.\""));
    EXPECT_EQ(CountIds(db->get(), "notes"), size_t{kRecords - 1});
    Space space = OpenSpace(db->get(), "notes");
    EXPECT_TRUE(absl::IsNotFound(space.Get("id17.").status()));
    EXPECT_EQ(space.Get("id18.")->payload, "of id18.");
    // It is as good as any.
    EXPECT_TRUE(Observe(&space, "new"));
    EXPECT_GT(*space.Observe({"newer", TestVector(kDimension, 1), ""}),
              Lsn{kRecords + 1});
  }
  auto db = Open(SmallLog());
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_TRUE((*db)->salvage_report().losses.empty());
  EXPECT_EQ(CountIds(db->get(), "notes"), size_t{kRecords + 1});
  EXPECT_EQ(Contents(path() + "/LOST"), lost_file);
}

// What was kept is saved before Open() returns, also from a kill.
TEST_F(SalvageTest, IsDoneWhenOpenReturns) {
  WriteNotes();
  Damage("of id3.");
  ASSERT_EQ(RunInChild([&] {
              Db* const db = Open(Salvaging()).value().release();
              return db->salvage_report().losses.size() == 1 ? 0 : 1;
            }),
            0);
  auto db = Open(SmallLog());
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_EQ(CountIds(db->get(), "notes"), size_t{kRecords - 1});
}

TEST_F(SalvageTest, HasNoEffectOnAnIntactLog) {
  WriteNotes();
  auto db = Open(Salvaging());
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_TRUE((*db)->salvage_report().losses.empty());
  EXPECT_THAT((*db)->salvage_report().recorded_in, IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(path() + "/LOST"));
  EXPECT_EQ(CountIds(db->get(), "notes"), size_t{kRecords});
}

TEST_F(SalvageTest, ReadOnlyShowsWhatIsLeftAndWritesNothing) {
  WriteNotes();
  Damage("of id17.");
  Options options = Salvaging();
  options.read_only = true;
  for (int round = 0; round < 2; ++round) {
    auto db = Open(options);
    ASSERT_TRUE(db.ok()) << db.status();
    EXPECT_EQ((*db)->salvage_report().losses.size(), 1u);
    EXPECT_THAT((*db)->salvage_report().recorded_in, IsEmpty());
    EXPECT_EQ((*db)->OpenSpace("notes", {})->ListIds()->size(),
              size_t{kRecords - 1});
  }
  EXPECT_FALSE(std::filesystem::exists(path() + "/LOST"));
  EXPECT_TRUE(absl::IsDataLoss(Open(SmallLog()).status()));
}

// A batch is in one group: all of it goes, and each write of it is named.
TEST_F(SalvageTest, ADamagedBatchIsLostAsAWhole) {
  RunAndEnd([](Db* db) {
    Space a = OpenSpace(db, "a");
    Space b = OpenSpace(db, "b");
    const auto vector = TestVector(kDimension, 1);
    WriteBatch batch;
    batch.Observe(a, {"a1", vector, "the first"});
    batch.Observe(b, {"b1", vector, "the second"});
    batch.Remove(a, "a0");
    return Observe(&a, "a0") && db->Write(batch).ok() && Observe(&b, "b2");
  });
  Damage("the second");
  auto db = Open(Salvaging());
  ASSERT_TRUE(db.ok()) << db.status();
  ASSERT_EQ((*db)->salvage_report().losses.size(), 1u);
  const std::vector<LostWrite>& writes =
      (*db)->salvage_report().losses[0].writes;
  ASSERT_EQ(writes.size(), 3u);
  EXPECT_EQ(writes[0].id, "a1");
  EXPECT_TRUE(writes[0].certain);
  EXPECT_EQ(writes[1].space, "b");
  EXPECT_FALSE(writes[1].certain);
  EXPECT_EQ(writes[2].kind, LostWrite::Kind::kRemove);
  EXPECT_TRUE(writes[2].certain);
  EXPECT_THAT(*OpenSpace(db->get(), "a").ListIds(), ElementsAre("a0"));
  EXPECT_THAT(*OpenSpace(db->get(), "b").ListIds(), ElementsAre("b2"));
}

// --- Spaces ------------------------------------------------------------------

TEST_F(SalvageTest, WithTheCreationOfASpaceGoesTheSpace) {
  RunAndEnd([](Db* db) {
    Space kept = OpenSpace(db, "kept");
    Space gone = OpenSpace(db, "the-lost-one");
    return Observe(&gone, "g1") && Observe(&kept, "k1") && Observe(&gone, "g2");
  });
  Damage("the-lost-one");
  auto db = Open(Salvaging());
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_THAT(*(*db)->ListSpaces(), ElementsAre("kept"));
  EXPECT_THAT(*OpenSpace(db->get(), "kept").ListIds(), ElementsAre("k1"));
  std::vector<std::string> lost;
  for (const LogDamage& loss : (*db)->salvage_report().losses) {
    for (const LostWrite& write : loss.writes) {
      EXPECT_EQ(write.space_id, 2u);
      if (!write.id.empty()) lost.push_back(write.id);
    }
  }
  std::sort(lost.begin(), lost.end());
  EXPECT_THAT(lost, ElementsAre("g1", "g2"));
  // Its number is not given again.
  EXPECT_EQ(OpenSpace(db->get(), "next").GetStats()->id, 3u);
  ASSERT_TRUE((*db)->Close().ok());
  db = Open(SmallLog());
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_THAT(*(*db)->ListSpaces(), ElementsAre("kept", "next"));
}

TEST_F(SalvageTest, ALostDropIsSeenWhereItsNameIsTakenAgain) {
  RunAndEnd([this](Db* db) {
    Space old_space = OpenSpace(db, "notes");
    Space other = OpenSpace(db, "other");
    if (!Observe(&old_space, "old")) return false;
    // A checkpoint would follow, and save it.
    std::filesystem::rename(path() + "/kv", path() + "/away");
    if (!db->DropSpace("notes").ok()) return false;
    Space space = OpenSpace(db, "notes");
    return Observe(&other, "x") && Observe(&space, "new");
  });
  // A checkpoint that began meanwhile may have made a folder in its place.
  std::filesystem::remove_all(path() + "/kv");
  std::filesystem::rename(path() + "/away", path() + "/kv");
  // The group behind the one with "of old" is that of the drop.
  for (const auto& entry :
       std::filesystem::directory_iterator(path() + "/wal")) {
    if (entry.path().extension() != ".log") continue;
    std::string bytes = Contents(entry.path());
    size_t at = bytes.find("of old");
    if (at == std::string::npos) continue;
    at = at / 4096 * 4096 + 4096;
    // An idle marker may stand between them; its type is 5, a drop's 4.
    while (bytes[at + 64 + 16] != 4) at += 4096;
    bytes[at + 100] = static_cast<char>(bytes[at + 100] ^ 1);
    std::ofstream(entry.path(), std::ios::binary) << bytes;
  }
  ASSERT_TRUE(absl::IsDataLoss(Open(SmallLog()).status()));
  auto db = Open(Salvaging());
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_EQ((*db)->salvage_report().losses.size(), 1u);
  EXPECT_EQ((*db)->salvage_report().notes.size(), 1u);
  EXPECT_THAT(*OpenSpace(db->get(), "notes").ListIds(), ElementsAre("new"));
  ASSERT_TRUE((*db)->Close().ok());
  db = Open(SmallLog());
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_THAT(*OpenSpace(db->get(), "notes").ListIds(), ElementsAre("new"));
}

// --- The whole log -----------------------------------------------------------

TEST_F(SalvageTest, AMissingLogLeavesWhatIsCheckpointed) {
  RunAndEnd([](Db* db) {
    Space space = OpenSpace(db, "notes");
    return Observe(&space, "saved") &&
           db->Wait(2, Stage::kIndexed, absl::Seconds(60)).ok() &&
           db->Checkpoint().ok() && Observe(&space, "lost");
  });
  std::filesystem::remove_all(path() + "/wal");
  ASSERT_TRUE(absl::IsDataLoss(Open(SmallLog()).status()));
  auto db = Open(Salvaging());
  ASSERT_TRUE(db.ok()) << db.status();
  ASSERT_EQ((*db)->salvage_report().losses.size(), 1u);
  EXPECT_TRUE((*db)->salvage_report().losses[0].open_ended);
  EXPECT_THAT(*OpenSpace(db->get(), "notes").ListIds(), ElementsAre("saved"));
  Space space = OpenSpace(db->get(), "notes");
  EXPECT_TRUE(Observe(&space, "after"));
  ASSERT_TRUE((*db)->Close().ok());
  db = Open(SmallLog());
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_EQ(CountIds(db->get(), "notes"), 2u);
}

TEST_F(SalvageTest, DamageInCheckpointsIsRefusedAllTheSame) {
  RunAndEnd([](Db* db) {
    Space space = OpenSpace(db, "notes");
    return Observe(&space, "saved") && db->Checkpoint().ok();
  });
  std::filesystem::remove_all(path() + "/kv");
  const absl::Status status = Open(Salvaging()).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

}  // namespace
}  // namespace engram
