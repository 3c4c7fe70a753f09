// Ids that are overwritten and removed without end while they are searched for:
// slots change hands under the searches, and memory stays what it is.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using testing::TemporaryDirectory;
using testing::TestVector;

constexpr uint32_t kDimension = 32;
constexpr int kIds = 400;
constexpr std::chrono::milliseconds kDuration(2500);

// The number says from how many versions on the space has a graph.
class ChurnTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  void SetUp() override {
    Options options;
    options.workers = 3;
    options.wal_segment_bytes = 1 << 20;
    options.wal_limit_bytes = 64 << 20;
    options.checkpoint_wal_bytes = 2 << 20;
    options.flat_records_max = GetParam();
    auto db = Db::Open(directory_.path() + "/db", options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    SpaceOptions space_options;
    space_options.dimension = kDimension;
    space_options.quantization = Quantization::kInt8;
    space_ = *db_->OpenSpace("churn", space_options);
    for (int i = 0; i < kIds; ++i) Observe(i, 0);
    AwaitIndexed();
  }

  // All vectors of an id are close to each other and far from any other's.
  static std::vector<float> Vector(int id, uint64_t version) {
    std::vector<float> vector =
        TestVector(kDimension, static_cast<uint64_t>(id));
    const std::vector<float> noise =
        TestVector(kDimension, 1'000'000 + version);
    for (size_t i = 0; i < vector.size(); ++i) vector[i] += 0.01f * noise[i];
    return vector;
  }

  void Observe(int id, uint64_t version) {
    WriteOptions options;
    options.admission_timeout = absl::Seconds(60);
    const auto lsn = space_.Observe(
        {absl::StrCat(id), Vector(id, version), "payload"}, options);
    ASSERT_TRUE(lsn.ok()) << lsn.status();
  }

  void AwaitIndexed() {
    const Lsn lsn = space_.GetStats()->acknowledged_lsn;
    ASSERT_TRUE(space_.Wait(lsn, Stage::kIndexed, absl::Seconds(60)).ok());
  }

  // Until nothing is retired; what the last batch left goes with a checkpoint.
  SpaceStats Settled() {
    AwaitIndexed();
    for (int i = 0; i < 1000; ++i) {
      // Checkpoints of nothing do nothing.
      Observe(0, static_cast<uint64_t>(i));
      AwaitIndexed();
      EXPECT_TRUE(db_->Checkpoint().ok());
      const SpaceStats stats = *space_.GetStats();
      if (stats.retired_slots == 0) return stats;
    }
    return *space_.GetStats();
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Db> db_;
  Space space_;
  std::atomic<bool> done_{false};
};

TEST_P(ChurnTest, OverwritingEverythingUnderSearchesConfusesNoSearch) {
  const uint64_t memory_before = Settled().memory_bytes;
  std::atomic<uint64_t> writes{0};
  std::atomic<uint64_t> searches{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t version = 1; !done_; ++version) {
        for (int id = t; id < kIds && !done_; id += 2) {
          Observe(id, version);
          ++writes;
        }
      }
    });
  }
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      while (!done_) {
        const int id = static_cast<int>(random() % kIds);
        SearchOptions options;
        options.k = 20;
        options.exact = random() % 4 == 0;
        const auto hits = space_.Search(Vector(id, 0), options);
        ASSERT_TRUE(hits.ok()) << hits.status();
        ASSERT_EQ(hits->size(), 20u);
        ASSERT_EQ((*hits)[0].id, absl::StrCat(id));
        ASSERT_LT((*hits)[0].distance, 0.2) << "another vector's distance";
        ASSERT_GT((*hits)[1].distance, 0.2) << "its id came twice, or lies";
        std::set<std::string> ids;
        for (const Hit& hit : *hits) ids.insert(hit.id);
        ASSERT_EQ(ids.size(), 20u);
        const auto stored = space_.Get(absl::StrCat(id));
        ASSERT_TRUE(stored.ok()) << stored.status();
        ++searches;
      }
    });
  }
  threads.emplace_back([&] {
    while (!done_) {
      const absl::Status status = db_->Checkpoint();
      ASSERT_TRUE(status.ok()) << status;
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
    }
  });
  std::this_thread::sleep_for(kDuration);
  done_ = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(writes, 100u);
  EXPECT_GT(searches, 10u);
  const SpaceStats stats = Settled();
  EXPECT_EQ(stats.nodes, static_cast<uint64_t>(kIds));
  EXPECT_EQ(stats.retired_slots, 0u);
  EXPECT_EQ(stats.unreachable_nodes, 0u);
  // Slots for what was in flight come on top, and never go.
  EXPECT_LE(stats.memory_bytes, 4 * memory_before + (8 << 20));
}

TEST_P(ChurnTest, RemovedIdsNeverComeBackAndTheOthersAreAllFound) {
  // Below this all ids stay; those above come and go.
  constexpr int kStaying = 100;
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t version = 1; !done_; ++version) {
        for (int id = kStaying + t; id < kIds && !done_; id += 2) {
          ASSERT_TRUE(space_.Remove(absl::StrCat(id)).ok());
          SearchOptions options;
          options.k = 3;
          const auto hits = space_.Search(Vector(id, 0), options);
          ASSERT_TRUE(hits.ok()) << hits.status();
          for (const Hit& hit : *hits) ASSERT_NE(hit.id, absl::StrCat(id));
          Observe(id, version);
        }
      }
    });
  }
  threads.emplace_back([&] {
    std::mt19937 random(7);
    while (!done_) {
      SearchOptions options;
      options.k = kStaying;
      const int id = static_cast<int>(random() % kStaying);
      const auto hits = space_.Search(Vector(id, 0), options);
      ASSERT_TRUE(hits.ok()) << hits.status();
      ASSERT_EQ(hits->size(), static_cast<size_t>(kStaying));
      ASSERT_EQ((*hits)[0].id, absl::StrCat(id));
    }
  });
  std::this_thread::sleep_for(kDuration);
  done_ = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Settled().nodes, space_.GetStats()->live_records);
}

INSTANTIATE_TEST_SUITE_P(FlatAndGraph, ChurnTest,
                         ::testing::Values(1'000'000u, 20u));

}  // namespace
}  // namespace engram
