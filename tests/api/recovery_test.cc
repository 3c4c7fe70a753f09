// What is left after a process ended without Close(), or the disk took harm.

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
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

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::RunInChild;
using testing::TestVector;

constexpr uint32_t kDimension = 8;
constexpr uint64_t kSegment = 256 << 10;

Options SmallLog() {
  Options options;
  options.wal_segment_bytes = kSegment;
  options.wal_limit_bytes = 16 * kSegment;
  options.workers = 1;
  return options;
}

class RecoveryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::kChildrenMayStartThreads) GTEST_SKIP() << "forks threads";
  }

  absl::StatusOr<std::unique_ptr<Db>> Open(
      const Options& options = SmallLog()) const {
    return Db::Open(path(), options);
  }

  // For a child: a database that nothing ever closes.
  Db* OpenForEver(const Options& options = SmallLog()) const {
    return Open(options).value().release();
  }

  // The space, which is made if there is none.
  static Space OpenSpace(Db* db, const std::string& name) {
    SpaceOptions options;
    options.dimension = kDimension;
    auto space = db->OpenSpace(name, options);
    EXPECT_TRUE(space.ok()) << space.status();
    return space.value_or(Space());
  }

  static bool Observe(Space* space, int number) {
    return space
        ->Observe({absl::StrCat("id", number), TestVector(kDimension, number),
                   absl::StrCat("payload", number)})
        .ok();
  }

  static void ExpectHolds(Space* space, int number) {
    const auto stored = space->Get(absl::StrCat("id", number));
    ASSERT_TRUE(stored.ok()) << stored.status();
    EXPECT_EQ(stored->payload, absl::StrCat("payload", number));
    EXPECT_EQ(stored->vector, TestVector(kDimension, number));
  }

  // The only segment of the log that holds anything, or the first one.
  std::string FirstSegment() const {
    std::string first;
    for (const auto& entry :
         std::filesystem::directory_iterator(path() + "/wal")) {
      const std::string name = entry.path().string();
      if (entry.path().extension() != ".log") continue;
      if (first.empty() || name < first) first = name;
    }
    return first;
  }

  std::string path() const { return directory_.PathOf("db"); }

  testing::TemporaryDirectory directory_;
};

// --- Without Close() ---------------------------------------------------------

TEST_F(RecoveryTest, AProcessThatEndsWithoutCloseLosesNothing) {
  for (int round = 0; round < 3; ++round) {
    ASSERT_EQ(RunInChild([&] {
                Db* const db = OpenForEver();
                Space space = OpenSpace(db, "notes");
                for (int i = 0; i < 100; ++i) {
                  if (!Observe(&space, 100 * round + i)) return 1;
                }
                return 0;
              }),
              0);
  }
  auto db = Open();
  ASSERT_TRUE(db.ok()) << db.status();
  // Not all 300: a long log is checkpointed in the background.
  EXPECT_GT((*db)->GetStats()->replayed_records, 0u);
  Space space = OpenSpace(db->get(), "notes");
  EXPECT_EQ(space.ListIds()->size(), 300u);
  for (int i = 0; i < 300; ++i) ExpectHolds(&space, i);
}

TEST_F(RecoveryTest, LsnsGoOnWhereTheyStopped) {
  Lsn last = 0;
  for (int round = 0; round < 4; ++round) {
    const int lsn = RunInChild([&] {
      Db* const db = OpenForEver();
      Space space = OpenSpace(db, "notes");
      const auto written =
          space.Observe({absl::StrCat(round), TestVector(kDimension, 1), ""});
      return static_cast<int>(written.value_or(0));
    });
    EXPECT_GT(static_cast<Lsn>(lsn), last);
    last = static_cast<Lsn>(lsn);
  }
}

// A script of creations, drops, upserts and removals, with checkpoints at
// every place in it, and the process ended at its end.
class ReplayOrderTest : public RecoveryTest {
 protected:
  enum class Kind { kMake, kDrop, kObserve, kRemove };
  struct Step {
    Kind kind;
    std::string space;
    int number = 0;  // of the id
  };
  using Contents = std::map<std::string, std::vector<std::string>>;

  static std::vector<Step> Script() {
    return {{Kind::kMake, "a"},       {Kind::kObserve, "a", 1},
            {Kind::kObserve, "a", 2}, {Kind::kMake, "b"},
            {Kind::kObserve, "b", 3}, {Kind::kRemove, "a", 1},
            {Kind::kObserve, "a", 2}, {Kind::kDrop, "b"},
            {Kind::kMake, "b"},       {Kind::kObserve, "b", 4},
            {Kind::kDrop, "a"},       {Kind::kMake, "a"},
            {Kind::kObserve, "a", 5}, {Kind::kObserve, "a", 1},
            {Kind::kRemove, "b", 4},  {Kind::kDrop, "b"},
            {Kind::kMake, "c"},       {Kind::kMake, "b"}};
  }

  static Contents Expected() {
    return {{"a", {"id1", "id5"}}, {"b", {}}, {"c", {}}};
  }

  static bool Run(Db* db, const Step& step) {
    if (step.kind == Kind::kDrop) return db->DropSpace(step.space).ok();
    Space space = OpenSpace(db, step.space);
    switch (step.kind) {
      case Kind::kObserve:
        return Observe(&space, step.number);
      case Kind::kRemove:
        return space.Remove(absl::StrCat("id", step.number)).ok();
      default:
        return true;
    }
  }

  // Runs the script in children: one ends after the step `first`, the other
  // after the last one; each has checkpointed after the steps named.
  void RunAndExpect(size_t first, size_t second, bool end_between) {
    SCOPED_TRACE(absl::StrCat("checkpoints after ", first, " and ", second,
                              end_between ? ", ended between" : ""));
    std::filesystem::remove_all(path());
    const std::vector<Step> script = Script();
    const auto run = [&](size_t from, size_t to) {
      return RunInChild([&, from, to] {
        Db* const db = OpenForEver();
        for (size_t i = from; i < to; ++i) {
          if (!Run(db, script[i])) return 1;
          if (i != first && i != second) continue;
          if (!db->Checkpoint().ok()) return 2;
        }
        return 0;
      });
    };
    const size_t middle = end_between ? (first + second) / 2 + 1 : 0;
    ASSERT_EQ(run(0, middle), 0);
    ASSERT_EQ(run(middle, script.size()), 0);
    auto db = Open();
    ASSERT_TRUE(db.ok()) << db.status();
    Contents contents;
    const auto names = (*db)->ListSpaces();
    for (const std::string& name : *names) {
      Space space = OpenSpace(db->get(), name);
      contents[name] = *space.ListIds();
      EXPECT_EQ(space.Search(TestVector(kDimension, 1), {})->size(),
                contents[name].size());
    }
    EXPECT_EQ(contents, Expected());
    Space a = OpenSpace(db->get(), "a");
    ExpectHolds(&a, 1);
    ExpectHolds(&a, 5);
    EXPECT_TRUE((*db)->Close().ok());
  }
};

TEST_F(ReplayOrderTest, ACheckpointMayFallAnywhere) {
  for (size_t i = 0; i < Script().size(); ++i) RunAndExpect(i, i, false);
}

TEST_F(ReplayOrderTest, TwoCheckpointsAndAnEndBetweenMayFallAnywhere) {
  const size_t steps = Script().size();
  for (size_t i = 0; i < steps; ++i) {
    RunAndExpect(i, std::min(i + 1 + i % 4, steps - 1), true);
  }
}

// --- Damage ------------------------------------------------------------------

TEST_F(RecoveryTest, AFlippedBitInTheSyncedLogIsDataLossWithFileAndLsns) {
  ASSERT_EQ(RunInChild([&] {
              Db* const db = OpenForEver();
              Space space = OpenSpace(db, "notes");
              for (int i = 0; i < 40; ++i) {
                if (!Observe(&space, i)) return 1;
              }
              return 0;
            }),
            0);
  const std::string segment = FirstSegment();
  ASSERT_FALSE(segment.empty());
  // Two header blocks, then a block for each group; this is the body of the
  // twentieth or so.
  const int64_t offset = 4096 * 22 + 150;
  std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(offset);
  const int byte = file.get();
  ASSERT_NE(byte, EOF);
  file.seekp(offset);
  file.put(static_cast<char>(byte ^ 0x10));
  file.close();

  const absl::Status status = Open().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(segment), ContainsRegex("LSN.* [0-9]+")));
}

// --- Forks -------------------------------------------------------------------

TEST_F(RecoveryTest, AWriteInAForkedChildIsRefusedNamingBothProcesses) {
  auto db = Open();
  ASSERT_TRUE(db.ok()) << db.status();
  Space space = OpenSpace(db->get(), "notes");
  ASSERT_TRUE(Observe(&space, 1));
  const std::string parent = absl::StrCat("process ", ::getpid());
  const auto refused = [&](const absl::Status& status) {
    const std::string message(status.message());
    return status.code() == absl::StatusCode::kFailedPrecondition &&
           message.find(parent) != std::string::npos &&
           message.find(absl::StrCat("child ", ::getpid())) !=
               std::string::npos;
  };
  EXPECT_EQ(
      RunInChild([&] {
        if (!refused(
                space.Observe({"x", TestVector(kDimension, 2), ""}).status())) {
          return 1;
        }
        if (!refused(space.Remove("id1").status())) return 2;
        if (!refused((*db)->DropSpace("notes"))) return 3;
        if (!refused((*db)->Checkpoint())) return 4;
        SpaceOptions options;
        options.dimension = 4;
        if (!refused((*db)->OpenSpace("new", options).status())) return 5;
        return 0;
      }),
      0);
  // The parent goes on.
  ASSERT_TRUE(Observe(&space, 2));
  ASSERT_TRUE((*db)->Close().ok());
  db = Open();
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_THAT(*OpenSpace(db->get(), "notes").ListIds(),
              ElementsAre("id1", "id2"));
}

// --- Searches while the log is indexed ---------------------------------------

TEST_F(RecoveryTest, SearchesFindEverythingWhileTheLogIsStillBeingIndexed) {
  constexpr int kRecords = 6000;
  constexpr uint32_t kLargeDimension = 32;
  Options options;
  options.flat_records_max = 10;
  options.workers = 1;
  options.wal_segment_bytes = 8 << 20;
  options.wal_limit_bytes = 64 << 20;
  SpaceOptions space_options;
  space_options.dimension = kLargeDimension;
  ASSERT_EQ(RunInChild([&] {
              Db* const db = OpenForEver(options);
              Space space = *db->OpenSpace("notes", space_options);
              for (int first = 0; first < kRecords; first += 500) {
                WriteBatch batch;
                for (int i = first; i < first + 500; ++i) {
                  const auto vector = TestVector(kLargeDimension, i);
                  batch.Observe(space, {absl::StrCat("id", i), vector, ""});
                }
                if (!db->Write(batch).ok()) return 1;
              }
              return 0;
            }),
            0);
  auto db = Open(options);
  ASSERT_TRUE(db.ok()) << db.status();
  Space space = *(*db)->OpenSpace("notes", {});
  EXPECT_EQ(space.ListIds()->size(), static_cast<size_t>(kRecords));
  int searched_while_pending = 0;
  uint64_t pending = 1;
  for (int i = 0; pending > 0 || i < 200; ++i) {
    pending = (*db)->GetStats()->pending_records;
    if (pending > 0) ++searched_while_pending;
    // Old and new ones by turns, so that graph and tail are both asked. The
    // width leaves nothing to approximation: what is missed is out of reach.
    const int number = i % 2 == 0 ? i % kRecords : kRecords - 1 - i % kRecords;
    const auto hits =
        space.Search(TestVector(kLargeDimension, number), {1, kRecords});
    ASSERT_TRUE(hits.ok()) << hits.status();
    ASSERT_EQ(hits->size(), 1u);
    ASSERT_EQ((*hits)[0].id, absl::StrCat("id", number))
        << pending << " are pending";
  }
  EXPECT_GT(searched_while_pending, 10);
  EXPECT_TRUE(space.GetStats()->has_graph);
}

// --- Killed while the database was made --------------------------------------

class CreationTest : public RecoveryTest {
 protected:
  // A database that was opened and never written to.
  void SetUp() override {
    RecoveryTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(RunInChild([&] { return OpenForEver() != nullptr ? 0 : 1; }), 0);
  }

  void ExpectWorks() {
    for (int round = 0; round < 2; ++round) {
      auto db = Open();
      ASSERT_TRUE(db.ok()) << db.status();
      Space space = OpenSpace(db->get(), "notes");
      ASSERT_TRUE(Observe(&space, round));
      EXPECT_EQ(space.ListIds()->size(), static_cast<size_t>(round + 1));
      ASSERT_TRUE((*db)->Close().ok());
    }
  }

  void Remove(const std::string& name) {
    std::filesystem::remove_all(path() + "/" + name);
  }
};

TEST_F(CreationTest, WithItsIdentityAlone) {
  for (const char* name : {"kv", "wal", "OWNER"}) Remove(name);
  ExpectWorks();
}

TEST_F(CreationTest, WithAnEmptyLogFolderAlone) {
  for (const char* name : {"kv", "wal", "OWNER", "ENGRAM"}) Remove(name);
  std::filesystem::create_directory(path() + "/wal");
  ExpectWorks();
}

TEST_F(CreationTest, WithoutALogIsDataLoss) {
  Remove("wal");
  const absl::Status status = Open().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("the log is missing"));
}

TEST_F(CreationTest, WithAStoreThatHasOnlyJustBegunAndNoLog) {
  Remove("wal");
  for (const auto& entry :
       std::filesystem::directory_iterator(path() + "/kv")) {
    const std::string name = entry.path().filename().string();
    if (name != "LOCK" && name != "scratch") {
      std::filesystem::remove_all(entry.path());
    }
  }
  ExpectWorks();
}

// The store is made first, so this one was lost: what it held may be nowhere
// else.
TEST_F(CreationTest, WithALogAndNoStoreIsDataLoss) {
  Remove("kv");
  const absl::Status status = Open().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("/kv"));
}

// A segment has its full size before it gets its name, so this is no remnant of
// a kill either.
TEST_F(CreationTest, WithASegmentThatIsNotFinished) {
  const std::string segment = FirstSegment();
  ASSERT_FALSE(segment.empty());
  std::filesystem::resize_file(segment, 4096);
  const absl::Status status = Open().status();
  if (!status.ok()) {
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(segment));
  }
}

}  // namespace
}  // namespace engram
