// Checkpoints that are written anew without the rows that are gone.

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/space/checkpoint_writer.h"
#include "engine/space/part_reader.h"
#include "gtest/gtest.h"
#include "schema/key_layout.h"
#include "space_harness.h"
#include "tests/support/test_vectors.h"

namespace engram::space {
namespace {

using testing::TestVector;

// The number says from how many versions on the space has a graph.
class RewriteTest : public SpaceHarness,
                    public ::testing::WithParamInterface<uint32_t> {
 protected:
  void SetUp() override {
    OpenStore();
    Make(GetParam());
  }

  // Overwrites ids until most rows are dead.
  void Fill(std::mt19937* random, int writes) {
    for (int i = 0; i < writes; ++i) {
      const std::string id = absl::StrCat("id", (*random)() % 120);
      if ((*random)() % 9 == 0) {
        Remove(id);
      } else {
        Observe(id, (*random)(), absl::StrCat("payload", i));
      }
      if (i % 40 == 0) ServeAll();
    }
    ServeAll();
    while (space_->Tidy()) {
    }
    if (space_->HasUnsaved()) Checkpoint();
  }

  void Rewrite() {
    const auto bytes = space_->Rewrite(store_.get());
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_GT(*bytes, 0u);
  }

  // That another owner finds the same ids, each with its record.
  void ExpectMatchesLoaded() {
    const std::shared_ptr<SpaceState> live = space_;
    ASSERT_TRUE(Reload(GetParam()).ok());
    std::vector<std::string> ids;
    for (const auto& [id, expected] : model_) {
      ids.push_back(id);
      const auto stored = space_->Get(id, store_.get());
      ASSERT_TRUE(stored.ok()) << stored.status();
      EXPECT_EQ(stored->lsn, expected.lsn) << id;
      EXPECT_EQ(stored->vector, expected.vector) << id;
    }
    EXPECT_EQ(*space_->ListIds(), ids);
    EXPECT_EQ(space_->GetStats(0).unreachable_nodes, 0u);
    space_ = live;
  }

  // All that the store holds is what the head lists.
  void ExpectNoStrayKeys() {
    const schema::Head head = ReadHead();
    size_t parts = 0;
    for (const char* prefix : {"l/", "v/"}) {
      ASSERT_TRUE(store_
                      ->Scan(kFamily, prefix,
                             [&parts](absl::string_view, absl::string_view) {
                               ++parts;
                               return absl::OkStatus();
                             })
                      .ok());
    }
    EXPECT_EQ(parts, head.vector_parts.size() + head.link_parts.size() +
                         head.link_deltas.size());
  }
};

TEST_P(RewriteTest, OnlyLiveRowsAreLeftAndNothingElseChanges) {
  std::mt19937 random(3);
  for (int i = 0; i < 8; ++i) Fill(&random, 150);
  EXPECT_TRUE(space_->HasDeadRows());
  EXPECT_GT(ReadHead().slot_count, 3 * model_.size());
  const Lsn saved = space_->head_checkpoint_lsn();
  Rewrite();
  EXPECT_EQ(ReadHead().slot_count, model_.size());
  EXPECT_FALSE(space_->HasDeadRows());
  EXPECT_EQ(space_->head_checkpoint_lsn(), saved);
  ExpectNoStrayKeys();
  ExpectMatchesModel();
  ASSERT_TRUE(Reload(GetParam()).ok());
  ExpectMatchesModel();
}

TEST_P(RewriteTest, CheckpointsGoOnBehindIt) {
  std::mt19937 random(4);
  for (int round = 0; round < 6; ++round) {
    Fill(&random, 200);
    Rewrite();
    ExpectMatchesModel();
    Fill(&random, 30);
    ExpectNoStrayKeys();
    ExpectMatchesModel();
    if (round % 2 == 1) {
      ASSERT_TRUE(Reload(GetParam()).ok());
      ExpectMatchesModel();
    }
  }
}

// Removed, still nodes, and seen by a search; waiting; and of no row yet.
TEST_P(RewriteTest, WhatIsOnItsWayIsNotDisturbed) {
  std::mt19937 random(5);
  Fill(&random, 400);
  index::EpochDomain::Guard reader = epochs_.Enter();
  for (int i = 0; i < 40; ++i) Observe(absl::StrCat("id", i), random());
  ServeAll();
  Checkpoint();
  for (int i = 20; i < 60; ++i) Remove(absl::StrCat("id", i));
  Observe("indexed", 1);
  ServeAll();
  Observe("waits", 2);
  Rewrite();
  ExpectMatchesModel();
  reader.Leave();
  ServeAll();
  while (space_->Tidy()) {
  }
  Checkpoint();
  ExpectMatchesModel();
  ASSERT_TRUE(Reload(GetParam()).ok());
  ExpectMatchesModel();
}

TEST_P(RewriteTest, CopiesKeepTheirHead) {
  for (int i = 0; i < 100; ++i) Observe(absl::StrCat("id", i), i);
  for (int i = 0; i < 60; ++i) {
    ObserveVector(absl::StrCat("copy", i), TestVector(kTestDimension, 7));
  }
  ServeAll();
  Checkpoint();
  Remove("id7");
  for (int i = 0; i < 20; ++i) Remove(absl::StrCat("copy", i));
  ServeAll();
  while (space_->Tidy()) {
  }
  Checkpoint();
  const uint64_t twins = space_->GetStats(0).twins;
  EXPECT_EQ(twins, GetParam() < 100 ? 39u : 0u);
  Rewrite();
  ASSERT_TRUE(Reload(GetParam()).ok());
  EXPECT_EQ(space_->GetStats(0).twins, twins);
  std::vector<std::string> ids;
  for (const auto& [id, expected] : model_) ids.push_back(id);
  EXPECT_EQ(*space_->ListIds(), ids);
  EXPECT_EQ(Search(TestVector(kTestDimension, 7), 40).back().distance, 0);
}

// A removed copy that a search still sees takes the place of its head, and is
// linked to: the row that it had must still be its own.
TEST_P(RewriteTest, ARemovedCopyKeepsItsRowAsLongAsItStandsInASlot) {
  for (int i = 0; i < 100; ++i) Observe(absl::StrCat("id", i), i);
  for (int i = 0; i < 3; ++i) {
    ObserveVector(absl::StrCat("copy", i), TestVector(kTestDimension, 7));
  }
  ServeAll();
  Checkpoint();
  index::EpochDomain::Guard sees_head = epochs_.Enter();
  Remove("id7");
  ServeAll();
  index::EpochDomain::Guard sees_copy = epochs_.Enter();
  Remove("copy2");  // the one that follows the head
  ServeAll();
  Checkpoint();
  Rewrite();
  sees_head.Leave();
  space_->Tidy();
  Observe("new", 1'000);
  ServeAll();
  Checkpoint();
  ExpectMatchesLoaded();
  sees_copy.Leave();
  while (space_->Tidy()) {
  }
  Observe("more", 1'001);
  ServeAll();
  Checkpoint();
  ExpectMatchesLoaded();
}

TEST_P(RewriteTest, ASpaceThatIsNotInMemoryIsRewrittenThere) {
  std::mt19937 random(6);
  for (int i = 0; i < 5; ++i) Fill(&random, 150);
  const schema::Head head = ReadHead();
  Make(GetParam());
  ASSERT_TRUE(space_->StartCold(store_.get(), head).ok());
  Observe("id1", 77, "new");
  Rewrite();
  EXPECT_FALSE(space_->is_resident());
  ExpectMatchesModel();
  ServeAll();
  Checkpoint();
  ASSERT_TRUE(Reload(GetParam()).ok());
  ExpectMatchesModel();
}

TEST_P(RewriteTest, ADamagedPartChangesNothing) {
  std::mt19937 random(8);
  for (int i = 0; i < 3; ++i) Fill(&random, 150);
  const schema::Head head = ReadHead();
  const std::string key = schema::VectorPartKey(
      head.vector_parts[1].index, head.vector_parts[1].generation);
  auto ingest = *store_->NewIngest(kFamily);
  ASSERT_TRUE(ingest->Put(key, "damaged").ok());
  ASSERT_TRUE(ingest->Commit().ok());
  EXPECT_TRUE(absl::IsDataLoss(space_->Rewrite(store_.get()).status()));
  EXPECT_EQ(ReadHead().generation, head.generation);
  EXPECT_EQ(ReadHead().slot_count, head.slot_count);
  ExpectMatchesModel();
}

INSTANTIATE_TEST_SUITE_P(, RewriteTest, ::testing::Values(100'000u, 50u),
                         [](const auto& param_info) {
                           return param_info.param == 50 ? "Graph" : "Flat";
                         });

}  // namespace
}  // namespace engram::space
