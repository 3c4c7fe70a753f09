// That what happens to a database moves the series that count it.

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engram/db.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/exposition.h"
#include "tests/support/slow_build.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using ::testing::IsEmpty;
using testing::TestVector;

constexpr uint32_t kDimension = 32;

using Values = std::map<std::string, double>;

class MetricsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.workers = 2;
    options_.flat_records_max = 100;
  }

  void Open(const std::string& name = "db") {
    db_.reset();
    auto db = Db::Open(directory_.PathOf(name), options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  Space OpenSpace(const std::string& name) {
    SpaceOptions options;
    options.dimension = kDimension;
    return db_->OpenSpace(name, options).value();
  }

  // One whose records take their time to be indexed.
  Space OpenSlowSpace(const std::string& name) {
    SpaceOptions options;
    options.dimension = kDimension;
    options.M = 32;
    options.ef_construction = 400;
    return db_->OpenSpace(name, options).value();
  }

  // Also checks the text itself.
  Values Read() {
    const absl::StatusOr<Metrics> metrics = db_->GetMetrics();
    EXPECT_TRUE(metrics.ok()) << metrics.status();
    const testing::Exposition text =
        testing::ParseExposition(PrometheusText(*metrics));
    EXPECT_THAT(text.faults, IsEmpty());
    return text.series;
  }

  // Reads until all of `series` are above `before`, where one that is not there
  // counts as 0. Some are counted a moment after one sees what they count.
  Values ExpectRise(const Values& before,
                    const std::vector<std::string>& series) {
    const auto value = [](const Values& values, const std::string& name) {
      const auto it = values.find(name);
      return it == values.end() ? 0 : it->second;
    };
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    for (;;) {
      Values now = Read();
      const bool rose = std::all_of(
          series.begin(), series.end(), [&](const std::string& name) {
            return value(now, name) > value(before, name);
          });
      if (rose) return now;
      if (absl::Now() < deadline) continue;
      for (const std::string& name : series) {
        EXPECT_GT(value(now, name), value(before, name)) << name;
      }
      return now;
    }
  }

  // One batch of ids from `first` on, admitted however large it is.
  Lsn Write(Space space, int first, int count) {
    WriteBatch batch;
    for (int i = first; i < first + count; ++i) {
      batch.Observe(
          space, {absl::StrCat("id", i), TestVector(kDimension, i), "payload"});
    }
    WriteOptions options;
    options.priority = Priority::kHigh;
    const absl::StatusOr<Lsn> lsn = db_->Write(batch, options);
    EXPECT_TRUE(lsn.ok()) << lsn.status();
    return lsn.value_or(0);
  }

  void WriteAndIndex(Space space, int first, int count) {
    const Lsn lsn = Write(space, first, count);
    ASSERT_TRUE(db_->Wait(lsn, Stage::kIndexed, absl::Minutes(2)).ok());
  }

  static absl::Status TryAtOnce(Space space) {
    WriteOptions options;
    options.admission_timeout = absl::ZeroDuration();
    return space.Observe({"more", TestVector(kDimension, 1), ""}, options)
        .status();
  }

  // The series that count refusals rise when a write is refused for `cause`.
  void ExpectRefusal(const std::string& cause) {
    Open(cause);
    Space space = OpenSlowSpace("a");
    const Values before = Read();
    // Again where the workers were done before this thread came to try.
    absl::Status status;
    for (int i = 0; status.ok() && i < 20; ++i) {
      Write(space, 300 * i, 300);
      status = TryAtOnce(space);
    }
    ASSERT_TRUE(absl::IsResourceExhausted(status)) << cause;
    std::vector<std::string> series = {
        absl::StrCat("engram_refused_writes_total{cause=\"", cause, "\"}")};
    if (absl::StartsWith(cause, "space")) {
      series.push_back(
          absl::StrCat("engram_space_refused_writes_total{space=\"a\",cause=\"",
                       cause, "\"}"));
    }
    const Values after = ExpectRise(before, series);
    for (const auto& [name, value] : after) {
      if (name.find("refused") == std::string::npos) continue;
      const bool named = std::count(series.begin(), series.end(), name) > 0;
      EXPECT_EQ(value, named ? 1 : 0) << name;
    }
  }

  testing::TemporaryDirectory directory_;
  Options options_;
  std::unique_ptr<Db> db_;
};

TEST_F(MetricsTest, WritesMoveTheSeriesOfWrites) {
  Open();
  const Values empty = Read();
  EXPECT_EQ(empty.at("engram_workers"), 2);
  EXPECT_EQ(empty.at("engram_spaces"), 0);
  WriteAndIndex(OpenSpace("a"), 0, 500);
  const Values after = ExpectRise(
      empty,
      {"engram_spaces",
       "engram_accepted_records_total",
       "engram_indexed_records_total",
       "engram_wal_groups_total",
       "engram_last_lsn",
       "engram_durable_lsn",
       "engram_worker_imbalance_ratio",
       "engram_ingest_seconds_count{stage=\"to_durable\"}",
       "engram_ingest_seconds_sum{stage=\"to_durable\"}",
       "engram_ingest_seconds{stage=\"to_durable\",quantile=\"0.5\"}",
       "engram_ingest_seconds_count{stage=\"durable_to_indexed\"}",
       "engram_ingest_seconds_sum{stage=\"durable_to_indexed\"}",
       "engram_ingest_seconds{stage=\"to_indexed\",quantile=\"1\"}",
       "engram_space_live_records{space=\"a\"}",
       "engram_space_nodes{space=\"a\"}",
       "engram_space_has_graph{space=\"a\"}",
       "engram_space_memory_bytes{space=\"a\"}",
       "engram_space_unsaved_bytes{space=\"a\"}",
       "engram_space_acknowledged_lsn{space=\"a\"}",
       "engram_space_indexed_lsn{space=\"a\"}",
       "engram_space_ingest_seconds_sum{space=\"a\",stage=\"to_indexed\"}"});
  EXPECT_EQ(after.at("engram_accepted_records_total"), 500);
  EXPECT_EQ(after.at("engram_ingest_seconds_count{stage=\"to_indexed\"}"), 500);
  EXPECT_EQ(after.at("engram_space_dimension{space=\"a\"}"), kDimension);
  EXPECT_EQ(after.at("engram_space_m{space=\"a\"}"), 16);
  EXPECT_EQ(after.at("engram_space_ef_construction{space=\"a\"}"), 100);
  EXPECT_GT(after.at("engram_wal_segments"), 0);
  EXPECT_GE(after.at("engram_wal_bytes"), 256 << 10);
  EXPECT_EQ(after.at("engram_wal_direct_io"),
            db_->GetStats()->wal_direct_io ? 1 : 0);
  // A sum lies between the count times the least and times the most.
  EXPECT_LE(after.at("engram_ingest_seconds_sum{stage=\"to_durable\"}"),
            500 * after.at("engram_ingest_seconds{stage=\"to_durable\","
                           "quantile=\"1\"}"));
}

TEST_F(MetricsTest, AFullQueueMovesPressure) {
  options_.total_pending_records_max = 200;
  options_.pending_records_max = 200;
  Open();
  Space space = OpenSlowSpace("a");
  const Values before = Read();
  const Lsn lsn = Write(space, 0, 400 + 2000 / testing::kSlowdown);
  ExpectRise(before, {"engram_pending_records", "engram_pending_bytes",
                      "engram_pressure_ratio", "engram_pressure_level",
                      "engram_space_pending_records{space=\"a\"}",
                      "engram_space_pending_bytes{space=\"a\"}",
                      "engram_space_pressure_ratio{space=\"a\"}",
                      "engram_space_pressure_level{space=\"a\"}"});
  ASSERT_TRUE(db_->Wait(lsn, Stage::kIndexed, absl::Minutes(2)).ok());
  EXPECT_EQ(Read().at("engram_space_pending_records{space=\"a\"}"), 0);
}

TEST_F(MetricsTest, RefusalsAreCountedByTheirCause) {
  options_.pending_records_max = 10;
  ExpectRefusal("space_records");
  options_.pending_records_max = Options().pending_records_max;
  options_.pending_bytes_max = 1000;
  ExpectRefusal("space_bytes");
  options_.pending_bytes_max = Options().pending_bytes_max;
  options_.total_pending_records_max = 10;
  ExpectRefusal("total_records");
  options_.total_pending_records_max = Options().total_pending_records_max;
  options_.total_pending_bytes_max = 1000;
  ExpectRefusal("total_bytes");
}

TEST_F(MetricsTest, AsynchronousWritesThatAreTooManyAreCounted) {
  options_.async_writes_max = 1;
  Open();
  Space space = OpenSpace("a");
  const Values before = Read();
  std::atomic<bool> go{false};
  std::atomic<bool> called{false};
  ASSERT_TRUE(space
                  .ObserveAsync({"a", TestVector(kDimension, 1), ""}, {},
                                [&](const absl::StatusOr<Lsn>&) {
                                  go.wait(false);
                                  called = true;
                                  called.notify_all();
                                })
                  .ok());
  WriteOptions options;
  options.admission_timeout = absl::ZeroDuration();
  EXPECT_TRUE(absl::IsResourceExhausted(
      space.ObserveAsync({"b", TestVector(kDimension, 1), ""}, options,
                         [](const absl::StatusOr<Lsn>&) {})));
  go = true;
  go.notify_all();
  called.wait(false);
  ExpectRise(before, {"engram_refused_writes_total{cause=\"async_writes\"}",
                      "engram_ingest_seconds_count{stage=\"to_durable\"}"});
}

// Checkpoints fail, so the log is not shortened.
TEST_F(MetricsTest, AFullLogAndFailedCheckpointsAreCounted) {
  options_.wal_segment_bytes = 256 << 10;
  options_.wal_limit_bytes = 1 << 20;
  Open();
  Space space = OpenSpace("a");
  const std::string scratch = directory_.PathOf("db") + "/kv/scratch";
  std::filesystem::remove_all(scratch);
  const Values before = Read();
  WriteOptions options;
  options.admission_timeout = absl::ZeroDuration();
  absl::Status status;
  for (int i = 0; status.ok(); ++i) {
    status = space
                 .Observe({absl::StrCat("id", i), TestVector(kDimension, i),
                           std::string(10'000, 'p')},
                          options)
                 .status();
  }
  ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
  ExpectRise(before, {"engram_refused_writes_total{cause=\"log\"}",
                      "engram_wal_segments", "engram_wal_bytes",
                      "engram_checkpoint_failed"});
  std::filesystem::create_directory(scratch);
}

TEST_F(MetricsTest, CheckpointsMoveTheirSeries) {
  Open();
  Space space = OpenSpace("a");
  WriteAndIndex(space, 0, 200);
  const Values before = Read();
  ASSERT_TRUE(db_->Checkpoint().ok());
  const Values after = ExpectRise(
      before,
      {"engram_checkpoints_total", "engram_checkpoint_bytes_total",
       "engram_low_water_lsn", "engram_space_checkpoint_lsn{space=\"a\"}",
       "engram_space_checkpoints_total{space=\"a\"}"});
  EXPECT_EQ(after.at("engram_checkpoint_failed"), 0);
  EXPECT_EQ(after.at("engram_space_unsaved_bytes{space=\"a\"}"), 0);
}

TEST_F(MetricsTest, SearchesAreCounted) {
  Open();
  Space space = OpenSpace("a");
  WriteAndIndex(space, 0, 500);
  const Values before = Read();
  ASSERT_EQ(space.Search(TestVector(kDimension, 1), {})->size(), 10u);
  const Values after =
      ExpectRise(before, {"engram_space_searches_total{space=\"a\"}"});
  EXPECT_EQ(after.at("engram_space_exact_fallbacks_total{space=\"a\"}"), 0);
}

TEST_F(MetricsTest, CopiesAndRemovalsMoveTheSeriesOfNodes) {
  Open();
  Space space = OpenSpace("a");
  WriteAndIndex(space, 0, 500);
  const Values before = Read();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(
        space.Observe({absl::StrCat("copy", i), TestVector(kDimension, 7), ""})
            .ok());
  }
  ASSERT_TRUE(
      db_->Wait(db_->GetStats()->last_lsn, Stage::kIndexed, absl::Minutes(1))
          .ok());
  const Values copied =
      ExpectRise(before, {"engram_space_twins{space=\"a\"}",
                          "engram_space_nodes{space=\"a\"}",
                          "engram_space_live_records{space=\"a\"}"});
  // A slot is retired until the searches that may be on their way through it
  // have ended, those of other spaces included.
  const Space large = OpenSpace("large");
  WriteAndIndex(large, 0, 2000);
  std::atomic<bool> stop{false};
  std::thread searcher([&] {
    SearchOptions all;
    all.k = 2000;
    all.exact = true;
    while (!stop)
      EXPECT_TRUE(large.Search(TestVector(kDimension, 1), all).ok());
  });
  double retired = 0;
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  for (int i = 0; retired == 0 && absl::Now() < deadline; ++i) {
    const std::string id = absl::StrCat("id", i % 500);
    EXPECT_TRUE(space.Observe({id, TestVector(kDimension, i), ""}).ok());
    EXPECT_TRUE(space.Remove(id).ok());
    retired = Read().at("engram_space_retired_slots{space=\"a\"}");
  }
  stop = true;
  searcher.join();
  EXPECT_GT(retired, 0);
  ExpectRise(copied, {"engram_space_acknowledged_lsn{space=\"a\"}"});
  EXPECT_LT(Read().at("engram_space_live_records{space=\"a\"}"),
            copied.at("engram_space_live_records{space=\"a\"}"));
}

TEST_F(MetricsTest, WorkMovesTheSeriesOfWorkers) {
  constexpr int kSpaces = 9;  // odd: no two workers are home of as many
  constexpr int kRounds = 60;
  Open();
  const Values before = Read();
  // Summed: which worker it is depends on where the spaces live.
  const std::vector<std::string> series = {
      "records_total",        "batches_total",        "batches_to_10_total",
      "batches_to_100_total", "batches_to_500_total", "joined_records_total",
      "joined_batches_total", "moves_total",          "busy_seconds_total",
      "cpu_seconds_total",    "ingest_seconds_count"};
  std::map<std::string, double> sums;
  for (int round = 0; round < kRounds; ++round) {
    WriteBatch batch;
    for (int i = 0; i < kSpaces; ++i) {
      const Space space = OpenSpace(absl::StrCat("s", i));
      for (int j = 0; j < 300; ++j) {
        batch.Observe(space, {absl::StrCat(j), TestVector(kDimension, j), ""});
      }
    }
    ASSERT_TRUE(db_->Write(batch).ok());
    Write(OpenSpace("hot"), 0, 1500);
    Write(OpenSpace("small"), 0, 5);
    ASSERT_TRUE(
        db_->Wait(db_->GetStats()->last_lsn, Stage::kIndexed, absl::Minutes(2))
            .ok());
    sums.clear();
    for (const auto& [name, value] : Read()) {
      for (const std::string& end : series) {
        if (absl::StartsWith(name, absl::StrCat("engram_worker_", end))) {
          sums[end] += value;
        }
      }
    }
    const bool all =
        std::all_of(series.begin(), series.end(),
                    [&](const std::string& end) { return sums[end] > 0; });
    if (all) break;
  }
  for (const std::string& end : series) EXPECT_GT(sums[end], 0) << end;
  EXPECT_EQ(before.at("engram_worker_moves_total{worker=\"1\"}"), 0);
}

TEST_F(MetricsTest, ADroppedSpaceTakesItsSeriesAndNoCountFalls) {
  Open();
  WriteAndIndex(OpenSpace("a"), 0, 300);
  const Values before = Read();
  ASSERT_TRUE(db_->DropSpace("a").ok());
  const Values after = Read();
  for (const auto& [name, value] : before) {
    if (absl::StrContains(name, "space=\"a\"")) {
      EXPECT_EQ(after.count(name), 0u) << name;
    } else if (absl::StrContains(name, "_total") ||
               absl::StrContains(name, "_count") ||
               absl::StrContains(name, "_sum")) {
      EXPECT_GE(after.at(name), value) << name;
    }
  }
  WriteAndIndex(OpenSpace("b"), 0, 1);
  EXPECT_EQ(Read().at("engram_ingest_seconds_count{stage=\"to_indexed\"}"),
            301);
}

TEST_F(MetricsTest, RepeatedWritesAreCounted) {
  Open();
  Space space = OpenSpace("a");
  const Values before = Read();
  WriteOptions options;
  options.stamp = ProducerStamp{7, 1};
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(
        space.Observe({"a", TestVector(kDimension, 1), ""}, options).ok());
  }
  const Values after =
      ExpectRise(before, {"engram_producers", "engram_duplicate_writes_total"});
  EXPECT_EQ(after.at("engram_duplicate_writes_total"), 1);
  EXPECT_EQ(after.at("engram_accepted_records_total"), 1);
}

// A copy of the folder while the owner lives is what a kill leaves.
TEST_F(MetricsTest, ReplayedRecordsAreCounted) {
  Open();
  Write(OpenSpace("a"), 0, 30);
  const std::string copy = directory_.PathOf("copy");
  std::filesystem::copy(directory_.PathOf("db"), copy,
                        std::filesystem::copy_options::recursive);
  Open("copy");
  EXPECT_EQ(Read().at("engram_replayed_records_total"), 30);
}

TEST_F(MetricsTest, AClosedDatabaseSaysSo) {
  Open();
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->GetMetrics().status()));
}

}  // namespace
}  // namespace engram
