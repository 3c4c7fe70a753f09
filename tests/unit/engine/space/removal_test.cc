// Versions that are replaced or removed leave the index, and their slots are
// used again; but not while somebody may still look at them.

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/space/checkpoint_writer.h"
#include "gmock/gmock.h"
#include "space_harness.h"
#include "tests/support/test_vectors.h"

namespace engram::space {
namespace {

using ::testing::ElementsAre;
using testing::TestVector;

// The number says from how many versions on the space has a graph.
class RemovalTest : public SpaceHarness,
                    public ::testing::WithParamInterface<uint32_t> {
 protected:
  void SetUp() override {
    OpenStore();
    Make(GetParam());
  }

  SpaceStats Stats() const { return space_->GetStats(0); }

  void ObserveAll(int count, uint64_t seed) {
    for (int i = 0; i < count; ++i) {
      Observe(absl::StrCat(i), seed + static_cast<uint64_t>(i));
    }
  }

  // Lets the space work off all that became ready since its last batch; each
  // checkpoint does it for a few milliseconds.
  void WorkOff() {
    SpaceStats before;
    SpaceStats after = Stats();
    do {
      before = after;
      space_->BeginCheckpoint();
      space_->AbortCheckpoint();
      after = Stats();
    } while (after.nodes != before.nodes ||
             after.retired_slots != before.retired_slots);
  }
};

TEST_P(RemovalTest, WhatIsReplacedOrRemovedLeavesTheIndex) {
  ObserveAll(200, 1);
  ServeAll();
  EXPECT_EQ(Stats().nodes, 200u);
  ObserveAll(50, 1000);
  for (int i = 50; i < 80; ++i) Remove(absl::StrCat(i));
  EXPECT_EQ(Stats().nodes, 200u) << "until the new ones are indexed";
  ServeAll();
  EXPECT_EQ(Stats().nodes, 170u);
  EXPECT_EQ(Stats().retired_slots, 0u);
  ExpectMatchesModel();
}

TEST_P(RemovalTest, WhatIsRemovedLeavesTheIndexAlsoIfNobodyWritesAnyMore) {
  ObserveAll(200, 1);
  ServeAll();
  for (int i = 0; i < 150; ++i) Remove(absl::StrCat(i));
  ServeAll();
  bool more = true;
  for (int i = 0; more && i < 10'000; ++i) more = space_->Tidy();
  EXPECT_FALSE(more);
  EXPECT_EQ(Stats().nodes, 50u);
  EXPECT_EQ(Stats().retired_slots, 0u);
}

TEST_P(RemovalTest, MemoryDoesNotGrowWhenAllIdsAreOverwrittenTenTimes) {
  ObserveAll(300, 1);
  ServeAll();
  ObserveAll(300, 1000);
  ServeAll();
  const uint64_t memory = Stats().memory_bytes;
  for (uint64_t round = 2; round < 12; ++round) {
    ObserveAll(300, 1000 * round);
    ServeAll();
  }
  EXPECT_EQ(Stats().nodes, 300u);
  EXPECT_EQ(Stats().retired_slots, 0u);
  EXPECT_LE(Stats().memory_bytes, memory + memory / 4);
  ExpectMatchesModel();
}

TEST_P(RemovalTest, AReaderPinsSlotsButDelaysNoWrite) {
  ObserveAll(200, 1);
  ServeAll();
  index::EpochDomain::Guard reader = epochs_.Enter();
  for (uint64_t round = 1; round <= 3; ++round) {
    ObserveAll(100, 1000 * round);
    ServeAll();
    EXPECT_EQ(Stats().pending_records, 0u);
    ExpectMatchesModel();
  }
  EXPECT_EQ(Stats().retired_slots, 300u);
  EXPECT_EQ(Stats().nodes, 500u);
  Checkpoint();
  EXPECT_EQ(Stats().retired_slots, 300u);
  reader.Leave();
  WorkOff();
  EXPECT_EQ(Stats().retired_slots, 0u);
  EXPECT_EQ(Stats().nodes, 200u);
  ExpectMatchesModel();
}

// The copy has left no trace in the checkpoint before; but then it becomes a
// node, and others link to it.
TEST_P(RemovalTest, ARemovedCopyThatTakesItsHeadsPlaceIsSavedLikeAnyNode) {
  ObserveAll(200, 1);
  const std::vector<float> vector = TestVector(kTestDimension, 5000);
  ObserveVector("head", vector);
  ObserveVector("copy", vector);
  ServeAll();
  index::EpochDomain::Guard sees_both = epochs_.Enter();
  Remove("head");
  ServeAll();
  index::EpochDomain::Guard sees_copy = epochs_.Enter();
  Remove("copy");
  ServeAll();
  Checkpoint();
  sees_both.Leave();
  Observe("another", 6000);
  ServeAll();
  Checkpoint();
  ASSERT_TRUE(Reload(GetParam()).ok());
  ExpectMatchesModel();
  sees_copy.Leave();
}

// The second half of a slot's way out: unlinked, but maybe still stood on.
TEST_P(RemovalTest, AReaderThatCameLaterPinsUnlinkedSlots) {
  ObserveAll(200, 1);
  ServeAll();
  index::EpochDomain::Guard first = epochs_.Enter();
  ObserveAll(100, 1000);
  ServeAll();
  index::EpochDomain::Guard second = epochs_.Enter();
  first.Leave();
  WorkOff();
  EXPECT_EQ(Stats().nodes, 200u) << "unlinked";
  EXPECT_EQ(Stats().retired_slots, 100u) << "not released";
  ExpectMatchesModel();
  second.Leave();
  WorkOff();
  EXPECT_EQ(Stats().retired_slots, 0u);
}

// Head and nodes of a graph that still holds removed nodes.
TEST_P(RemovalTest, PinnedRemovedNodesAreSavedAndGoneAfterLoading) {
  ObserveAll(150, 1);
  ServeAll();
  Checkpoint();
  ObserveAll(150, 1000);  // saved by no checkpoint before they are replaced
  ServeAll();
  index::EpochDomain::Guard reader = epochs_.Enter();
  ObserveAll(70, 2000);
  for (int i = 70; i < 100; ++i) Remove(absl::StrCat(i));
  ServeAll();
  ASSERT_EQ(Stats().retired_slots, 100u);
  Checkpoint();
  ASSERT_TRUE(Reload(GetParam()).ok());
  EXPECT_EQ(Stats().nodes, 120u);
  EXPECT_EQ(Stats().retired_slots, 0u);
  ExpectMatchesModel();
  // And goes on from there.
  ObserveAll(150, 3000);
  ServeAll();
  Checkpoint();
  ASSERT_TRUE(Reload(GetParam()).ok());
  ExpectMatchesModel();
}

// What leaves the index between a checkpoint's begin and end keeps its row and
// nothing else.
TEST_P(RemovalTest, SlotsMayChangeHandsWhileACheckpointIsUnderWay) {
  ObserveAll(150, 1);
  ServeAll();
  for (const bool commit : {false, true}) {
    SpaceSnapshot snapshot = space_->BeginCheckpoint();
    EXPECT_EQ(snapshot.live_count, 150u);
    EXPECT_EQ(snapshot.rows.size(), 150u);
    for (uint64_t round = 1; round < 4; ++round) {
      ObserveAll(100, 1000 * round);
      ServeAll();
    }
    if (commit) {
      schema::Head head;
      head.space = description_;
      head.generation = space_->NextGeneration();
      head.checkpoint_lsn = snapshot.lsn;
      head.slot_count = snapshot.row_count;
      space_->CommitCheckpoint(store_.get(), head);
    } else {
      space_->AbortCheckpoint();
    }
    EXPECT_EQ(Stats().nodes, 150u);
  }
  const SpaceSnapshot after = space_->BeginCheckpoint();
  EXPECT_EQ(after.previous.slot_count, 150u);
  EXPECT_EQ(after.rows.size(), 100u) << "those that were replaced";
  EXPECT_EQ(after.live_count, 150u);
  space_->AbortCheckpoint();
}

TEST_P(RemovalTest, CheckpointsOfChurnAreLoadedWhereverTheyBreakOff) {
  std::mt19937 random(5);
  for (int round = 0; round < 25; ++round) {
    for (int i = 0; i < 40; ++i) {
      const std::string id = absl::StrCat(random() % 120);
      if (random() % 4 == 0) {
        Remove(id);
      } else {
        Observe(id, random(), absl::StrCat("payload", round));
      }
    }
    index::EpochDomain::Guard reader = epochs_.Enter();
    if (random() % 2 == 0) reader.Leave();
    ServeAll();
    Checkpoint();
    if (round % 3 == 0) {
      ASSERT_TRUE(Reload(GetParam()).ok());
    }
    ExpectMatchesModel();
  }
  // More checkpoints than a segment may have parts: they were merged.
  EXPECT_LT(ReadHead().vector_parts.size(), 10u);
}

TEST_P(RemovalTest, ASpaceMayLoseAllAndBeginAgain) {
  for (int round = 0; round < 3; ++round) {
    ObserveAll(120, 100);
    ServeAll();
    for (int i = 0; i < 120; ++i) Remove(absl::StrCat(i));
    ServeAll();
    EXPECT_EQ(Stats().nodes, 0u);
    ExpectMatchesModel();
    Checkpoint();
    if (round == 1) {
      ASSERT_TRUE(Reload(GetParam()).ok());
    }
  }
  ObserveAll(120, 100);
  ServeAll();
  ExpectMatchesModel();
  Checkpoint();
  ASSERT_TRUE(Reload(GetParam()).ok());
  ExpectMatchesModel();
}

TEST_P(RemovalTest, TheSameVectorOverAndOverUnderOneIdStaysOneNode) {
  ObserveAll(100, 1);
  for (int i = 0; i < 200; ++i) {
    Observe("hot", 7777);
    ServeAll();
  }
  EXPECT_EQ(Stats().nodes, 101u);
  ExpectMatchesModel();
}

INSTANTIATE_TEST_SUITE_P(, RemovalTest, ::testing::Values(100'000u, 50u),
                         [](const auto& param_info) {
                           return param_info.param == 50 ? "Graph" : "Flat";
                         });

// --- The same vector under many ids ------------------------------------------

class TwinsTest : public SpaceHarness {
 protected:
  static constexpr int kCopies = 200;

  void SetUp() override {
    OpenStore();
    Make(/*flat_records_max=*/50);
    for (int i = 0; i < 300; ++i) Observe(absl::StrCat("other", i), i);
    for (int i = 0; i < kCopies; ++i) Observe(absl::StrCat("copy", i), 5555);
    ServeAll();
  }

  std::set<std::string> Copies() const {
    std::set<std::string> ids;
    for (const Hit& hit : Search(TestVector(kTestDimension, 5555), kCopies)) {
      if (hit.distance < 1e-6) ids.insert(hit.id);
    }
    return ids;
  }
};

TEST_F(TwinsTest, EachCopyIsFound) {
  EXPECT_EQ(space_->GetStats(0).twins, static_cast<uint64_t>(kCopies - 1));
  EXPECT_EQ(Copies().size(), static_cast<size_t>(kCopies));
}

TEST_F(TwinsTest, TheOthersStayWhenTheHeadGoesAlsoAfterReloading) {
  int left = kCopies;
  for (int i = 0; i < 5; ++i) {
    Remove(absl::StrCat("copy", i));  // the first one is the head
    ServeAll();
    --left;
    ASSERT_EQ(Copies().size(), static_cast<size_t>(left));
    ASSERT_EQ(Copies().count(absl::StrCat("copy", i)), 0u);
    ASSERT_EQ(space_->GetStats(0).twins, static_cast<uint64_t>(left - 1));
  }
  Checkpoint();
  ASSERT_TRUE(Reload(50).ok());
  EXPECT_EQ(Copies().size(), static_cast<size_t>(left));
  EXPECT_EQ(space_->GetStats(0).twins, static_cast<uint64_t>(left - 1));
  Remove("copy5");
  ServeAll();
  EXPECT_EQ(Copies().size(), static_cast<size_t>(left - 1));
}

// The head is a removed row, its copies are live.
TEST_F(TwinsTest, ARemovedHeadThatIsPinnedIsSavedWithItsCopies) {
  Checkpoint();
  for (int i = 200; i < 210; ++i) Observe(absl::StrCat("copy", i), 5555);
  ServeAll();
  const index::EpochDomain::Guard reader = epochs_.Enter();
  Remove("copy0");
  Remove("copy7");
  Remove("copy205");
  ServeAll();
  ASSERT_EQ(space_->GetStats(0).retired_slots, 3u);
  Checkpoint();
  ASSERT_TRUE(Reload(50).ok());
  EXPECT_EQ(Copies().size(), 200u) << "as many as the search asks for";
  EXPECT_EQ(space_->GetStats(0).twins, 206u);
  EXPECT_EQ(space_->GetStats(0).nodes, 507u);
}

}  // namespace
}  // namespace engram::space
