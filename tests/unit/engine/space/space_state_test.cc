// A space in memory: versions, snapshots and watermarks.

#include "engine/space/space_state.h"

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "space_harness.h"
#include "tests/support/test_vectors.h"

namespace engram::space {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TestVector;

class SpaceStateTest : public SpaceHarness {
 protected:
  SpaceStateTest() { Make(); }

  std::vector<Hit> Nearest(uint64_t seed, uint32_t k = 1) const {
    return Search(TestVector(kTestDimension, seed), k);
  }
  SpaceStats Stats() const { return space_->GetStats(0); }
};

// --- What is published is visible at once ------------------------------------

TEST_F(SpaceStateTest, AnEmptySpaceFindsNothing) {
  EXPECT_THAT(Nearest(1, 10), IsEmpty());
  EXPECT_THAT(*space_->ListIds(), IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(space_->Get("a", nullptr).status()));
  EXPECT_FALSE(space_->HasUnsaved());
}

TEST_F(SpaceStateTest, APublishedRecordIsFoundBeforeAndAfterItIsIndexed) {
  const Lsn lsn = Observe("a", 1, "payload");
  EXPECT_EQ(Stats().pending_records, 1u);
  EXPECT_EQ(Stats().pending_bytes, kAdmitted);
  EXPECT_EQ(Stats().nodes, 0u);
  ExpectMatchesModel();
  EXPECT_EQ(Nearest(1)[0].lsn, lsn);
  EXPECT_EQ(space_->Serve(10).finished, 1u);
  EXPECT_EQ(Stats().pending_records, 0u);
  EXPECT_EQ(Stats().nodes, 1u);
  ExpectMatchesModel();
  EXPECT_EQ(space_->Get("a", nullptr)->timestamp_us,
            static_cast<int64_t>(lsn - 1));
}

TEST_F(SpaceStateTest, ServeTakesTheOldestAndNoMoreThanItIsAskedFor) {
  for (int i = 0; i < 25; ++i) Observe(absl::StrCat(i), i);
  EXPECT_EQ(space_->Serve(10).finished, 10u);
  EXPECT_EQ(Stats().pending_records, 15u);
  EXPECT_TRUE(space_->IsIndexed(last_lsn_ - 15));
  EXPECT_FALSE(space_->IsIndexed(last_lsn_ - 14));
  EXPECT_EQ(space_->gate().records(), 15u) << "what is indexed makes room";
  EXPECT_EQ(space_->gate().bytes(), 15u * kAdmitted);
  ExpectMatchesModel();
  EXPECT_EQ(space_->Serve(100).finished, 15u);
  EXPECT_EQ(space_->gate().bytes(), 0u);
  ExpectMatchesModel();
}

// --- Versions ----------------------------------------------------------------

// Old and new version each waiting or indexed.
TEST_F(SpaceStateTest, AnUpsertReplacesWhereverTheOldVersionIs) {
  Observe("both waiting", 1, "old");
  Observe("both waiting", 2, "new");
  Observe("old indexed", 3, "old");
  ExpectMatchesModel();
  ServeAll();
  Observe("old indexed", 4, "new");
  ExpectMatchesModel();
  EXPECT_GT(Nearest(3)[0].distance, 0.01) << "the old version is gone";
  ServeAll();
  ExpectMatchesModel();
  EXPECT_GT(Nearest(1)[0].distance, 0.01);
  EXPECT_GT(Nearest(3)[0].distance, 0.01);
}

TEST_F(SpaceStateTest, ARemovalHidesWhereverTheVersionIs) {
  Observe("waiting", 1);
  Observe("indexed", 2);
  ServeAll();
  Observe("waiting", 3);
  Remove("waiting");
  Remove("indexed");
  Remove("never there");
  ExpectMatchesModel();
  EXPECT_THAT(Nearest(2, 10), IsEmpty());
  ServeAll();
  ExpectMatchesModel();
  EXPECT_THAT(*space_->ListIds(), IsEmpty());
}

TEST_F(SpaceStateTest, AnIdMayComeBackAfterItsRemoval) {
  Observe("a", 1, "first");
  Remove("a");
  Observe("a", 2, "second");
  ExpectMatchesModel();
  ServeAll();
  ExpectMatchesModel();
  Remove("a");
  ServeAll();
  Observe("a", 1, "third");
  ServeAll();
  ExpectMatchesModel();
}

TEST_F(SpaceStateTest, AVersionThatIsReplacedWhileItWaitsGetsNoNode) {
  for (int i = 0; i < 9; ++i) Observe("a", 1 + i);
  Observe("b", 50);
  Remove("b");
  EXPECT_EQ(space_->Serve(100).finished, 11u) << "all of them are processed";
  EXPECT_EQ(Stats().nodes, 1u);
  EXPECT_TRUE(space_->IsIndexed(last_lsn_));
  ExpectMatchesModel();
}

TEST_F(SpaceStateTest, TheSameVectorUnderManyIdsIsFoundUnderEach) {
  for (int i = 0; i < 30; ++i) Observe(absl::StrCat(i), 1);
  const auto expect_all = [&] {
    std::map<std::string, Lsn> found;
    for (const Hit& hit : Nearest(1, 40)) found[hit.id] = hit.lsn;
    EXPECT_EQ(found.size(), 30u);
  };
  expect_all();
  space_->Serve(13);
  expect_all();
  ServeAll();
  expect_all();
}

TEST_F(SpaceStateTest, TailAndGraphAreMergedByDistance) {
  Make(/*flat_records_max=*/10);
  for (int i = 0; i < 200; ++i) Observe(absl::StrCat(i), i);
  space_->Serve(100);
  ASSERT_TRUE(Stats().has_graph);
  ASSERT_EQ(Stats().pending_records, 100u);
  const auto query = TestVector(kTestDimension, 7777);
  std::vector<std::pair<double, std::string>> exact;
  for (const auto& [id, expected] : model_) {
    double distance = 0;
    for (uint32_t i = 0; i < kTestDimension; ++i) {
      const double d = expected.vector[i] - query[i];
      distance += d * d;
    }
    exact.emplace_back(distance, id);
  }
  std::sort(exact.begin(), exact.end());
  const std::vector<Hit> hits = Search(query, 20, 200);
  ASSERT_EQ(hits.size(), 20u);
  for (size_t i = 0; i < hits.size(); ++i) {
    EXPECT_EQ(hits[i].id, exact[i].second);
    EXPECT_NEAR(hits[i].distance, exact[i].first, 1e-4);
  }
}

TEST_F(SpaceStateTest, KBoundsTheHits) {
  for (int i = 0; i < 8; ++i) Observe(absl::StrCat(i), i);
  space_->Serve(4);
  EXPECT_EQ(Nearest(1, 3).size(), 3u);
  EXPECT_EQ(Nearest(1, 8).size(), 8u);
  EXPECT_EQ(Nearest(1, 9).size(), 8u);
}

// --- The graph ---------------------------------------------------------------

TEST_F(SpaceStateTest, TheGraphIsBuiltBeyondTheFlatLimitAndFindsTheSame) {
  Make(/*flat_records_max=*/100);
  for (int i = 0; i < 100; ++i) Observe(absl::StrCat(i), i);
  ServeAll();
  EXPECT_FALSE(Stats().has_graph);
  Observe("one more", 500);
  ServeAll();
  EXPECT_TRUE(Stats().has_graph);
  ExpectMatchesModel();
  for (int i = 0; i < 100; i += 3) Remove(absl::StrCat(i));
  for (int i = 1; i < 100; i += 3) Observe(absl::StrCat(i), 1000 + i);
  ExpectMatchesModel();
  ServeAll();
  ExpectMatchesModel();
}

TEST_F(SpaceStateTest, AGraphThatIsShortOfKFallsBackToTheExactScan) {
  Make(/*flat_records_max=*/10);
  for (int i = 0; i < 400; ++i) Observe(absl::StrCat(i), i);
  ServeAll();
  for (int i = 0; i < 395; ++i) Remove(absl::StrCat(i));
  ServeAll();
  EXPECT_EQ(Search(TestVector(kTestDimension, 9), 5, 5).size(), 5u);
  ExpectMatchesModel();
}

// --- Watermarks --------------------------------------------------------------

TEST_F(SpaceStateTest, WatermarksFollowTheRecordAndAreOrdered) {
  OpenStore();
  const auto expect = [&](Lsn acknowledged, Lsn indexed, Lsn checkpointed) {
    EXPECT_EQ(Stats().acknowledged_lsn, acknowledged);
    EXPECT_EQ(Stats().indexed_lsn, indexed);
    EXPECT_EQ(Stats().checkpoint_lsn, checkpointed);
  };
  const Lsn first = Observe("a", 1);
  expect(first, first - 1, first - 1);
  const Lsn second = Observe("b", 2);
  space_->Serve(1);
  expect(second, first, first - 1);
  EXPECT_TRUE(space_->IsIndexed(first));
  EXPECT_FALSE(space_->IsIndexed(second));
  EXPECT_FALSE(space_->IsCheckpointed(first));
  Lsn above = 0;
  EXPECT_TRUE(space_->NeedsLog(&above));
  EXPECT_EQ(above, first - 1);
  EXPECT_TRUE(space_->HasUnsaved());

  Checkpoint();
  expect(second, first, first);
  EXPECT_TRUE(space_->IsCheckpointed(first));
  EXPECT_FALSE(space_->IsCheckpointed(second));
  EXPECT_EQ(space_->head_checkpoint_lsn(), first);
  EXPECT_TRUE(space_->NeedsLog(&above));
  EXPECT_EQ(above, first);
  EXPECT_FALSE(space_->HasUnsaved()) << "what is left is not indexed";

  ServeAll();
  Checkpoint();
  expect(second, second, second);
  EXPECT_FALSE(space_->NeedsLog(&above));
}

TEST_F(SpaceStateTest, AnIdleSpaceStandsAtTheLogsLsn) {
  EXPECT_EQ(space_->GetStats(500).indexed_lsn, 500u);
  EXPECT_EQ(space_->GetStats(500).checkpoint_lsn, 500u);
  EXPECT_TRUE(space_->IsIndexed(500));
  EXPECT_TRUE(space_->IsCheckpointed(500));
  Lsn above = 0;
  EXPECT_FALSE(space_->NeedsLog(&above));
}

TEST_F(SpaceStateTest, ProgressIsReportedAfterEveryBatchAndCheckpoint) {
  OpenStore();
  int calls = 0;
  uint64_t released_records = 0;
  uint64_t released_bytes = 0;
  SpaceState::Observer observer;
  observer.on_progress = [&] { ++calls; };
  observer.on_released = [&](uint64_t records, uint64_t bytes) {
    released_records += records;
    released_bytes += bytes;
  };
  space_->set_observer(observer);
  Observe("a", 1);
  EXPECT_EQ(calls, 0);
  ServeAll();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(released_records, 1u);
  EXPECT_EQ(released_bytes, uint64_t{kAdmitted});
  Checkpoint();
  EXPECT_EQ(calls, 2);
}

TEST_F(SpaceStateTest, ADroppedSpaceProcessesRecordsWithoutLinkingThem) {
  Observe("a", 1);
  space_->MarkDropped(last_lsn_ + 1);
  EXPECT_EQ(space_->Serve(10).finished, 1u);
  EXPECT_EQ(Stats().nodes, 0u);
  EXPECT_EQ(space_->gate().records(), 0u);
}

// A reader that was inside when the space went is told so, not of damage.
// They stand in the sum over all spaces by then, which is not to fall when the
// space is left out of it.
TEST_F(SpaceStateTest, FrozenLatenciesStayAsTheyWere) {
  Observe("a", 1);
  ServeAll();
  Observe("b", 2);
  EXPECT_EQ(space_->FreezeLatencies().to_indexed.count(), 1u);
  ServeAll();
  const Latencies after = space_->GetLatencies();
  EXPECT_EQ(after.to_indexed.count(), 1u);
  EXPECT_EQ(after.durable_to_indexed.count(), 1u);
  EXPECT_EQ(after.to_durable.count(), 2u);
}

TEST_F(SpaceStateTest, ASavedRecordOfADroppedSpaceIsNotFoundRatherThanLost) {
  OpenStore();
  Observe("a", 1);
  ServeAll();
  Checkpoint();
  ASSERT_TRUE(store_->DropFamily(kFamily).ok());
  EXPECT_TRUE(absl::IsDataLoss(space_->Get("a", store_.get()).status()));
  space_->MarkDropped(last_lsn_ + 1);
  EXPECT_TRUE(absl::IsNotFound(space_->Get("a", store_.get()).status()));
}

TEST_F(SpaceStateTest, LsnsThatDoNotRiseAreABug) {
  Observe("a", 1);
  last_lsn_ -= 1;
  EXPECT_DEATH(Observe("b", 2), "");
}

// --- Under load --------------------------------------------------------------

// One id is observed again and again while it is searched for: exactly one
// version is found each time, and never an older one than before.
TEST_F(SpaceStateTest, ASearchSeesExactlyOneVersionOfAnIdThatChanges) {
  Make(/*flat_records_max=*/50);
  for (int i = 0; i < 100; ++i) Observe(absl::StrCat("other", i), 100 + i);
  Observe("hot", 1);
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      Lsn newest = 0;
      while (!stop) {
        Lsn seen = 0;
        int times = 0;
        for (const Hit& hit : Nearest(1, 500)) {
          if (hit.id != "hot") continue;
          ++times;
          seen = hit.lsn;
        }
        if (times != 1 || seen < newest) ++wrong;
        newest = seen;
        const auto stored = space_->Get("hot", nullptr);
        if (!stored.ok() || stored->lsn < newest) ++wrong;
      }
    });
  }
  std::thread worker([&] {
    while (!stop) {
      if (Stats().pending_records > 0) space_->Serve(7);
    }
  });
  for (int i = 0; i < 1500; ++i) Observe("hot", 1 + i % 3);
  stop = true;
  worker.join();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  ServeAll();
  ExpectMatchesModel();
}

}  // namespace
}  // namespace engram::space
