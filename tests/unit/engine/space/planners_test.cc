// Several workers in one space.

#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "space_harness.h"
#include "tests/support/test_vectors.h"

namespace engram::space {
namespace {

using testing::TestVector;

constexpr int kCount = 3000;

class PlannersTest : public SpaceHarness {
 protected:
  PlannersTest() {
    description_.dimension = 24;
    description_.M = 16;
    description_.ef_construction = 100;
    description_.quantization = schema::Quantization::kInt8;
  }

  // Groups of near neighbors that arrive one after the other.
  static std::vector<float> Clustered(int i) {
    std::vector<float> vector = TestVector(24, static_cast<uint64_t>(i / 100));
    const std::vector<float> noise =
        TestVector(24, static_cast<uint64_t>(100'000 + i));
    for (size_t j = 0; j < vector.size(); ++j) vector[j] += 0.4f * noise[j];
    return vector;
  }

  // Indexes what waits with this many threads; the watermark must only rise.
  void ServeWith(int threads_count) {
    std::atomic<size_t> taken{0};
    std::atomic<size_t> finished{0};
    const size_t waiting = space_->gate().records();
    std::vector<std::thread> threads;
    for (int t = 0; t < threads_count; ++t) {
      threads.emplace_back([&] {
        while (taken < waiting) {
          const ingest::Served served = space_->Serve(40);
          taken += served.taken;
          finished += served.finished;
        }
      });
    }
    Lsn before = 0;
    while (finished < waiting) {
      const SpaceStats stats = space_->GetStats(0);
      EXPECT_GE(stats.indexed_lsn, before);
      EXPECT_LE(stats.indexed_lsn, stats.acknowledged_lsn);
      before = stats.indexed_lsn;
      EXPECT_TRUE(space_->IsIndexed(before));
      std::this_thread::yield();
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(taken, waiting);
    EXPECT_EQ(finished, waiting);
    EXPECT_EQ(space_->GetStats(0).pending_records, 0u);
    EXPECT_EQ(space_->gate().records(), 0u);
  }

  // How many of the ten nearest are found, on average.
  double Recall() {
    size_t found = 0;
    SearchOptions exact;
    exact.exact = true;
    constexpr int kQueries = 100;
    for (int q = 0; q < kQueries; ++q) {
      const std::vector<float> query = Clustered(q * 29 % kCount);
      std::set<std::string> expected;
      const auto nearest = space_->Search(query, exact, nullptr);
      for (const Hit& hit : *nearest) expected.insert(hit.id);
      for (const Hit& hit : Search(query, 10, 40)) {
        found += expected.count(hit.id);
      }
    }
    return static_cast<double>(found) / (10 * kQueries);
  }

  double RecallWith(int threads) {
    Make(/*flat_records_max=*/100);
    model_.clear();
    for (int i = 0; i < kCount; ++i) {
      ObserveVector(absl::StrCat(i), Clustered(i));
      if (i == 200) ServeWith(1);
    }
    ServeWith(threads);
    EXPECT_EQ(space_->GetStats(0).nodes, static_cast<uint64_t>(kCount));
    size_t lost = 0;
    for (const auto& [id, expected] : model_) {
      const auto hits = Search(expected.vector, 1, 200);
      lost += hits[0].id != id;
    }
    // Each is found by its own vector, but for a few that hide from everybody.
    EXPECT_LE(lost, kCount / 200) << threads << " threads";
    return Recall();
  }
};

TEST_F(PlannersTest, SeveralFindWhatOneFinds) {
  const double one = RecallWith(1);
  const double two = RecallWith(2);
  const double four = RecallWith(4);
  RecordProperty("recall", absl::StrCat(one, " ", two, " ", four));
  EXPECT_GE(one, 0.9);
  EXPECT_GE(two, one - 0.01);
  EXPECT_GE(four, one - 0.01);
}

TEST_F(PlannersTest, SeveralWorkBesideWritersReplacingAndSearching) {
  Make(/*flat_records_max=*/50);
  for (int i = 0; i < 300; ++i) Observe(absl::StrCat(i), i);
  ServeAll();
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        if (space_->Serve(20).taken == 0) std::this_thread::yield();
      }
    });
  }
  threads.emplace_back([&] {
    while (!stop) {
      std::set<std::string> ids;
      const auto hits = Search(TestVector(24, 1), 300, 300);
      for (const Hit& hit : hits) ids.insert(hit.id);
      ASSERT_EQ(hits.size(), 300u) << "none of them is ever removed";
      ASSERT_EQ(ids.size(), 300u);
    }
  });
  for (int i = 0; i < 3000; ++i) {
    Observe(absl::StrCat(i * 7 % 300), 10'000 + i);
  }
  while (space_->gate().records() > 0) std::this_thread::yield();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  // What the last batches left.
  for (int i = 0; i < 100 && space_->GetStats(0).retired_slots > 0; ++i) {
    space_->BeginCheckpoint();
    space_->AbortCheckpoint();
  }
  EXPECT_EQ(space_->GetStats(0).nodes, 300u);
  EXPECT_EQ(space_->GetStats(0).retired_slots, 0u);
  for (const auto& [id, expected] : model_) {
    EXPECT_EQ(Search(expected.vector, 1, 200)[0].lsn, expected.lsn);
  }
}

}  // namespace
}  // namespace engram::space
