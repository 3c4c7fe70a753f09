// So many vectors in one checkpoint that they are written beside the links.

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/support/slow_build.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using testing::TestVector;

constexpr uint32_t kDimension = 1024;
// 6 MB of vectors: three parts.
constexpr int kMany = 1500;

class LargeCheckpointTest : public ::testing::Test {
 protected:
  void Open() {
    db_.reset();
    Options options;
    options.flat_records_max = 50;
    auto db = Db::Open(path_, options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    SpaceOptions space_options;
    space_options.dimension = kDimension;
    auto space = db_->OpenSpace("space", space_options);
    ASSERT_TRUE(space.ok()) << space.status();
    space_ = *space;
  }

  void Observe(int first, int count) {
    WriteBatch batch;
    for (int i = first; i < first + count; ++i) {
      batch.Observe(space_, {absl::StrCat("id", i), TestVector(kDimension, i),
                             "payload"});
    }
    const absl::StatusOr<Lsn> lsn = db_->Write(batch);
    ASSERT_TRUE(lsn.ok()) << lsn.status();
    ASSERT_TRUE(db_->Wait(*lsn, Stage::kIndexed, absl::Minutes(2)).ok());
  }

  void ExpectHolds(int count) {
    EXPECT_EQ(space_.ListIds()->size(), static_cast<size_t>(count));
    for (int i = 0; i < count; i += 7 * testing::kSlowdown) {
      const auto stored = space_.Get(absl::StrCat("id", i));
      ASSERT_TRUE(stored.ok()) << stored.status();
      ASSERT_EQ(stored->vector, TestVector(kDimension, i)) << i;
      // Random vectors have no near ones that would lead to them, so the
      // search is so wide that it ends when it has seen all that can be
      // reached.
      const auto found = space_.Search(TestVector(kDimension, i),
                                       {.k = 1, .ef_search = 2 * kMany + 1});
      ASSERT_TRUE(found.ok()) << found.status();
      ASSERT_EQ(found->front().id, absl::StrCat("id", i));
    }
  }

  testing::TemporaryDirectory directory_;
  const std::string path_ = directory_.PathOf("db");
  const std::string scratch_ = path_ + "/kv/scratch";
  std::unique_ptr<Db> db_;
  Space space_;
};

TEST_F(LargeCheckpointTest, WhatItSavesIsReadBack) {
  Open();
  Observe(0, kMany);
  ASSERT_TRUE(db_->Checkpoint().ok());
  ASSERT_GT(db_->GetStats()->checkpoint_bytes,
            uint64_t{kMany} * kDimension * sizeof(float));
  Observe(kMany, kMany);
  ASSERT_TRUE(db_->Checkpoint().ok());
  Open();
  ExpectHolds(2 * kMany);
}

TEST_F(LargeCheckpointTest, OneThatFailsChangesNothingAndTheNextSavesAll) {
  Open();
  Observe(0, 10);
  ASSERT_TRUE(db_->Checkpoint().ok());
  Observe(10, kMany);
  // Where tables are built.
  std::filesystem::remove_all(scratch_);
  EXPECT_FALSE(db_->Checkpoint().ok());
  ExpectHolds(10 + kMany);
  std::filesystem::create_directory(scratch_);
  ASSERT_TRUE(db_->Checkpoint().ok());
  Open();
  ExpectHolds(10 + kMany);
}

TEST_F(LargeCheckpointTest, OneOfItsTablesMayFailAlone) {
  Open();
  Observe(0, kMany);
  for (const std::string which : {"-many-vectors.sst", "-main.sst"}) {
    // Where its next tables would be built.
    for (int i = 0; i < 100; ++i) {
      std::filesystem::create_directory(absl::StrCat(scratch_, "/", i, which));
    }
    EXPECT_FALSE(db_->Checkpoint().ok()) << which;
    for (const auto& entry : std::filesystem::directory_iterator(scratch_)) {
      EXPECT_TRUE(entry.is_directory()) << entry.path() << " was left";
    }
    std::filesystem::remove_all(scratch_);
    std::filesystem::create_directory(scratch_);
  }
  ASSERT_TRUE(db_->Checkpoint().ok());
  Open();
  ExpectHolds(kMany);
}

}  // namespace
}  // namespace engram
