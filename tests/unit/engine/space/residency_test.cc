// A space whose index is read from its checkpoint on first use, and leaves
// memory again.

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/space/checkpoint_writer.h"
#include "gtest/gtest.h"
#include "schema/key_layout.h"
#include "space_harness.h"
#include "tests/support/test_vectors.h"

namespace engram::space {
namespace {

using testing::TestVector;

// The number says from how many versions on the space has a graph.
class ResidencyTest : public SpaceHarness,
                      public ::testing::WithParamInterface<uint32_t> {
 protected:
  void SetUp() override {
    OpenStore();
    Make(GetParam());
    for (int i = 0; i < 200; ++i) Observe(absl::StrCat("id", i), i, "saved");
    ServeAll();
    Checkpoint();
  }

  // The space as a new owner finds it.
  void StartCold() {
    const schema::Head head = ReadHead();
    Make(GetParam());
    ASSERT_TRUE(space_->StartCold(store_.get(), head).ok());
    SpaceState::Observer observer;
    observer.on_loaded = [this](const SpaceState::BacklogCounts& waiting) {
      ++loads_;
      for (const size_t records : waiting) told_of_ += records;
    };
    space_->set_observer(observer);
  }

  void HoldBack(size_t records) {
    SpaceState::BacklogCounts counts = {};
    counts[1] = records;
    ASSERT_TRUE(space_->HoldBack(counts));
  }

  size_t loads_ = 0;
  size_t told_of_ = 0;
};

TEST_P(ResidencyTest, ASearchLoadsWhatIsNotInMemory) {
  StartCold();
  EXPECT_FALSE(space_->is_resident());
  EXPECT_EQ(space_->resident_bytes(), 0u);
  SpaceStats stats = space_->GetStats(0);
  EXPECT_FALSE(stats.resident);
  EXPECT_EQ(stats.live_records, 200u);
  EXPECT_EQ(stats.nodes, 0u);
  EXPECT_EQ(stats.has_graph, GetParam() < 200);
  EXPECT_EQ(Search(TestVector(kTestDimension, 7), 1)[0].id, "id7");
  EXPECT_TRUE(space_->is_resident());
  EXPECT_GT(space_->resident_bytes(), 200 * kTestDimension * sizeof(float));
  stats = space_->GetStats(0);
  EXPECT_TRUE(stats.resident);
  EXPECT_EQ(stats.nodes, 200u);
  EXPECT_EQ(loads_, 1u);
  ExpectMatchesModel();
  EXPECT_EQ(loads_, 1u);
}

TEST_P(ResidencyTest, GetAndListIdsLoadIt) {
  StartCold();
  EXPECT_EQ(space_->Get("id3", store_.get())->payload, "saved");
  EXPECT_EQ(loads_, 1u);
  StartCold();
  EXPECT_EQ(space_->ListIds()->size(), 200u);
  EXPECT_EQ(loads_, 2u);
}

// What is published before the index is there ends what files have.
TEST_P(ResidencyTest, RecordsThatCameBeforeItWasLoadedCountInTheirOrder) {
  StartCold();
  Observe("id1", 901, "new");
  Observe("id2", 902, "new");
  Observe("id2", 903, "newer");
  Remove("id3");
  Remove("id4");
  Observe("id4", 904, "again");
  Observe("id5", 905, "new");
  Remove("id5");
  Observe("other", 906, "first");
  HoldBack(9);
  EXPECT_FALSE(space_->is_resident());
  ExpectMatchesModel();
  EXPECT_EQ(told_of_, 9u);
  EXPECT_FALSE(space_->HoldBack({})) << "it is in memory";
  ServeAll();
  ExpectMatchesModel();
  Checkpoint();
  StartCold();
  ExpectMatchesModel();
}

TEST_P(ResidencyTest, WhatIsSavedAndNotNeededLeavesMemoryAndComesBack) {
  ASSERT_TRUE(space_->Evict());
  EXPECT_FALSE(space_->is_resident());
  EXPECT_EQ(space_->resident_bytes(), 0u);
  EXPECT_FALSE(space_->Evict()) << "it is gone";
  EXPECT_EQ(space_->GetStats(0).evictions, 1u);
  Observe("id1", 901, "new");
  Remove("id2");
  ExpectMatchesModel();
  ServeAll();
  Checkpoint();
  while (space_->Tidy()) {
  }
  ASSERT_TRUE(space_->Evict());
  ExpectMatchesModel();
  EXPECT_EQ(space_->GetStats(0).evictions, 2u);
}

TEST_P(ResidencyTest, WhatIsNotSavedStays) {
  Observe("new", 500);
  EXPECT_FALSE(space_->Evict()) << "a record waits";
  ServeAll();
  EXPECT_FALSE(space_->Evict()) << "it is indexed, and not saved";
  Checkpoint();
  ASSERT_TRUE(space_->Evict());
  Remove("new");
  ExpectMatchesModel();
  index::EpochDomain::Guard reader = epochs_.Enter();
  ServeAll();
  EXPECT_FALSE(space_->Evict()) << "a removal is not saved";
  Checkpoint();
  EXPECT_FALSE(space_->Evict()) << "a removed version waits for a search";
  reader.Leave();
  while (space_->Tidy()) {
  }
  EXPECT_TRUE(space_->Evict());
  ExpectMatchesModel();
}

TEST_P(ResidencyTest, ASpaceWithoutACheckpointStays) {
  Make(GetParam());
  EXPECT_FALSE(space_->Evict());
  EXPECT_TRUE(space_->is_resident());
}

TEST_P(ResidencyTest, DamageShowsWhenItIsLoadedAndGoesWithIt) {
  const schema::Head head = ReadHead();
  const std::string key = schema::VectorPartKey(
      head.vector_parts[0].index, head.vector_parts[0].generation);
  const std::string intact = *store_->Get(kFamily, key);
  const auto put = [&](const std::string& value) {
    auto ingest = *store_->NewIngest(kFamily);
    ASSERT_TRUE(ingest->Put(key, value).ok());
    ASSERT_TRUE(ingest->Commit().ok());
  };
  put("damaged");
  StartCold();
  EXPECT_TRUE(space_->load_status().ok());
  Observe("id1", 901, "new");
  HoldBack(1);
  for (int i = 0; i < 2; ++i) {
    const auto hits =
        space_->Search(TestVector(kTestDimension, 1), {}, nullptr);
    EXPECT_TRUE(absl::IsDataLoss(hits.status())) << hits.status();
    EXPECT_TRUE(absl::IsDataLoss(space_->Get("id7", store_.get()).status()));
    EXPECT_TRUE(absl::IsDataLoss(space_->ListIds().status()));
    EXPECT_TRUE(absl::IsDataLoss(space_->load_status()));
    EXPECT_TRUE(absl::IsDataLoss(space_->GetStats(0).load_status));
  }
  EXPECT_EQ(told_of_, 0u);
  put(intact);
  ExpectMatchesModel();
  EXPECT_TRUE(space_->load_status().ok());
  EXPECT_EQ(told_of_, 1u);
}

// What waits for a space that was dropped has nothing to be indexed into, and
// its files may be gone.
TEST_P(ResidencyTest, ADroppedSpaceNeedsNoFiles) {
  StartCold();
  Observe("id1", 901, "new");
  HoldBack(1);
  space_->MarkDropped(last_lsn_ + 1);
  ASSERT_TRUE(store_->DropFamily(kFamily).ok());
  ASSERT_TRUE(space_->EnsureResident().ok());
  EXPECT_EQ(told_of_, 1u);
  ServeAll();
  EXPECT_EQ(space_->gate().records(), 0u);
}

// A power cut may still take the drop; then the space must be as it was.
TEST_P(ResidencyTest, ADroppedSpaceIsNotSavedWithoutWhatItLeftOut) {
  const schema::Head saved = ReadHead();
  StartCold();
  Observe("id1", 901, "new");
  HoldBack(1);
  space_->MarkDropped(last_lsn_ + 1);
  ASSERT_TRUE(space_->EnsureResident().ok());
  ServeAll();
  EXPECT_EQ(*CheckpointSpace(space_.get(), store_.get()), 0u);
  EXPECT_EQ(ReadHead().generation, saved.generation);
  EXPECT_EQ(ReadHead().live_count, 200u);
}

TEST_P(ResidencyTest, SearchesFindEverythingWhileItComesAndGoes) {
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> searches{0};
  std::vector<std::thread> readers;
  for (uint32_t reader = 0; reader < 3; ++reader) {
    readers.emplace_back([this, reader, &stop, &searches] {
      for (uint32_t i = reader; !stop.load(); ++i) {
        const std::string id = absl::StrCat("id", i % 200);
        const std::vector<Hit> hits =
            Search(TestVector(kTestDimension, i % 200), 1);
        ASSERT_EQ(hits.size(), 1u);
        ASSERT_EQ(hits[0].id, id);
        ASSERT_EQ(space_->Get(id, store_.get())->id, id);
        searches.fetch_add(1);
      }
    });
  }
  int evictions = 0;
  for (int i = 0; i < 30; ++i) {
    const uint64_t before = searches.load();
    Observe(absl::StrCat("more", i), 1'000 + i);
    ASSERT_TRUE(space_->EnsureResident().ok());
    ServeAll();
    Checkpoint();
    while (space_->Tidy()) std::this_thread::yield();
    evictions += space_->Evict();
    while (searches.load() < before + 3) std::this_thread::yield();
  }
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(evictions, 30);
  ExpectMatchesModel();
}

INSTANTIATE_TEST_SUITE_P(, ResidencyTest, ::testing::Values(100'000u, 50u),
                         [](const auto& param_info) {
                           return param_info.param == 50 ? "Graph" : "Flat";
                         });

}  // namespace
}  // namespace engram::space
