// Checkpoints save the links that have changed. Put together, these are the
// links of the graph.

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/space/checkpoint_writer.h"
#include "engine/space/part_reader.h"
#include "gmock/gmock.h"
#include "space_harness.h"
#include "tests/support/test_vectors.h"

namespace engram::space {
namespace {

using testing::TestVector;

class LinkDeltaTest : public SpaceHarness {
 protected:
  static constexpr uint32_t kFlatMax = 50;
  static constexpr uint32_t kSeeds = 250;

  void SetUp() override {
    OpenStore();
    Make(kFlatMax);
  }

  void TidyUp() {
    ServeAll();
    while (space_->Tidy()) {
    }
  }

  // A walk of the graph depends on every list that it reads: how far it comes,
  // and what it finds, tells whether they are the same. Without rows that are
  // removed and not yet unlinked: those leave the graph when it is loaded.
  void ExpectSameWalksAfterLoading() {
    std::vector<std::vector<Hit>> hits;
    std::vector<SearchStats> stats;
    SearchOptions options;
    options.k = 5;
    options.ef_search = 8;
    for (uint32_t seed = 0; seed < kSeeds; ++seed) {
      stats.emplace_back();
      hits.push_back(*space_->Search(TestVector(kTestDimension, 7'000 + seed),
                                     options, &stats.back()));
    }
    const std::shared_ptr<SpaceState> live = space_;
    ASSERT_TRUE(Reload(kFlatMax).ok());
    EXPECT_EQ(space_->GetStats(0).twins, live->GetStats(0).twins);
    for (uint32_t seed = 0; seed < kSeeds; ++seed) {
      SearchStats loaded;
      const std::vector<Hit> found = *space_->Search(
          TestVector(kTestDimension, 7'000 + seed), options, &loaded);
      ASSERT_EQ(loaded.hops, stats[seed].hops) << seed;
      ASSERT_EQ(loaded.distances, stats[seed].distances) << seed;
      ASSERT_EQ(found.size(), hits[seed].size()) << seed;
      for (size_t i = 0; i < found.size(); ++i) {
        ASSERT_EQ(found[i].distance, hits[seed][i].distance) << seed;
      }
    }
    space_ = live;
  }

  // A write of some id; each vector stands under several, so there are twins.
  void WriteSomething(std::mt19937* random) {
    const std::string id = absl::StrCat("id", (*random)() % 400);
    const uint64_t seed = (*random)() % kSeeds;
    if ((*random)() % 10 == 0) {
      Remove(id);
    } else {
      Observe(id, seed);
    }
  }

  void FailCheckpoint() {
    if (!space_->HasUnsaved()) return;
    EXPECT_FALSE(CheckpointSpace(space_.get(), store_.get(), [](Lsn) {
                   return absl::InternalError("as it happens");
                 }).ok());
  }
};

TEST_F(LinkDeltaTest, TheLoadedGraphIsTheOneThatWasSavedInParts) {
  std::mt19937 random(31);
  size_t deltas_max = 0;
  for (int round = 0; round < 60 && !HasFatalFailure(); ++round) {
    {
      // A search keeps in the graph what is removed meanwhile.
      index::EpochDomain::Guard reader;
      if (round % 3 == 0) reader = epochs_.Enter();
      const uint32_t writes = random() % 40 + 1;
      for (uint32_t i = 0; i < writes; ++i) WriteSomething(&random);
      ServeAll();
      if (random() % 3 == 0) FailCheckpoint();
      if (random() % 3 == 0 && space_->HasUnsaved()) Checkpoint();
      if (random() % 3 == 0) FailCheckpoint();
    }
    TidyUp();
    Observe("last", static_cast<uint64_t>(round));
    TidyUp();
    Checkpoint();
    deltas_max = std::max(deltas_max, ReadHead().link_deltas.size());
    ExpectSameWalksAfterLoading();
  }
  EXPECT_GE(deltas_max, 2u);
}

TEST_F(LinkDeltaTest, SeveralThreadsReadWhatOneReads) {
  std::mt19937 random(33);
  for (uint64_t i = 0; i < 1'000; ++i) Observe(absl::StrCat("base", i), i);
  schema::Head head;
  while (head.link_deltas.size() < 4) {
    WriteSomething(&random);
    TidyUp();
    if (space_->HasUnsaved()) Checkpoint();
    head = ReadHead();
  }
  const auto read = [&](size_t threads) {
    return ReadAllLinks(*store_, space_->family(), head, threads);
  };
  const auto one = read(1);
  ASSERT_TRUE(one.ok()) << one.status();
  for (const size_t threads : {2, 3, 8}) {
    const auto several = read(threads);
    ASSERT_TRUE(several.ok()) << several.status();
    ASSERT_EQ(several->size(), one->size());
    for (size_t row = 0; row < one->size(); ++row) {
      EXPECT_EQ((*several)[row].slot, row);
      EXPECT_EQ((*several)[row].layers, (*one)[row].layers);
      EXPECT_EQ((*several)[row].twin_of, (*one)[row].twin_of);
      EXPECT_EQ((*several)[row].removed, (*one)[row].removed);
    }
  }
  // Two parts that are not what the head says: the first one is named.
  head.link_deltas[1].crc ^= 1;
  head.link_deltas[3].crc ^= 1;
  EXPECT_TRUE(absl::IsDataLoss(read(1).status())) << read(1).status();
  EXPECT_THAT(
      read(1).status().message(),
      ::testing::HasSubstr(absl::StrCat(LinkPartName(head.link_deltas[1]))));
  for (const size_t threads : {2, 3, 8}) {
    EXPECT_EQ(read(threads).status(), read(1).status());
  }
}

TEST_F(LinkDeltaTest, ALoadedGraphGoesOnWithDeltas) {
  std::mt19937 random(32);
  for (int round = 0; round < 30 && !HasFatalFailure(); ++round) {
    for (int i = 0; i < 20; ++i) WriteSomething(&random);
    TidyUp();
    Checkpoint();
    ExpectSameWalksAfterLoading();
    // Removed rows that others still link to are unlinked by loading.
    index::EpochDomain::Guard reader = epochs_.Enter();
    for (int i = 0; i < 5; ++i) Remove(absl::StrCat("id", random() % 400));
    Observe("last", random());
    ServeAll();
    Checkpoint();
    reader.Leave();
    ASSERT_TRUE(Reload(kFlatMax).ok());
  }
}

TEST_F(LinkDeltaTest, AFewWritesToALargeSpaceSaveAFewOfItsLinks) {
  for (int i = 0; i < 3000; ++i) {
    ObserveVector(absl::StrCat(i), TestVector(kTestDimension, 10'000 + i));
  }
  TidyUp();
  Checkpoint();
  EXPECT_TRUE(ReadHead().link_deltas.empty());
  for (int i = 0; i < 10; ++i) {
    ObserveVector(absl::StrCat("new", i), TestVector(kTestDimension, i));
  }
  TidyUp();
  Checkpoint();
  const schema::Head head = ReadHead();
  EXPECT_EQ(head.link_parts.back().generation, 1u) << "the base stays";
  ASSERT_EQ(head.link_deltas.size(), 1u);
  EXPECT_LE(head.link_deltas[0].count, 10 * (2 * description_.M + 10));
  ExpectSameWalksAfterLoading();
}

// What an older part says of a row is of the time before: there may have been
// no graph, or still one.
TEST_F(LinkDeltaTest, ADeltaMayBringTheGraphOrTakeIt) {
  // Until a base was just made of many rows, most of them dead.
  uint64_t seed = 10'000;
  do {
    for (int i = 0; i < 40; ++i) {
      Observe(absl::StrCat("id", i), ++seed);
      TidyUp();  // what it replaced counts as long as it is there
    }
    Checkpoint();
  } while (ReadHead().slot_count < 600 || !ReadHead().link_deltas.empty());
  EXPECT_FALSE(ReadHead().has_graph);
  const uint64_t base = ReadHead().link_parts.back().generation;
  for (int i = 0; i < 20; ++i) {
    Observe(absl::StrCat("more", i), 20'000 + static_cast<uint64_t>(i));
  }
  TidyUp();
  Checkpoint();
  EXPECT_TRUE(ReadHead().has_graph);
  EXPECT_EQ(ReadHead().link_parts.back().generation, base);
  ASSERT_TRUE(Reload(kFlatMax).ok());
  EXPECT_EQ(space_->GetStats(0).live_records, 60u);
  for (int i = 0; i < 40; ++i) Remove(absl::StrCat("id", i));
  for (int i = 0; i < 20; ++i) Remove(absl::StrCat("more", i));
  TidyUp();
  Checkpoint();
  EXPECT_FALSE(ReadHead().has_graph);
  EXPECT_FALSE(ReadHead().link_deltas.empty());
  ASSERT_TRUE(Reload(kFlatMax).ok());
  EXPECT_EQ(space_->GetStats(0).live_records, 0u);
}

// Each row of a delta is written again when the deltas before it double, and
// loading reads no more than .6 of the base.
TEST_F(LinkDeltaTest, DeltasAreFewAndBecomeABase) {
  for (int i = 0; i < 400; ++i) {
    ObserveVector(absl::StrCat(i), TestVector(kTestDimension, 10'000 + i));
  }
  TidyUp();
  Checkpoint();
  size_t bases = 0;
  uint64_t base = 1;
  for (int i = 0; i < 60; ++i) {
    ObserveVector(absl::StrCat(i), TestVector(kTestDimension, i));
    TidyUp();
    Checkpoint();
    const schema::Head head = ReadHead();
    if (head.link_parts[0].generation != base) {
      base = head.link_parts[0].generation;
      ++bases;
    }
    uint64_t rows = 0;
    for (const schema::PartReference& part : head.link_deltas) {
      rows += part.count;
    }
    ASSERT_LE(rows, head.slot_count * 6 / 10);
    ASSERT_LE(head.link_deltas.size(), 12u);
  }
  EXPECT_GE(bases, 2u);
  EXPECT_LE(bases, 20u);
  ExpectSameWalksAfterLoading();
}

}  // namespace
}  // namespace engram::space
