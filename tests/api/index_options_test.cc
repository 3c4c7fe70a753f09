// Every way of comparing vectors, through the API: found, read back, and the
// same after reopening.

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/support/slow_build.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using testing::TestVector;

constexpr uint32_t kDimension = 48;
constexpr int kCount = testing::kSlowdown == 1 ? 1500 : 600;

struct Setting {
  Metric metric;
  Quantization quantization;
  Stored stored;
};

class IndexOptionsTest : public ::testing::TestWithParam<Setting> {
 protected:
  void Open() {
    db_.reset();
    Options options;
    options.workers = 2;
    options.wal_segment_bytes = 1 << 20;
    options.wal_limit_bytes = 64 << 20;
    options.flat_records_max = 200;
    auto db = Db::Open(directory_.PathOf("db"), options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    SpaceOptions space_options;
    space_options.dimension = kDimension;
    space_options.metric = GetParam().metric;
    space_options.quantization = GetParam().quantization;
    space_options.stored = GetParam().stored;
    auto space = db_->OpenSpace("notes", space_options);
    ASSERT_TRUE(space.ok()) << space.status();
    space_ = *space;
  }

  void Write(int first, int end, uint64_t seed) {
    WriteBatch batch;
    for (int i = first; i < end; ++i) {
      batch.Observe(space_,
                    {absl::StrCat(i),
                     TestVector(kDimension, seed + static_cast<uint64_t>(i)),
                     absl::StrCat("payload ", seed + i)});
    }
    const auto lsn = db_->Write(batch);
    ASSERT_TRUE(lsn.ok()) << lsn.status();
    ASSERT_TRUE(space_.Wait(*lsn, Stage::kIndexed, absl::Seconds(60)).ok());
  }

  std::vector<Hit> Search(uint64_t seed, bool exact = false,
                          SearchStats* stats = nullptr) const {
    SearchOptions options;
    options.exact = exact;
    options.ef_search = 200;
    const auto hits =
        space_.Search(TestVector(kDimension, seed), options, stats);
    EXPECT_TRUE(hits.ok()) << hits.status();
    return hits.value_or(std::vector<Hit>());
  }

  void CheckGets() {
    for (int i = 0; i < kCount; i += 31) {
      const uint64_t seed =
          static_cast<uint64_t>(i) + (i < kCount / 3 ? 1'000'000 : 0);
      const auto stored = space_.Get(absl::StrCat(i));
      ASSERT_TRUE(stored.ok()) << stored.status();
      ASSERT_EQ(stored->vector, TestVector(kDimension, seed));
      ASSERT_EQ(stored->payload, absl::StrCat("payload ", seed));
    }
  }

  double Recall() const {
    size_t found = 0;
    for (uint64_t q = 0; q < 50; ++q) {
      std::set<std::string> expected;
      for (const Hit& hit : Search(7'000'000 + q, true)) {
        expected.insert(hit.id);
      }
      for (const Hit& hit : Search(7'000'000 + q)) {
        found += expected.count(hit.id);
      }
    }
    return static_cast<double>(found) / 500;
  }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<Db> db_;
  Space space_;
};

TEST_P(IndexOptionsTest, FindsReadsAndReopens) {
  Open();
  Write(0, kCount, 0);
  Write(0, kCount / 3, 1'000'000);
  const SpaceStats stats = *space_.GetStats();
  EXPECT_TRUE(stats.has_graph);
  EXPECT_EQ(stats.quantization, GetParam().quantization);
  EXPECT_EQ(stats.options.quantization, GetParam().quantization);
  EXPECT_EQ(stats.options.stored, GetParam().stored);
  EXPECT_GT(stats.memory_bytes, uint64_t{kCount} * kDimension);
  CheckGets();
  const double recall = Recall();
  EXPECT_GE(recall, 0.85);
  RecordProperty("recall", absl::StrCat(recall));

  // A pending record has an exact distance, and what was replaced is unlinked
  // when nobody writes: until then the answers change.
  for (SpaceStats now = *space_.GetStats();
       now.pending_records + now.retired_slots > 0; now = *space_.GetStats()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_EQ(space_.GetStats()->unreachable_nodes, 0u);
  CheckGets();
  std::vector<std::vector<Hit>> before;
  for (uint64_t q = 0; q < 30; ++q) before.push_back(Search(8'000'000 + q));
  Open();
  CheckGets();
  EXPECT_EQ(space_.GetStats()->nodes, static_cast<uint64_t>(kCount));
  for (uint64_t q = 0; q < 30; ++q) {
    const std::vector<Hit> after = Search(8'000'000 + q);
    ASSERT_EQ(after.size(), before[q].size());
    for (size_t i = 0; i < after.size(); ++i) {
      EXPECT_EQ(after[i].id, before[q][i].id);
      EXPECT_EQ(after[i].distance, before[q][i].distance);
    }
  }
}

std::vector<Setting> AllSettings() {
  std::vector<Setting> settings;
  for (const Metric metric :
       {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    for (const Quantization quantization :
         {Quantization::kNone, Quantization::kInt8, Quantization::kInt4,
          Quantization::kInt2}) {
      settings.push_back({metric, quantization, Stored::kF32});
      if (quantization != Quantization::kNone) {
        settings.push_back({metric, quantization, Stored::kNone});
      }
    }
  }
  return settings;
}

INSTANTIATE_TEST_SUITE_P(, IndexOptionsTest, ::testing::ValuesIn(AllSettings()),
                         [](const auto& param_info) {
                           const Setting& setting = param_info.param;
                           return absl::StrCat(
                               "metric", static_cast<int>(setting.metric),
                               "quantization",
                               static_cast<int>(setting.quantization), "stored",
                               static_cast<int>(setting.stored));
                         });

// --- What a search says of itself
// ---------------------------------------------

class SearchStatsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Options options;
    options.flat_records_max = 100;
    auto db = Db::Open(directory_.PathOf("db"), options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    SpaceOptions space_options;
    space_options.dimension = 16;
    space_ = *db_->OpenSpace("notes", space_options);
  }

  void Write(int count, uint64_t seed = 0) {
    WriteBatch batch;
    for (int i = 0; i < count; ++i) {
      batch.Observe(space_,
                    {absl::StrCat(i),
                     TestVector(16, seed + static_cast<uint64_t>(i)), ""});
    }
    ASSERT_TRUE(
        space_
            .Wait(db_->Write(batch).value(), Stage::kIndexed, absl::Seconds(60))
            .ok());
  }

  SearchStats StatsOf(const SearchOptions& options) {
    SearchStats stats;
    EXPECT_TRUE(space_.Search(TestVector(16, 5), options, &stats).ok());
    return stats;
  }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<Db> db_;
  Space space_;
};

TEST_F(SearchStatsTest, ASmallSpaceIsComparedAsAWhole) {
  Write(60);
  const SearchStats stats = StatsOf({});
  EXPECT_EQ(stats.plan, SearchPlan::kFlat);
  EXPECT_EQ(stats.distances, 60u);
  EXPECT_EQ(stats.tail_distances, 0u);
  EXPECT_EQ(stats.hops, 0u);
}

TEST_F(SearchStatsTest, AGraphIsWalkedUnlessAllIsAskedFor) {
  Write(2000);
  SearchOptions options;
  options.ef_search = 20;
  const SearchStats walk = StatsOf(options);
  EXPECT_EQ(walk.plan, SearchPlan::kGraph);
  EXPECT_GT(walk.distances, 20u);
  EXPECT_LT(walk.distances, 2000u);
  EXPECT_GT(walk.hops, 1u);
  options.exact = true;
  const SearchStats exact = StatsOf(options);
  EXPECT_EQ(exact.plan, SearchPlan::kExact);
  EXPECT_EQ(exact.distances, 2000u);
  EXPECT_EQ(exact.hops, 0u);
}

// --- Copies
// -------------------------------------------------------------------

TEST_F(SearchStatsTest, TwoHundredCopiesAreFoundEachAndStayWhenTheFirstGoes) {
  Write(300, 1000);
  const std::vector<float> same = TestVector(16, 5);
  WriteBatch batch;
  for (int i = 0; i < 200; ++i) {
    batch.Observe(space_, {absl::StrCat("copy", i), same, ""});
  }
  ASSERT_TRUE(
      space_.Wait(db_->Write(batch).value(), Stage::kIndexed, absl::Seconds(60))
          .ok());
  EXPECT_EQ(space_.GetStats()->twins, 199u);
  const auto copies = [&] {
    SearchOptions options;
    options.k = 200;
    std::set<std::string> ids;
    const auto hits = space_.Search(same, options);
    for (const Hit& hit : *hits) {
      if (hit.distance == 0) ids.insert(hit.id);
    }
    return ids;
  };
  EXPECT_EQ(copies().size(), 200u);
  const Lsn lsn = space_.Remove("copy0").value();
  ASSERT_TRUE(space_.Wait(lsn, Stage::kIndexed, absl::Seconds(60)).ok());
  EXPECT_EQ(copies().size(), 199u);
  EXPECT_EQ(copies().count("copy0"), 0u);
  ASSERT_TRUE(db_->Close().ok());
  db_ = Db::Open(directory_.PathOf("db"), Options()).value();
  space_ = *db_->OpenSpace("notes", {});
  EXPECT_EQ(copies().size(), 199u);
  EXPECT_EQ(copies().count("copy0"), 0u);
}

}  // namespace
}  // namespace engram
