// A checkpoint that fails leaves everything as it was; the next one makes up
// for it.

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using testing::TemporaryDirectory;
using testing::TestVector;

constexpr uint32_t kDimension = 8;

class CheckpointFailureTest : public ::testing::Test {
 protected:
  void Open() {
    Options options;
    options.wal_segment_bytes = 256 << 10;
    options.wal_limit_bytes = 4 << 20;
    options.flat_records_max = 50;
    auto db = Db::Open(path_, options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  Space OpenSpace(const std::string& name) {
    SpaceOptions options;
    options.dimension = kDimension;
    auto space = db_->OpenSpace(name, options);
    EXPECT_TRUE(space.ok()) << space.status();
    return space.value_or(Space());
  }

  void Observe(Space space, int first, int count) {
    for (int i = first; i < first + count; ++i) {
      ASSERT_TRUE(
          space
              .Observe({absl::StrCat("id", i), TestVector(kDimension, i),
                        std::string(500, 'p')})
              .ok());
    }
    ASSERT_TRUE(
        db_->Wait(db_->GetStats()->last_lsn, Stage::kIndexed, absl::Minutes(1))
            .ok());
  }

  // Without the folder in which tables are built, no checkpoint can succeed.
  void BreakCheckpoints() { std::filesystem::remove_all(scratch_); }
  void MendCheckpoints() { std::filesystem::create_directory(scratch_); }

  void ExpectHolds(const std::string& name, int count) {
    Space space = OpenSpace(name);
    EXPECT_EQ(space.ListIds()->size(), static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) {
      const auto stored = space.Get(absl::StrCat("id", i));
      ASSERT_TRUE(stored.ok()) << stored.status();
      EXPECT_EQ(stored->vector, TestVector(kDimension, i));
      const auto hits = space.Search(stored->vector, {1, 0});
      ASSERT_EQ(hits->size(), 1u);
      EXPECT_EQ((*hits)[0].id, stored->id);
    }
  }

  TemporaryDirectory directory_;
  const std::string path_ = directory_.PathOf("db");
  const std::string scratch_ = path_ + "/kv/scratch";
  std::unique_ptr<Db> db_;
};

TEST_F(CheckpointFailureTest, ASpaceWhoseFamilyCouldNotBeRecordedIsNotLost) {
  Open();
  Space first = OpenSpace("first");
  ASSERT_TRUE(db_->Checkpoint().ok());  // listed in the catalog, no family yet
  Observe(first, 0, 100);
  BreakCheckpoints();
  EXPECT_FALSE(db_->Checkpoint().ok());
  EXPECT_FALSE(db_->GetStats()->checkpoint_status.ok());
  MendCheckpoints();
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_TRUE(db_->GetStats()->checkpoint_status.ok());
  // Enough to recycle the segment that held the first records.
  Space second = OpenSpace("second");
  Observe(second, 0, 1500);
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_GT(db_->GetStats()->low_water_lsn, 100u);
  ASSERT_TRUE(db_->Close().ok());
  Open();
  ExpectHolds("first", 100);
  ExpectHolds("second", 1500);
}

TEST_F(CheckpointFailureTest, RecordsOfAFailedCheckpointAreInTheNextOne) {
  Open();
  Space space = OpenSpace("notes");
  Observe(space, 0, 40);
  ASSERT_TRUE(db_->Checkpoint().ok());
  BreakCheckpoints();
  for (int i = 40; i < 200; i += 40) {
    Observe(space, i, 40);
    EXPECT_FALSE(db_->Checkpoint().ok());
    ExpectHolds("notes", i + 40);
  }
  MendCheckpoints();
  ASSERT_TRUE(space.Remove("id199").ok());
  ASSERT_TRUE(db_->Close().ok());
  Open();
  EXPECT_EQ(db_->GetStats()->replayed_records, 0u);
  ExpectHolds("notes", 199);
}

TEST_F(CheckpointFailureTest, ManySmallCheckpointsStayFewPartsAndTables) {
  Open();
  for (int i = 0; i < 150; ++i) {
    Observe(OpenSpace("notes"), i, 1);
    ASSERT_TRUE(db_->Checkpoint().ok());
  }
  int tables = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path_ + "/kv")) {
    if (entry.path().extension() == ".sst") ++tables;
  }
  EXPECT_LT(tables, 100) << "two for each of 150 checkpoints, if none merged";
  ASSERT_TRUE(db_->Close().ok());
  Open();
  ExpectHolds("notes", 150);
}

}  // namespace
}  // namespace engram
