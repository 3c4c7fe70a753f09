// Checkpoints that are made because of time alone.

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/support/event_recorder.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using testing::EventRecorder;
using testing::TestVector;

constexpr uint32_t kDimension = 8;
constexpr absl::Duration kLong = absl::Seconds(30);

class CheckpointIntervalTest : public ::testing::Test {
 protected:
  // No other reason for a checkpoint comes near.
  void Open(absl::Duration interval) {
    Options options;
    options.workers = 1;
    options.wal_segment_bytes = 256 << 10;
    options.wal_limit_bytes = 64 << 20;
    options.recovery_time_target = absl::InfiniteDuration();
    options.max_dedicated_spaces = 1;
    options.checkpoint_interval = interval;
    options.listener = recorder_;
    auto db = Db::Open(directory_.PathOf(name_), options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  Space OpenSpace(const std::string& name) {
    SpaceOptions options;
    options.dimension = kDimension;
    return db_->OpenSpace(name, options).value();
  }

  Lsn Observe(Space* space, int i, const std::string& payload = "") {
    const std::vector<float> vector = TestVector(kDimension, i);
    return space->Observe({absl::StrCat(i), vector, payload}).value();
  }

  bool IsSaved(const Space& space, Lsn lsn, absl::Duration timeout) {
    return space.Wait(lsn, Stage::kCheckpointed, timeout).ok();
  }

  // Whether `reached` becomes true.
  template <typename Condition>
  bool Eventually(const Condition& reached) {
    const absl::Time deadline = absl::Now() + kLong;
    while (!reached()) {
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return true;
  }

  testing::TemporaryDirectory directory_;
  std::string name_ = "db";
  std::shared_ptr<EventRecorder> recorder_ = std::make_shared<EventRecorder>();
  std::unique_ptr<Db> db_;
};

TEST_F(CheckpointIntervalTest, ARecordIsSavedOnceItHasWaitedForSoLong) {
  constexpr absl::Duration kInterval = absl::Milliseconds(500);
  Open(kInterval);
  Space space = OpenSpace("a");
  for (int round = 0; round < 2; ++round) {
    const absl::Time begin = absl::Now();
    const Lsn lsn = Observe(&space, round);
    ASSERT_TRUE(IsSaved(space, lsn, kLong)) << round;
    EXPECT_GE(absl::Now() - begin, kInterval * 11 / 12) << round;
    EXPECT_EQ(space.GetStats()->checkpoints, round + 1u);
    // What came for the creation of the space must not hide it.
    ASSERT_TRUE(
        Eventually([&] { return db_->GetStats()->low_water_lsn >= lsn; }));
  }
}

TEST_F(CheckpointIntervalTest, EachSpaceHasItsTime) {
  constexpr absl::Duration kInterval = absl::Seconds(1);
  Open(kInterval);
  Space early = OpenSpace("early");
  Space late = OpenSpace("late");
  const Lsn first = Observe(&early, 0);
  absl::SleepFor(kInterval / 2);
  const absl::Time begin = absl::Now();
  const Lsn second = Observe(&late, 0);
  ASSERT_TRUE(IsSaved(early, first, kLong));
  ASSERT_TRUE(IsSaved(late, second, kLong));
  EXPECT_GE(absl::Now() - begin, kInterval * 11 / 12);
  EXPECT_EQ(early.GetStats()->checkpoints, 1u);
}

// As a kill leaves it; nobody writes to it then.
TEST_F(CheckpointIntervalTest, WhatWasReplayedWaitsAsWell) {
  Open(absl::InfiniteDuration());
  Space space = OpenSpace("a");
  const Lsn lsn = Observe(&space, 0);
  std::filesystem::copy(directory_.PathOf(name_), directory_.PathOf("copy"),
                        std::filesystem::copy_options::recursive);
  name_ = "copy";
  Open(absl::Milliseconds(300));
  space = OpenSpace("a");
  EXPECT_TRUE(IsSaved(space, lsn, kLong));
  EXPECT_TRUE(
      Eventually([&] { return db_->GetStats()->low_water_lsn >= lsn; }));
}

TEST_F(CheckpointIntervalTest, TheLogIsGivenBack) {
  Open(absl::Milliseconds(300));
  Space busy = OpenSpace("busy");
  const std::string payload(20'000, 'x');
  for (int i = 0; i < 100; ++i) Observe(&busy, i, payload);
  EXPECT_TRUE(Eventually([&] { return db_->GetStats()->wal_segments <= 1; }))
      << db_->GetStats()->wal_segments;
}

TEST_F(CheckpointIntervalTest, AnIdleDatabaseIsLeftAlone) {
  constexpr absl::Duration kInterval = absl::Milliseconds(100);
  Open(kInterval);
  Space space = OpenSpace("a");
  const Lsn lsn = Observe(&space, 0);
  ASSERT_TRUE(IsSaved(space, lsn, kLong));
  // One more may come for the catalog.
  absl::SleepFor(2 * kInterval);
  const uint64_t checkpoints = db_->GetStats()->checkpoints;
  EXPECT_LE(checkpoints, 3u);
  absl::SleepFor(8 * kInterval);
  EXPECT_EQ(db_->GetStats()->checkpoints, checkpoints);
  // Opened anew, it has nothing to do either.
  ASSERT_TRUE(db_->Close().ok());
  recorder_ = std::make_shared<EventRecorder>();
  Open(kInterval);
  EXPECT_EQ(OpenSpace("a").ListIds()->size(), 1u);
  absl::SleepFor(5 * kInterval);
  EXPECT_EQ(db_->GetStats()->checkpoints, 0u);
}

TEST_F(CheckpointIntervalTest, SpacesThatAreDueTogetherAreSavedTogether) {
  constexpr int kSpaces = 40;
  Open(absl::Seconds(2));
  std::vector<Space> spaces;
  for (int i = 0; i < kSpaces; ++i) {
    spaces.push_back(OpenSpace(absl::StrCat(i)));
  }
  WriteBatch batch;
  for (Space& space : spaces) {
    batch.Observe(space, {"id", TestVector(kDimension, 1), ""});
  }
  const Lsn lsn = db_->Write(batch).value();
  ASSERT_TRUE(db_->Wait(lsn, Stage::kCheckpointed, kLong).ok());
  ASSERT_TRUE(db_->Close().ok());
  uint64_t most = 0;
  uint64_t saving = 0;
  for (const CheckpointInfo& info : recorder_->checkpoints) {
    EXPECT_TRUE(info.status.ok()) << info.status;
    most = std::max(most, info.spaces_saved);
    if (info.spaces_saved > 0) ++saving;
  }
  EXPECT_EQ(most, uint64_t{kSpaces});
  EXPECT_EQ(saving, 1u);
}

// So that the log is not kept for who wrote what.
TEST_F(CheckpointIntervalTest, TheCatalogIsSavedToo) {
  Open(absl::Milliseconds(200));
  OpenSpace("a");
  const Lsn created = db_->GetStats()->last_lsn;
  EXPECT_TRUE(
      Eventually([&] { return db_->GetStats()->low_water_lsn >= created; }));
}

TEST_F(CheckpointIntervalTest, WithoutOneNothingIsSaved) {
  Open(absl::InfiniteDuration());
  Space space = OpenSpace("a");
  EXPECT_FALSE(IsSaved(space, Observe(&space, 0), absl::Milliseconds(700)));
  EXPECT_EQ(db_->GetStats()->checkpoints, 0u);
}

}  // namespace
}  // namespace engram
