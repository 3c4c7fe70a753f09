// A space saved to a real store and loaded again.

#include <filesystem>
#include <random>

#include "absl/strings/str_cat.h"
#include "engine/space/checkpoint_writer.h"
#include "gmock/gmock.h"
#include "schema/key_layout.h"
#include "schema/link_node.h"
#include "schema/link_part_builder.h"
#include "schema/part_codec.h"
#include "space_harness.h"
#include "tests/support/test_vectors.h"

namespace engram::space {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TestVector;

// The number says from how many versions on the space has a graph.
class CheckpointTest : public SpaceHarness,
                       public ::testing::WithParamInterface<uint32_t> {
 protected:
  void SetUp() override {
    OpenStore();
    Make(GetParam());
  }

  void ReloadAndCompare() {
    const absl::Status status = Reload(GetParam());
    ASSERT_TRUE(status.ok()) << status;
    ExpectMatchesModel();
  }

  // The ids whose records stand in the store.
  std::vector<std::string> SavedIds() {
    std::vector<std::string> ids;
    const absl::Status status = store_->Scan(
        kFamily, schema::kRecordPrefix,
        [&](absl::string_view key, absl::string_view) {
          ids.emplace_back(key.substr(schema::kRecordPrefix.size()));
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
    return ids;
  }

  std::vector<std::string> ModelIds() const {
    std::vector<std::string> ids;
    for (const auto& [id, expected] : model_) ids.push_back(id);
    return ids;
  }

  // Checkpoints of which nothing can be written.
  void FailCheckpoint() {
    std::filesystem::remove_all(path() + "/scratch");
    EXPECT_FALSE(CheckpointSpace(space_.get(), store_.get()).ok());
    std::filesystem::create_directory(path() + "/scratch");
  }
};

TEST_P(CheckpointTest, WhatIsSavedIsLoaded) {
  for (int i = 0; i < 300; ++i) {
    Observe(absl::StrCat("id", i), i, absl::StrCat("payload", i));
  }
  ServeAll();
  Checkpoint();
  ExpectMatchesModel();
  ReloadAndCompare();
  EXPECT_EQ(space_->GetStats(0).has_graph, GetParam() < 300);
  EXPECT_EQ(space_->head_checkpoint_lsn(), last_lsn_);
  EXPECT_FALSE(space_->HasUnsaved());
}

// After a power cut, a head that is ahead of the log would claim LSNs that the
// log hands out again.
TEST_P(CheckpointTest, NothingIsSavedThatTheLogMayStillLose) {
  Observe("a", 1);
  Observe("b", 2);
  ServeAll();
  Lsn asked = 0;
  const absl::Status refused =
      CheckpointSpace(space_.get(), store_.get(), [&asked](Lsn lsn) {
        asked = lsn;
        return absl::InternalError("the log has failed");
      }).status();
  EXPECT_EQ(refused, absl::InternalError("the log has failed"));
  EXPECT_EQ(asked, last_lsn_);
  EXPECT_EQ(space_->head_checkpoint_lsn(), 0u);
  EXPECT_TRUE(space_->HasUnsaved());
  Checkpoint();
  ReloadAndCompare();
}

TEST_P(CheckpointTest, NothingNewIsNotSavedAgain) {
  Observe("a", 1);
  ServeAll();
  Checkpoint();
  EXPECT_EQ(*CheckpointSpace(space_.get(), store_.get()), 0u);
  EXPECT_EQ(ReadHead().generation, 1u);
  ASSERT_TRUE(Reload(GetParam()).ok());
  EXPECT_EQ(*CheckpointSpace(space_.get(), store_.get()), 0u);
}

TEST_P(CheckpointTest, ASpaceThatLostAllItsRecordsIsSavedAndLoaded) {
  for (int i = 0; i < 120; ++i) Observe(absl::StrCat(i), i);
  ServeAll();
  Checkpoint();
  for (int i = 0; i < 120; ++i) Remove(absl::StrCat(i));
  ServeAll();
  Checkpoint();
  ReloadAndCompare();
  EXPECT_THAT(SavedIds(), IsEmpty());
  EXPECT_EQ(ReadHead().live_count, 0u);
  Observe("1", 5);
  ServeAll();
  Checkpoint();
  ReloadAndCompare();
}

TEST_P(CheckpointTest, ManyCheckpointsWithUpsertsAndRemovalsBetween) {
  std::mt19937 random(17);
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 60; ++i) {
      const std::string id = absl::StrCat("id", random() % 90);
      if (random() % 4 == 0) {
        Remove(id);
      } else {
        Observe(id, random(), absl::StrCat("round ", round, ", ", i));
      }
      if (random() % 20 == 0) space_->Serve(random() % 30 + 1);
    }
    ServeAll();
    Checkpoint();
    ExpectMatchesModel();
    EXPECT_EQ(SavedIds(), ModelIds()) << "round " << round;
    EXPECT_EQ(ReadHead().live_count, model_.size());
    if (round % 3 == 2) ReloadAndCompare();
  }
  ReloadAndCompare();
  OpenStore();
  ReloadAndCompare();
}

// The records that were waiting at a checkpoint come from the log again.
TEST_P(CheckpointTest, ACheckpointHoldsTheStateAsOfItsLsn) {
  for (int i = 0; i < 200; ++i) Observe(absl::StrCat(i), i, "saved");
  ServeAll();
  const auto saved = model_;
  // All of this waits: replacements, removals, and new ones.
  for (int i = 0; i < 50; ++i) Observe(absl::StrCat(i), 1000 + i, "later");
  for (int i = 50; i < 80; ++i) Remove(absl::StrCat(i));
  Observe("new", 5000, "later");
  Checkpoint();
  ExpectMatchesModel();
  EXPECT_EQ(ReadHead().live_count, 200u);
  EXPECT_LT(ReadHead().checkpoint_lsn, last_lsn_);
  model_ = saved;
  ReloadAndCompare();
}

TEST_P(CheckpointTest, PendingUpsertsAreSavedByTheNextCheckpoint) {
  for (int i = 0; i < 120; ++i) Observe(absl::StrCat(i), i, "old");
  ServeAll();
  for (int i = 0; i < 120; i += 2) Observe(absl::StrCat(i), 900 + i, "new");
  for (int i = 1; i < 60; i += 2) Remove(absl::StrCat(i));
  space_->Serve(20);
  Checkpoint();
  ExpectMatchesModel();
  space_->Serve(20);
  Checkpoint();
  ServeAll();
  Checkpoint();
  EXPECT_EQ(SavedIds(), ModelIds());
  ReloadAndCompare();
}

// --- A snapshot before it is committed ---------------------------------------

TEST_P(CheckpointTest, RecordsAreReadableWhileTheirCheckpointIsUnderWay) {
  for (int i = 0; i < 150; ++i) Observe(absl::StrCat(i), i, "one");
  ServeAll();
  const SpaceSnapshot snapshot = space_->BeginCheckpoint();
  EXPECT_EQ(snapshot.lsn, last_lsn_);
  EXPECT_EQ(snapshot.row_count, 150u);
  EXPECT_EQ(snapshot.live_count, 150u);
  EXPECT_EQ(snapshot.rows.size(), 150u);
  ExpectMatchesModel();
  for (int i = 0; i < 40; ++i) Observe(absl::StrCat(i), 300 + i, "two");
  for (int i = 40; i < 60; ++i) Remove(absl::StrCat(i));
  ExpectMatchesModel();
  ServeAll();
  ExpectMatchesModel();
  space_->AbortCheckpoint();
  ExpectMatchesModel();
  Checkpoint();
  EXPECT_EQ(SavedIds(), ModelIds());
  ReloadAndCompare();
}

TEST_P(CheckpointTest, ASnapshotCountsTheLiveNodesAndListsWhatChanged) {
  for (int i = 0; i < 110; ++i) Observe(absl::StrCat(i), i);
  ServeAll();
  Checkpoint();
  Remove("3");
  Remove("1");
  Remove("2");
  Observe("2", 500);
  Observe("new", 501);
  ServeAll();
  Observe("waits", 502);
  SpaceSnapshot snapshot = space_->BeginCheckpoint();
  EXPECT_EQ(snapshot.previous.slot_count, 110u);
  EXPECT_EQ(snapshot.row_count, 112u);
  EXPECT_EQ(snapshot.live_count, 109u) << "without 1, 3 and the old 2";
  const size_t changed = snapshot.links.count();
  if (snapshot.has_graph) {
    EXPECT_GT(changed, 5u) << "and the neighbors of these five";
  } else {
    EXPECT_EQ(changed, 5u) << "three are gone, two are new";
  }
  EXPECT_EQ(snapshot.has_graph, GetParam() < 110);
  EXPECT_THAT(snapshot.removed_ids, ElementsAre("1", "3")) << "2 has come back";
  ASSERT_EQ(snapshot.rows.size(), 2u) << "records of the new ones only";
  EXPECT_EQ(snapshot.rows[0].record.id, "2");
  EXPECT_EQ(snapshot.rows[1].record.id, "new");
  uint32_t removed = 0;
  schema::LinkPartBuilder part;
  uint32_t row = 0;
  schema::LinkNode changed_node;
  while (snapshot.links.Take(&row, &changed_node)) {
    part.Add(row, changed_node.bytes());
  }
  EXPECT_EQ(part.count(), changed);
  schema::PartReference reference;
  const std::string value = part.Finish(7, 2, 0, &reference);
  const auto nodes = schema::DecodeLinkPart(7, 112, 8, reference, value);
  ASSERT_TRUE(nodes.ok()) << nodes.status();
  for (const schema::NodeLinks& node : *nodes) removed += node.removed;
  EXPECT_EQ(removed, 3u);
  space_->AbortCheckpoint();
}

// --- Failures ----------------------------------------------------------------

TEST_P(CheckpointTest, AFailedCheckpointAdvancesNothingAndTheNextSavesAll) {
  for (int i = 0; i < 130; ++i) Observe(absl::StrCat(i), i, "one");
  ServeAll();
  Checkpoint();
  const Lsn saved = last_lsn_;
  for (int i = 0; i < 40; ++i) Observe(absl::StrCat(i), 300 + i, "two");
  for (int i = 40; i < 60; ++i) Remove(absl::StrCat(i));
  ServeAll();
  FailCheckpoint();
  EXPECT_EQ(space_->head_checkpoint_lsn(), saved);
  EXPECT_FALSE(space_->IsCheckpointed(last_lsn_));
  EXPECT_EQ(ReadHead().checkpoint_lsn, saved);
  EXPECT_TRUE(space_->HasUnsaved());
  ExpectMatchesModel();

  // What was removed comes back, what was replaced is replaced again, what
  // was saved is removed.
  for (int i = 50; i < 70; ++i) Observe(absl::StrCat(i), 500 + i, "three");
  for (int i = 0; i < 10; ++i) Remove(absl::StrCat(i));
  for (int i = 10; i < 20; ++i) Observe(absl::StrCat(i), 600 + i, "three");
  FailCheckpoint();
  ServeAll();
  FailCheckpoint();
  ExpectMatchesModel();
  Checkpoint();
  EXPECT_TRUE(space_->IsCheckpointed(last_lsn_));
  EXPECT_EQ(SavedIds(), ModelIds());
  ExpectMatchesModel();
  ReloadAndCompare();
}

TEST_P(CheckpointTest, AFailureInTheMiddleOfRandomWorkLosesNothing) {
  std::mt19937 random(23);
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < 25; ++i) {
      const std::string id = absl::StrCat("id", random() % 40);
      if (random() % 3 == 0) {
        Remove(id);
      } else {
        Observe(id, random(), absl::StrCat(round, "/", i));
      }
    }
    space_->Serve(random() % 25 + 1);
    if (random() % 2 == 0 && space_->HasUnsaved()) {
      FailCheckpoint();
    } else {
      ASSERT_TRUE(CheckpointSpace(space_.get(), store_.get()).ok());
    }
  }
  ServeAll();
  Checkpoint();
  EXPECT_EQ(SavedIds(), ModelIds());
  ReloadAndCompare();
}

TEST_P(CheckpointTest, AFamilyThatDoesNotExistFailsIt) {
  Observe("a", 1, "p");
  ServeAll();
  space_->set_family("p000009");
  EXPECT_TRUE(
      absl::IsNotFound(CheckpointSpace(space_.get(), store_.get()).status()));
  ExpectMatchesModel();
  space_->set_family(kFamily);
  Checkpoint();
  ReloadAndCompare();
}

TEST_P(CheckpointTest, AGenerationIsNeverUsedTwice) {
  Observe("a", 1);
  ServeAll();
  FailCheckpoint();
  FailCheckpoint();
  Checkpoint();
  EXPECT_EQ(ReadHead().generation, 3u);
  ASSERT_TRUE(Reload(GetParam()).ok());
  Observe("b", 2);
  ServeAll();
  Checkpoint();
  EXPECT_EQ(ReadHead().generation, 4u);
}

TEST_P(CheckpointTest, LinkPartsThatNoHeadListsAreGoneAndVectorsStay) {
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 60; ++i) Observe(absl::StrCat(round, "-", i), i);
    ServeAll();
    Checkpoint();
  }
  size_t links = 0;
  size_t vectors = 0;
  const auto count = [](size_t* counter) {
    return [counter](absl::string_view, absl::string_view) {
      ++*counter;
      return absl::OkStatus();
    };
  };
  ASSERT_TRUE(store_->Scan(kFamily, "l/", count(&links)).ok());
  ASSERT_TRUE(store_->Scan(kFamily, "v/", count(&vectors)).ok());
  EXPECT_EQ(links,
            ReadHead().link_parts.size() + ReadHead().link_deltas.size());
  EXPECT_EQ(vectors, 4u) << "one for what each checkpoint added";
  EXPECT_EQ(ReadHead().vector_parts.size(), 4u);
}

// A key that can be mistaken for no other: record keys sort between the head
// and the vectors, whatever bytes the id has.
TEST_P(CheckpointTest, IdsOfAnyBytesAreSavedAndLoaded) {
  uint64_t seed = 1;
  for (const std::string& id :
       {std::string(1, '\0'), std::string("\0\xff", 2), std::string(512, 'x'),
        std::string("r/"), std::string("v/"), std::string("m/head"),
        std::string("\xff\xff"), std::string("/"), std::string("a\nb")}) {
    Observe(id, seed++, id);
  }
  ServeAll();
  Checkpoint();
  ReloadAndCompare();
}

INSTANTIATE_TEST_SUITE_P(, CheckpointTest, ::testing::Values(100'000u, 50u),
                         [](const auto& param_info) {
                           return param_info.param == 50 ? "Graph" : "Flat";
                         });

}  // namespace
}  // namespace engram::space
