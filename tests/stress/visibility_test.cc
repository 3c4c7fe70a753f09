// What a search sees while writers, workers and checkpoints are at work: an
// acknowledged observation at once, a removed one never, each id once.

#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using testing::TemporaryDirectory;
using testing::TestVector;

constexpr uint32_t kDimension = 16;
constexpr std::chrono::milliseconds kDuration(1500);

// Runs the given loops at once, each until time is up, with a writer and a
// checkpointer beside them that keep the tail full and the graph growing.
class VisibilityTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  void SetUp() override {
    Options options;
    options.workers = 2;
    options.wal_segment_bytes = 1 << 20;
    options.wal_limit_bytes = 64 << 20;
    options.checkpoint_wal_bytes = 2 << 20;
    options.flat_records_max = GetParam();
    auto db = Db::Open(directory_.path() + "/db", options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    SpaceOptions space_options;
    space_options.dimension = kDimension;
    space_ = *db_->OpenSpace("busy", space_options);
  }

  void RunAll(const std::vector<std::function<void()>>& loops) {
    std::vector<std::thread> threads;
    threads.emplace_back([this] { LoadLoop(); });
    threads.emplace_back([this] { CheckpointLoop(); });
    for (const auto& loop : loops) threads.emplace_back(loop);
    std::this_thread::sleep_for(kDuration);
    done_ = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_GT(loads_, 0);
  }

  // Batches, so that many records wait at a time.
  void LoadLoop() {
    for (int round = 0; !done_; ++round) {
      WriteBatch batch;
      for (int i = 0; i < 50; ++i) {
        const int number = (round * 50 + i) % 5000;
        batch.Observe(space_, {absl::StrCat("load", number),
                               TestVector(kDimension, 1'000'000 + number), ""});
      }
      WriteOptions options;
      options.admission_timeout = absl::Seconds(60);
      const auto lsn = db_->Write(batch, options);
      ASSERT_TRUE(lsn.ok()) << lsn.status();
      ++loads_;
    }
  }

  void CheckpointLoop() {
    while (!done_) {
      const absl::Status status = db_->Checkpoint();
      ASSERT_TRUE(status.ok()) << status;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  std::vector<Hit> Search(const std::vector<float>& query, uint32_t k) {
    auto hits = space_.Search(query, {k, 0});
    EXPECT_TRUE(hits.ok()) << hits.status();
    return hits.value_or(std::vector<Hit>());
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Db> db_;
  Space space_;
  std::atomic<bool> done_{false};
  std::atomic<int> loads_{0};
};

TEST_P(VisibilityTest, AnUpsertedIdIsReturnedExactlyOnceByEverySearch) {
  const auto vector = TestVector(kDimension, 1);
  ASSERT_TRUE(space_.Observe({"upserted", vector, "0"}).ok());
  std::atomic<Lsn> acknowledged{0};
  std::atomic<int> searches{0};
  RunAll({[&] {
            for (int i = 1; !done_; ++i) {
              const auto lsn =
                  space_.Observe({"upserted", vector, absl::StrCat(i)});
              ASSERT_TRUE(lsn.ok()) << lsn.status();
              acknowledged = *lsn;
            }
          },
          [&] {
            while (!done_) {
              const Lsn before = acknowledged;
              const auto hits = Search(vector, 10);
              int found = 0;
              for (const Hit& hit : hits) {
                if (hit.id != "upserted") continue;
                ++found;
                ASSERT_GE(hit.lsn, before) << "an old version";
              }
              ASSERT_EQ(found, 1);
              ASSERT_EQ(hits.front().id, "upserted");
              std::set<std::string> ids;
              for (const Hit& hit : hits) ids.insert(hit.id);
              ASSERT_EQ(ids.size(), hits.size()) << "an id came twice";
              ++searches;
            }
          },
          [&] {
            while (!done_) {
              const Lsn before = acknowledged;
              const auto stored = space_.Get("upserted");
              ASSERT_TRUE(stored.ok()) << stored.status();
              ASSERT_GE(stored->lsn, before);
              ASSERT_EQ(stored->vector, vector);
            }
          }});
  EXPECT_GT(searches, 10);
}

TEST_P(VisibilityTest, ARemovedIdIsNeverReturnedAfterItsAcknowledgement) {
  std::atomic<int> removals{0};
  const auto remover = [&](int offset) {
    for (int i = offset; !done_; i += 2) {
      const std::string id = absl::StrCat("victim", i);
      const auto vector = TestVector(kDimension, 2'000'000 + i);
      ASSERT_TRUE(space_.Observe({id, vector, ""}).ok());
      if (i % 4 < 2) {  // also versions that are in the graph already
        const auto lsn = space_.GetStats()->acknowledged_lsn;
        ASSERT_TRUE(space_.Wait(lsn, Stage::kIndexed, absl::Seconds(30)).ok());
      }
      ASSERT_TRUE(space_.Remove(id).ok());
      for (const Hit& hit : Search(vector, 5)) ASSERT_NE(hit.id, id);
      ASSERT_TRUE(absl::IsNotFound(space_.Get(id).status()));
      ++removals;
    }
  };
  RunAll({[&] { remover(0); }, [&] { remover(1); }});
  // Each waits for all that was enqueued before it, which takes long where a
  // sanitizer slows indexing down.
  EXPECT_GE(removals, 4);
}

TEST_P(VisibilityTest, AnAcknowledgedObservationIsFoundByTheNextSearch) {
  std::atomic<int> observed{0};
  const auto observer = [&](int offset) {
    std::mt19937 random(static_cast<unsigned>(offset));
    for (int i = offset; !done_; i += 2) {
      const std::string id = absl::StrCat("fresh", i);
      const auto vector = TestVector(kDimension, 3'000'000 + i);
      const auto lsn = space_.Observe({id, vector, ""});
      ASSERT_TRUE(lsn.ok()) << lsn.status();
      const auto hits = Search(vector, 1);
      ASSERT_EQ(hits.size(), 1u);
      ASSERT_EQ(hits[0].id, id);
      ASSERT_EQ(hits[0].lsn, *lsn);
      // And one from before, wherever it stands by now.
      const int earlier = offset + 2 * static_cast<int>(random() % (i / 2 + 1));
      const auto again = Search(TestVector(kDimension, 3'000'000 + earlier), 1);
      ASSERT_EQ(again.size(), 1u);
      ASSERT_EQ(again[0].distance, 0);
      ++observed;
    }
  };
  RunAll({[&] { observer(0); }, [&] { observer(1); }});
  EXPECT_GT(observed, 10);
}

TEST_P(VisibilityTest, KHitsComeBackWhereverKObservationsLive) {
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(space_
                    .Observe({absl::StrCat("load", i),
                              TestVector(kDimension, 1'000'000 + i), ""})
                    .ok());
  }
  RunAll({[&] {
    for (int i = 0; !done_; ++i) {
      // The load only replaces these, it never removes any.
      ASSERT_EQ(Search(TestVector(kDimension, 4'000'000 + i), 30).size(), 30u);
    }
  }});
}

// Flat all the time; turning into a graph on the way; a graph almost at once.
INSTANTIATE_TEST_SUITE_P(FlatAndGraph, VisibilityTest,
                         ::testing::Values(1'000'000u, 2'000u, 10u));

}  // namespace
}  // namespace engram
