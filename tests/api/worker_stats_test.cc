// What the stats say of the workers, and of how long records took.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/support/slow_build.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using testing::TestVector;

constexpr uint32_t kDimension = 64;

class WorkerStatsTest : public ::testing::Test {
 protected:
  void Open(int workers) {
    Options options;
    options.workers = workers;
    auto db = Db::Open(directory_.PathOf("db"), options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  // Writes `count` observations to each of `spaces` in one batch, and waits
  // until they are indexed.
  void Write(int spaces, int count) {
    SpaceOptions options;
    options.dimension = kDimension;
    WriteBatch batch;
    for (int i = 0; i < spaces; ++i) {
      Space space = db_->OpenSpace(absl::StrCat("space", i), options).value();
      for (int j = 0; j < count; ++j) {
        batch.Observe(space,
                      {absl::StrCat("id", j), TestVector(kDimension, j), ""});
      }
    }
    WriteOptions high;
    high.priority = Priority::kHigh;
    const absl::StatusOr<Lsn> lsn = db_->Write(batch, high);
    ASSERT_TRUE(lsn.ok()) << lsn.status();
    ASSERT_TRUE(db_->Wait(*lsn, Stage::kIndexed, absl::Minutes(2)).ok());
  }

  // The turn in which the last records were indexed may not be counted yet.
  DbStats StatsOnceCounted(uint64_t records) {
    for (;;) {
      DbStats stats = *db_->GetStats();
      uint64_t counted = 0;
      for (const WorkerStats& worker : stats.worker_stats) {
        counted += worker.records;
      }
      EXPECT_LE(counted, records);
      if (counted >= records) return stats;
    }
  }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<Db> db_;
};

TEST_F(WorkerStatsTest, NothingIsCountedBeforeAnythingIsWritten) {
  Open(3);
  const DbStats stats = *db_->GetStats();
  EXPECT_EQ(stats.workers, 3u);
  ASSERT_EQ(stats.worker_stats.size(), 3u);
  EXPECT_EQ(stats.imbalance, 0);
  for (const WorkerStats& worker : stats.worker_stats) {
    EXPECT_EQ(worker.records, 0u);
    EXPECT_EQ(worker.batches, 0u);
    EXPECT_EQ(worker.busy, absl::ZeroDuration());
    EXPECT_EQ(worker.cpu, absl::ZeroDuration());
  }
}

TEST_F(WorkerStatsTest, EachRecordIsCountedAtOneWorker) {
  constexpr int kSpaces = 8;
  constexpr int kCount = 50;
  Open(2);
  Write(kSpaces, kCount);
  const DbStats stats = StatsOnceCounted(kSpaces * kCount);
  EXPECT_EQ(stats.indexed_records, uint64_t{kSpaces * kCount});
  absl::Duration busy;
  for (const WorkerStats& worker : stats.worker_stats) {
    EXPECT_LE(worker.batches, worker.records);
    EXPECT_EQ(worker.batches == 0, worker.records == 0);
    EXPECT_EQ(worker.batches == 0, worker.cpu == absl::ZeroDuration());
    busy += worker.busy;
  }
  EXPECT_GT(busy, absl::ZeroDuration());
  const uint64_t most =
      std::max(stats.worker_stats[0].records, stats.worker_stats[1].records);
  const uint64_t fewest =
      std::min(stats.worker_stats[0].records, stats.worker_stats[1].records);
  EXPECT_DOUBLE_EQ(stats.imbalance,
                   static_cast<double>(most) / static_cast<double>(fewest) - 1);
}

TEST_F(WorkerStatsTest, WhoHelpsWithAHotSpaceIsSeen) {
  // A worker alone takes 500 at once, and the graph begins with the 1,001st.
  constexpr int kCount = 3000 + 5000 / testing::kSlowdown;
  Open(2);
  Write(1, kCount);
  const DbStats stats = StatsOnceCounted(kCount);
  uint64_t joined = 0;
  for (const WorkerStats& worker : stats.worker_stats) {
    EXPECT_LE(worker.joined_records, worker.records);
    EXPECT_LE(worker.joined_batches, worker.batches);
    joined += worker.joined_records;
  }
  EXPECT_GT(joined, 0u);
}

TEST_F(WorkerStatsTest, EachRecordsLatenciesAreCountedOnce) {
  constexpr int kSpaces = 2;
  constexpr int kCount = 30;
  Open(2);
  EXPECT_EQ(db_->GetStats()->latencies.to_durable.count, 0u);
  const absl::Time begin = absl::Now();
  Write(kSpaces, kCount);
  const IngestLatencies all = db_->GetStats()->latencies;
  const absl::Duration most = (absl::Now() - begin) * 1.125;
  for (const LatencyStats& stats :
       {all.to_durable, all.durable_to_indexed, all.to_indexed}) {
    EXPECT_EQ(stats.count, uint64_t{kSpaces * kCount});
    EXPECT_LE(stats.p50, stats.p99);
    EXPECT_LE(stats.p99, stats.p999);
    EXPECT_LE(stats.p999, stats.max);
    EXPECT_LE(stats.max, most);
  }
  EXPECT_GT(all.to_durable.p50, absl::ZeroDuration()) << "a sync takes time";
  EXPECT_GE(all.to_indexed.max, all.to_durable.max);
  uint64_t of_workers = 0;
  const DbStats counted = StatsOnceCounted(kSpaces * kCount);
  for (const WorkerStats& worker : counted.worker_stats) {
    EXPECT_EQ(worker.to_indexed.count, worker.durable_to_indexed.count);
    EXPECT_LE(worker.to_indexed.max, all.to_indexed.max);
    of_workers += worker.to_indexed.count;
  }
  EXPECT_EQ(of_workers, uint64_t{kSpaces * kCount});
  const Space one = db_->OpenSpace("space0", {}).value();
  EXPECT_EQ(one.GetStats()->latencies.to_indexed.count, uint64_t{kCount});

  // Another process' writes are not this one's.
  ASSERT_TRUE(db_->Close().ok());
  Open(1);
  EXPECT_EQ(db_->GetStats()->latencies.to_indexed.count, 0u);
}

}  // namespace
}  // namespace engram
