// Opening, closing, reopening; spaces made and dropped.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "engram/db.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TemporaryDirectory;
using testing::TestVector;

constexpr uint32_t kDimension = 8;

Options SmallLog() {
  Options options;
  options.wal_segment_bytes = 1 << 20;
  options.wal_limit_bytes = 16 << 20;
  options.workers = 2;
  return options;
}

SpaceOptions EightDimensions() {
  SpaceOptions options;
  options.dimension = kDimension;
  return options;
}

class DbLifecycleTest : public ::testing::Test {
 protected:
  void Open(const Options& options = SmallLog()) {
    auto db = Db::Open(path(), options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  Space OpenSpace(const std::string& name) {
    auto space = db_->OpenSpace(name, EightDimensions());
    EXPECT_TRUE(space.ok()) << space.status();
    return space.value_or(Space());
  }

  std::string path() const { return directory_.path() + "/db"; }

  TemporaryDirectory directory_;
  std::unique_ptr<Db> db_;
};

TEST_F(DbLifecycleTest, WhatWasObservedIsFoundAtOnceAndAfterReopening) {
  Open();
  Space space = OpenSpace("notes");
  const auto vector = TestVector(kDimension, 1);
  auto lsn = space.Observe({"a", vector, "payload", 77});
  ASSERT_TRUE(lsn.ok()) << lsn.status();

  for (int round = 0; round < 3; ++round) {
    auto hits = space.Search(vector, {});
    ASSERT_TRUE(hits.ok()) << hits.status();
    ASSERT_EQ(hits->size(), 1u);
    EXPECT_EQ((*hits)[0].id, "a");
    EXPECT_EQ((*hits)[0].lsn, *lsn);
    EXPECT_NEAR((*hits)[0].distance, 0, 1e-6);

    auto stored = space.Get("a");
    ASSERT_TRUE(stored.ok()) << stored.status();
    EXPECT_EQ(stored->vector, vector);
    EXPECT_EQ(stored->payload, "payload");
    EXPECT_EQ(stored->timestamp_us, 77);
    EXPECT_EQ(stored->lsn, *lsn);

    ASSERT_TRUE(db_->Close().ok());
    Open();
    space = OpenSpace("notes");
  }
}

TEST_F(DbLifecycleTest, AfterCloseEveryCallIsRefused) {
  Open();
  Space space = OpenSpace("notes");
  ASSERT_TRUE(space.Observe({"a", TestVector(kDimension, 1), ""}).ok());
  ASSERT_TRUE(db_->Close().ok());
  const auto code = absl::StatusCode::kFailedPrecondition;
  EXPECT_EQ(space.Observe({"b", TestVector(kDimension, 2), ""}).status().code(),
            code);
  EXPECT_EQ(space.Search(TestVector(kDimension, 2), {}).status().code(), code);
  EXPECT_EQ(space.Get("a").status().code(), code);
  EXPECT_EQ(space.Remove("a").status().code(), code);
  EXPECT_EQ(space.GetStats().status().code(), code);
  EXPECT_EQ(db_->Checkpoint().code(), code);
  EXPECT_EQ(db_->ListSpaces().status().code(), code);
  EXPECT_EQ(db_->OpenSpace("notes", {}).status().code(), code);
  EXPECT_EQ(db_->Close().code(), code);
  db_.reset();
  EXPECT_EQ(space.Get("a").status().code(), code) << "the handle outlives it";
}

TEST_F(DbLifecycleTest, CloseEndsAWriteThatWaitsForRoom) {
  Options options = SmallLog();
  options.workers = 1;
  options.pending_records_max = 1;
  Open(options);
  Space space = OpenSpace("notes");
  WriteOptions for_ever;
  for_ever.admission_timeout = absl::InfiniteDuration();
  std::atomic<bool> refused{false};
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; !refused; ++i) {
        const absl::Status status =
            space
                .Observe({absl::StrCat(writer, "-", i),
                          TestVector(kDimension, i), ""},
                         for_ever)
                .status();
        if (status.ok()) continue;
        EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
        refused = true;
      }
    });
  }
  absl::SleepFor(absl::Milliseconds(100));
  EXPECT_TRUE(db_->Close().ok());
  for (std::thread& writer : writers) writer.join();
  EXPECT_TRUE(refused);
}

TEST_F(DbLifecycleTest, UpsertReplacesAndRemoveRemovesAlsoAcrossReopening) {
  Open();
  Space space = OpenSpace("notes");
  ASSERT_TRUE(space.Observe({"a", TestVector(kDimension, 1), "old"}).ok());
  ASSERT_TRUE(space.Observe({"b", TestVector(kDimension, 2), "b"}).ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  ASSERT_TRUE(space.Observe({"a", TestVector(kDimension, 3), "new"}).ok());
  ASSERT_TRUE(space.Remove("b").ok());
  ASSERT_TRUE(space.Remove("never there").ok());
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(space.Get("a")->payload, "new");
    EXPECT_EQ(space.Get("a")->vector, TestVector(kDimension, 3));
    EXPECT_TRUE(absl::IsNotFound(space.Get("b").status()));
    EXPECT_THAT(*space.ListIds(), ElementsAre("a"));
    auto hits = space.Search(TestVector(kDimension, 1), {});
    ASSERT_EQ(hits->size(), 1u);
    EXPECT_GT((*hits)[0].distance, 0.1) << "the old version is gone";
    ASSERT_TRUE(db_->Close().ok());
    Open();
    space = OpenSpace("notes");
  }
}

TEST_F(DbLifecycleTest, SpacesAreListedDroppedAndMadeAnew) {
  Open();
  OpenSpace("b");
  Space a = OpenSpace("a");
  ASSERT_TRUE(a.Observe({"x", TestVector(kDimension, 1), ""}).ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  const uint64_t first_id = a.GetStats()->id;
  EXPECT_THAT(*db_->ListSpaces(), ElementsAre("a", "b"));
  ASSERT_TRUE(db_->DropSpace("a").ok());
  EXPECT_THAT(*db_->ListSpaces(), ElementsAre("b"));
  EXPECT_TRUE(absl::IsNotFound(a.Get("x").status()));
  EXPECT_TRUE(absl::IsNotFound(
      a.Observe({"y", TestVector(kDimension, 1), ""}).status()));
  EXPECT_TRUE(absl::IsNotFound(db_->DropSpace("a")));

  Space again = OpenSpace("a");
  EXPECT_GT(again.GetStats()->id, first_id);
  EXPECT_TRUE(again.Search(TestVector(kDimension, 1), {})->empty());
  ASSERT_TRUE(again.Observe({"z", TestVector(kDimension, 5), ""}).ok());
  ASSERT_TRUE(db_->Close().ok());
  Open();
  EXPECT_THAT(*db_->ListSpaces(), ElementsAre("a", "b"));
  EXPECT_THAT(*OpenSpace("a").ListIds(), ElementsAre("z"));
}

TEST_F(DbLifecycleTest, ABatchReachesSeveralSpacesWithOneLsnRange) {
  Open();
  Space a = OpenSpace("a");
  Space b = OpenSpace("b");
  WriteBatch batch;
  batch.Observe(a, {"1", TestVector(kDimension, 1), ""});
  batch.Observe(b, {"2", TestVector(kDimension, 2), ""});
  batch.Observe(a, {"1", TestVector(kDimension, 3), "last"});
  batch.Remove(b, "2");
  auto lsn = db_->Write(batch);
  ASSERT_TRUE(lsn.ok()) << lsn.status();
  EXPECT_EQ(a.Get("1")->payload, "last");
  EXPECT_EQ(a.Get("1")->lsn, *lsn - 1);
  EXPECT_TRUE(absl::IsNotFound(b.Get("2").status()));
  ASSERT_TRUE(db_->Wait(*lsn, Stage::kIndexed, absl::Minutes(1)).ok());
  EXPECT_EQ(a.GetStats()->pending_records, 0u);
  EXPECT_EQ(a.GetStats()->indexed_lsn, *lsn);
}

TEST_F(DbLifecycleTest, WaitReachesEachStageAndTimesOut) {
  Open();
  Space space = OpenSpace("a");
  auto lsn = space.Observe({"1", TestVector(kDimension, 1), ""});
  EXPECT_TRUE(db_->Wait(*lsn, Stage::kDurable, absl::ZeroDuration()).ok());
  EXPECT_TRUE(space.Wait(*lsn, Stage::kIndexed, absl::Minutes(1)).ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      db_->Wait(*lsn, Stage::kCheckpointed, absl::Milliseconds(5))));
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_TRUE(db_->Wait(*lsn, Stage::kCheckpointed, absl::Minutes(1)).ok());
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      db_->Wait(*lsn + 1, Stage::kDurable, absl::Milliseconds(5))));
}

TEST_F(DbLifecycleTest, GraphAndFlatSpacesAnswerTheSameAfterReopening) {
  Options options = SmallLog();
  options.flat_records_max = 100;
  Open(options);
  Space space = OpenSpace("a");
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(space
                    .Observe({absl::StrCat("id", i), TestVector(kDimension, i),
                              absl::StrCat("payload", i)})
                    .ok());
    if (i == 300) {
      ASSERT_TRUE(db_->Checkpoint().ok());
    }
  }
  for (int i = 0; i < 600; i += 7) {
    ASSERT_TRUE(space.Remove(absl::StrCat("id", i)).ok());
  }
  ASSERT_TRUE(db_->Wait(space.GetStats()->acknowledged_lsn, Stage::kIndexed,
                        absl::Seconds(30))
                  .ok());
  EXPECT_TRUE(space.GetStats()->has_graph);
  // A checkpoint may re-attach nodes; compare what it leaves.
  ASSERT_TRUE(db_->Checkpoint().ok());
  std::vector<std::vector<Hit>> before;
  for (int q = 0; q < 50; ++q) {
    before.push_back(*space.Search(TestVector(kDimension, 10000 + q), {}));
  }
  ASSERT_TRUE(db_->Close().ok());
  Open(options);
  space = OpenSpace("a");
  EXPECT_EQ(db_->GetStats()->replayed_records, 0u);
  for (int q = 0; q < 50; ++q) {
    const auto after = *space.Search(TestVector(kDimension, 10000 + q), {});
    ASSERT_EQ(after.size(), before[q].size());
    for (size_t i = 0; i < after.size(); ++i) {
      EXPECT_EQ(after[i].id, before[q][i].id);
      EXPECT_EQ(after[i].distance, before[q][i].distance);
      EXPECT_EQ(after[i].lsn, before[q][i].lsn);
    }
  }
  for (int i = 1; i < 600; i += 50) {
    EXPECT_EQ(space.Get(absl::StrCat("id", i)).ok(), i % 7 != 0);
  }
}

TEST_F(DbLifecycleTest, AReadOnlyHandleReadsAndRefusesToWrite) {
  Open();
  Space space = OpenSpace("a");
  ASSERT_TRUE(space.Observe({"1", TestVector(kDimension, 1), "p"}).ok());
  ASSERT_TRUE(db_->Close().ok());
  Options options = SmallLog();
  options.read_only = true;
  Open(options);
  space = *db_->OpenSpace("a", {});
  EXPECT_EQ(space.Get("1")->payload, "p");
  EXPECT_EQ(space.Observe({"2", TestVector(kDimension, 1), ""}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(db_->Checkpoint().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(db_->GetStats()->wal_backend, "none");
  EXPECT_TRUE(db_->Close().ok());
}

TEST_F(DbLifecycleTest, TheLogIsShortenedByCheckpointsAndBoundedByItsLimit) {
  Options options = SmallLog();
  options.wal_segment_bytes = 256 << 10;
  options.wal_limit_bytes = 2 << 20;
  options.checkpoint_wal_bytes = 1 << 20;
  Open(options);
  Space space = OpenSpace("a");
  const std::string payload(3000, 'x');
  for (int i = 0; i < 1500; ++i) {
    auto lsn = space.Observe(
        {absl::StrCat(i % 50), TestVector(kDimension, i), payload});
    ASSERT_TRUE(lsn.ok()) << lsn.status();
  }
  EXPECT_LE(db_->GetStats()->wal_bytes, options.wal_limit_bytes);
  EXPECT_GT(db_->GetStats()->checkpoints, 0u);
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_LE(db_->GetStats()->wal_segments, 2u);
  ASSERT_TRUE(db_->Close().ok());
  Open(options);
  EXPECT_EQ(OpenSpace("a").ListIds()->size(), 50u);
}

TEST_F(DbLifecycleTest, ClosingDoesNotWaitForTheLimitOfCheckpoints) {
  Options options;
  options.workers = 1;
  options.checkpoint_bytes_per_second = 1 << 20;
  Open(options);
  Space space = OpenSpace("a");
  const std::string payload(1 << 20, 'x');
  for (int i = 0; i < 80; ++i) {
    auto lsn =
        space.Observe({absl::StrCat(i), TestVector(kDimension, i), payload});
    ASSERT_TRUE(lsn.ok()) << lsn.status();
  }
  const absl::Time begin = absl::Now();
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_LT(absl::Now() - begin, absl::Seconds(40)) << "80 with the limit";
}

TEST_F(DbLifecycleTest, SpacesAreSavedBeforeTheyKeepTooMuchLog) {
  Options options = SmallLog();
  options.checkpoint_wal_bytes = 512 << 10;
  Open(options);
  Space idle = OpenSpace("idle");
  const auto first = idle.Observe({"1", TestVector(kDimension, 1), ""});
  ASSERT_TRUE(first.ok()) << first.status();
  std::vector<Space> spaces;
  for (int i = 0; i < 4; ++i) spaces.push_back(OpenSpace(absl::StrCat(i)));
  // Three times as much as a space may keep; the log's own limit is far away.
  const std::string payload(3000, 'x');
  for (int i = 0; i < 384; ++i) {
    const auto lsn = spaces[i % spaces.size()].Observe(
        {absl::StrCat(i), TestVector(kDimension, i), payload});
    ASSERT_TRUE(lsn.ok()) << lsn.status();
  }
  const auto saved = [](const Space& space) {
    return space.GetStats()->checkpoints > 0;
  };
  for (int i = 0; i < 1000; ++i) {
    if (std::all_of(spaces.begin(), spaces.end(), saved) && saved(idle)) break;
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_GT(db_->GetStats()->low_water_lsn, *first);
  EXPECT_EQ(idle.GetStats()->checkpoints, 1u) << "nothing new to save in it";
  for (const Space& space : spaces) {
    EXPECT_GT(space.GetStats()->checkpoints, 0u) << space.name();
  }
}

TEST_F(DbLifecycleTest, StatsConserveRecords) {
  Open();
  Space space = OpenSpace("a");
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(
        space.Observe({absl::StrCat(i % 100), TestVector(kDimension, i), ""})
            .ok());
  }
  ASSERT_TRUE(
      db_->Wait(db_->GetStats()->last_lsn, Stage::kIndexed, absl::Minutes(1))
          .ok());
  const DbStats stats = *db_->GetStats();
  EXPECT_EQ(stats.accepted_records, 500u);
  EXPECT_EQ(stats.indexed_records + stats.pending_records, 500u);
  EXPECT_EQ(stats.pending_records, 0u);
  EXPECT_EQ(stats.durable_lsn, stats.last_lsn);
  EXPECT_GT(stats.wal_groups, 0u);
  EXPECT_EQ(stats.spaces, 1u);
  EXPECT_EQ(space.GetStats()->live_records, 100u);
}

TEST_F(DbLifecycleTest, FilesAreForTheOwnerAlone) {
  Open();
  OpenSpace("a");
  struct stat info;
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  ASSERT_EQ(::stat((path() + "/ENGRAM").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

// --- Directories that are no database, or not ours ---------------------------

TEST_F(DbLifecycleTest, ASecondOpenerIsToldTheOwnersPid) {
  Open();
  auto second = Db::Open(path(), SmallLog());
  EXPECT_TRUE(absl::IsUnavailable(second.status())) << second.status();
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(absl::StrCat("process ", ::getpid())));
}

TEST_F(DbLifecycleTest, AFolderWithOtherFilesIsRefusedAndLeftAlone) {
  ASSERT_EQ(::mkdir(path().c_str(), 0700), 0);
  std::ofstream(path() + "/thesis.txt") << "precious";
  auto db = Db::Open(path(), SmallLog());
  EXPECT_EQ(db.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(db.status().message()), HasSubstr("thesis.txt"));
  struct stat info;
  EXPECT_NE(::stat((path() + "/wal").c_str(), &info), 0);
}

TEST_F(DbLifecycleTest, AFileIsNoDatabase) {
  std::ofstream(path()) << "text";
  EXPECT_EQ(Db::Open(path(), SmallLog()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(DbLifecycleTest, AMissingDatabaseIsNotMadeUnlessAsked) {
  Options options = SmallLog();
  options.create_if_missing = false;
  EXPECT_TRUE(absl::IsNotFound(Db::Open(path(), options).status()));
  struct stat info;
  EXPECT_NE(::stat(path().c_str(), &info), 0);
}

TEST_F(DbLifecycleTest, ANewerFormatIsNamedNotGuessed) {
  Open();
  ASSERT_TRUE(db_->Close().ok());
  std::ofstream(path() + "/ENGRAM")
      << "engram database\nformat 2\nid 00112233445566778899aabbccddeeff\n";
  auto db = Db::Open(path(), SmallLog());
  EXPECT_EQ(db.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(db.status().message()),
              HasSubstr("format version 2 is newer"));
}

TEST_F(DbLifecycleTest, AMissingLogIsALossNotANewDatabase) {
  Open();
  Space space = OpenSpace("a");
  ASSERT_TRUE(space.Observe({"1", TestVector(kDimension, 1), ""}).ok());
  ASSERT_TRUE(db_->Close().ok());
  ASSERT_EQ(::system(("rm -f " + path() + "/wal/*").c_str()), 0);
  EXPECT_TRUE(absl::IsDataLoss(Db::Open(path(), SmallLog()).status()));
}

}  // namespace
}  // namespace engram
