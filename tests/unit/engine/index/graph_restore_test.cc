// Saving and restoring: the restored graph is the saved one, and hostile input
// is refused.

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "graph_harness.h"
#include "gtest/gtest.h"

namespace engram::index {
namespace {

constexpr uint32_t kDimension = 12;
constexpr uint32_t kM = 6;

using Links = std::vector<std::vector<uint32_t>>;

// Few different components, so that equal distances and copies occur.
std::vector<float> CoarsePoint(std::mt19937& random) {
  std::uniform_int_distribution<int> component(-1, 1);
  std::vector<float> vector(kDimension, 1.0f);
  for (size_t i = 6; i < vector.size(); ++i) {
    vector[i] = static_cast<float>(component(random));
  }
  return vector;
}

// What a removal or an insert must do alike in both.
class GraphRestoreTest : public testing::TestWithParam<schema::Quantization> {
 protected:
  static GraphOptions Options() {
    return {.dimension = kDimension,
            .metric = schema::Metric::kCosine,
            .M = kM,
            .ef_construction = 30,
            .quantization = GetParam()};
  }

  GraphRestoreTest()
      : original_(Options(), std::vector<float>(kDimension)),
        restored_(Options(), std::vector<float>(kDimension)) {}

  // Inserts and removes until slots have been used again, and some are free.
  void Churn() {
    for (int i = 0; i < 1500; ++i) original_.Insert(CoarsePoint(random_));
    for (int i = 0; i < 800; ++i) {
      original_.RemoveAt(random_() % original_.live().size());
      if (i % 2 == 0) original_.Insert(CoarsePoint(random_));
    }
  }

  void Restore() {
    const absl::Status status = CopyGraph(*original_, &*restored_);
    ASSERT_TRUE(status.ok()) << status;
    // In the same order, so that the same places are the same slots.
    for (const uint32_t slot : original_.live()) restored_.AddLive(slot);
    restored_.AddFreeLike(original_);
  }

  void ExpectSameAnswers() {
    for (int i = 0; i < 100; ++i) {
      const std::vector<float> query = CoarsePoint(random_);
      ASSERT_EQ(restored_.Search(query, 10, 20),
                original_.Search(query, 10, 20));
    }
  }

  std::mt19937 random_{5};
  LiveGraph original_;
  LiveGraph restored_;
};

TEST_P(GraphRestoreTest, ARestoredGraphIsTheSavedOne) {
  Churn();
  Restore();
  ASSERT_GT(original_->twin_count(), 100u);
  EXPECT_EQ(restored_->twin_count(), original_->twin_count());
  EXPECT_EQ(restored_->entry_point(), original_->entry_point());
  EXPECT_EQ(FindViolation(restored_), "");
  std::vector<uint32_t> links;
  std::vector<uint32_t> restored_links;
  for (uint32_t slot = 0; slot < original_->slot_count(); ++slot) {
    ASSERT_EQ(restored_->is_node(slot), original_->is_node(slot));
    ASSERT_EQ(restored_->head_of(slot), original_->head_of(slot));
    ASSERT_EQ(restored_->top_layer(slot), original_->top_layer(slot));
    for (uint32_t layer = 0; layer <= original_->top_layer(slot); ++layer) {
      original_->CopyLinks(slot, layer, &links);
      restored_->CopyLinks(slot, layer, &restored_links);
      std::sort(links.begin(), links.end());
      EXPECT_EQ(restored_links, links);
    }
  }
}

TEST_P(GraphRestoreTest, ARestoredGraphGivesTheSameAnswersBitForBit) {
  Churn();
  Restore();
  ExpectSameAnswers();
}

// Lists come back in another order and the tree is built anew, so the graphs
// may part in the end; none may be the worse for it.
TEST_P(GraphRestoreTest, InsertsAndRemovalsGoOnAfterwards) {
  Churn();
  Restore();
  for (int i = 0; i < 1500; ++i) {
    if (random_() % 2 == 0) {
      restored_.RemoveAt(random_() % restored_.live().size());
    } else {
      restored_.Insert(CoarsePoint(random_));
    }
    if (i % 10 == 0) {
      ASSERT_EQ(FindViolation(restored_), "") << i;
    }
  }
  while (!restored_.live().empty()) restored_.RemoveAt(0);
  EXPECT_EQ(FindViolation(restored_), "");
}

TEST_P(GraphRestoreTest, AnEmptyGraphIsRestored) {
  Restore();
  EXPECT_FALSE(restored_->entry_point().exists);
  restored_.Insert(CoarsePoint(random_));
  EXPECT_EQ(FindViolation(restored_), "");
}

// Any links that the checks let through: islands, nodes above the entry point,
// lists without a single way back, a hub that all others link to.
TEST_P(GraphRestoreTest, LinksThatMakeNoSenseAreSurvived) {
  constexpr uint32_t kCount = 1200;
  constexpr uint32_t kHub = 3;
  std::vector<uint32_t> tops;
  for (uint32_t slot = 0; slot < kCount; ++slot) {
    restored_.Fill(CoarsePoint(random_));
    tops.push_back(random_() % 4);
  }
  for (uint32_t slot = 0; slot < kCount; ++slot) {
    Links links(tops[slot] + 1);
    for (uint32_t layer = 0; layer < links.size(); ++layer) {
      std::vector<uint32_t>& ids = links[layer];
      if (layer == 0 && slot != kHub) ids.push_back(kHub);
      while (ids.size() < random_() % kM) {
        const uint32_t id = random_() % kCount;
        if (id != slot && tops[id] >= layer &&
            std::find(ids.begin(), ids.end(), id) == ids.end()) {
          ids.push_back(id);
        }
      }
    }
    ASSERT_TRUE(restored_->RestoreNode(slot, tops[slot], links).ok());
    restored_.AddLive(slot);
  }
  const uint32_t entry = 17;
  ASSERT_TRUE(restored_->RestoreEntryPoint({true, entry, tops[entry]}).ok());
  ASSERT_TRUE(restored_->FinishRestore(2).ok());
  const uint64_t unreachable = restored_->CountUnreachable(AcceptEverything);
  EXPECT_GT(unreachable, 0u);
  // Before anything is reattached.
  for (int i = 0; i < 100; ++i) {
    restored_.RemoveAt(random_() % restored_.live().size());
    restored_.Insert(CoarsePoint(random_));
  }
  restored_->Reattach(AcceptEverything, restored_.scratch());
  EXPECT_EQ(restored_->CountUnreachable(AcceptEverything), 0u);
  while (!restored_.live().empty()) {
    restored_.RemoveAt(random_() % restored_.live().size());
    ASSERT_EQ(restored_->CountUnreachable(AcceptEverything), 0u);
  }
  EXPECT_EQ(FindViolation(restored_), "");
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind, GraphRestoreTest,
    testing::Values(schema::Quantization::kNone, schema::Quantization::kInt8,
                    schema::Quantization::kInt4, schema::Quantization::kInt2),
    [](const auto& tested) { return NameOf(tested.param); });

class HostileRestoreTest : public testing::Test {
 protected:
  static constexpr uint32_t kSlotCount = 40;

  HostileRestoreTest() : graph_({.dimension = kDimension, .M = kM}) {
    std::mt19937 random(5);
    for (uint32_t i = 0; i < kSlotCount; ++i) graph_.Fill(CoarsePoint(random));
  }

  static std::vector<uint32_t> IdsFrom1To(uint32_t last) {
    std::vector<uint32_t> ids;
    for (uint32_t id = 1; id <= last; ++id) ids.push_back(id);
    return ids;
  }

  static void ExpectDataLoss(const absl::Status& status,
                             const std::string& text) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_EQ(std::string(status.message()), text);
  }

  LiveGraph graph_;
};

// Slots that were filled but not linked when the graph was saved.
TEST_F(HostileRestoreTest, SlotsThatAreNoNodesMayBeLeftOut) {
  ASSERT_TRUE(graph_->RestoreNode(1, 0, Links{{}}).ok());
  ASSERT_TRUE(graph_->RestoreEntryPoint({true, 1, 0}).ok());
  ASSERT_TRUE(graph_->FinishRestore(2).ok());
  graph_.AddLive(1);
  graph_->Link(graph_->Plan(2, graph_.scratch()));
  graph_.AddLive(2);
  EXPECT_EQ(FindViolation(graph_), "");
}

TEST_F(HostileRestoreTest, RefusesASlotThatDoesNotExist) {
  ExpectDataLoss(graph_->RestoreNode(40, 0, Links{{}}),
                 "slot 40: there are 40 slots");
  ExpectDataLoss(graph_->RestoreNode(UINT32_MAX, 0, Links{{}}),
                 "slot 4294967295: there are 40 slots");
}

TEST_F(HostileRestoreTest, RefusesALinkToASlotThatDoesNotExist) {
  ExpectDataLoss(graph_->RestoreNode(3, 1, Links{{}, {4, 40}}),
                 "slot 3 layer 1: link to slot 40, but there are 40 slots");
  ExpectDataLoss(
      graph_->RestoreNode(3, 0, Links{{UINT32_MAX}}),
      "slot 3 layer 0: link to slot 4294967295, but there are 40 slots");
}

TEST_F(HostileRestoreTest, RefusesALinkToItself) {
  ExpectDataLoss(graph_->RestoreNode(3, 0, Links{{3}}),
                 "slot 3 layer 0: link to itself");
}

TEST_F(HostileRestoreTest, RefusesAnIdTwiceInOneList) {
  ExpectDataLoss(graph_->RestoreNode(3, 0, Links{{5, 4, 5}}),
                 "slot 3 layer 0: two links to slot 5");
}

TEST_F(HostileRestoreTest, RefusesMoreLinksThanALayerHolds) {
  ExpectDataLoss(graph_->RestoreNode(0, 0, Links{IdsFrom1To(2 * kM + 1)}),
                 "slot 0 layer 0: 13 links, the limit is 12");
  ExpectDataLoss(graph_->RestoreNode(0, 1, Links{{}, IdsFrom1To(kM + 1)}),
                 "slot 0 layer 1: 7 links, the limit is 6");
}

TEST_F(HostileRestoreTest, RefusesATopLayerAboveTheLimit) {
  ExpectDataLoss(graph_->RestoreNode(0, 32, Links(33)),
                 "slot 0: top layer is 32, the limit is 31");
  ExpectDataLoss(graph_->RestoreNode(0, UINT32_MAX, Links{}),
                 "slot 0: top layer is 4294967295, the limit is 31");
}

TEST_F(HostileRestoreTest, RefusesLinksOfAnotherNumberOfLayers) {
  ExpectDataLoss(graph_->RestoreNode(0, 2, Links{{}, {}}),
                 "slot 0: links of 2 layers, top layer is 2");
}

TEST_F(HostileRestoreTest, RefusesANodeTwice) {
  ASSERT_TRUE(graph_->RestoreNode(0, 0, Links{{1}}).ok());
  ExpectDataLoss(graph_->RestoreNode(0, 0, Links{{1}}), "slot 0: links twice");
}

TEST_F(HostileRestoreTest, RefusesALinkAboveTheTargetsTopLayer) {
  ASSERT_TRUE(graph_->RestoreNode(0, 1, Links{{1}, {1}}).ok());
  ASSERT_TRUE(graph_->RestoreNode(1, 0, Links{{0}}).ok());
  ASSERT_TRUE(graph_->RestoreEntryPoint({true, 0, 1}).ok());
  ExpectDataLoss(graph_->FinishRestore(2),
                 "slot 0 layer 1: link to slot 1, whose top layer is 0");
}

TEST_F(HostileRestoreTest, RefusesALinkToASlotWithoutLinks) {
  ASSERT_TRUE(graph_->RestoreNode(0, 0, Links{{1}}).ok());
  ASSERT_TRUE(graph_->RestoreEntryPoint({true, 0, 0}).ok());
  ExpectDataLoss(graph_->FinishRestore(2),
                 "slot 0 layer 0: link to slot 1, which is no node");
}

TEST_F(HostileRestoreTest, RefusesALinkToATwin) {
  ASSERT_TRUE(graph_->RestoreTwin(1, 0).ok());
  ASSERT_TRUE(graph_->RestoreNode(0, 0, Links{{1}}).ok());
  ASSERT_TRUE(graph_->RestoreEntryPoint({true, 0, 0}).ok());
  ExpectDataLoss(graph_->FinishRestore(2),
                 "slot 0 layer 0: link to slot 1, which is no node");
}

TEST_F(HostileRestoreTest, RefusesEntryPointsThatAreNone) {
  ASSERT_TRUE(graph_->RestoreNode(0, 0, Links{{}}).ok());
  ExpectDataLoss(graph_->FinishRestore(2),
                 "slot 0 is a node, but there is no entry point");
  ExpectDataLoss(graph_->RestoreEntryPoint({true, 40, 0}),
                 "entry point is slot 40, but there are 40 slots");
  ExpectDataLoss(graph_->RestoreEntryPoint({true, 0, 32}),
                 "entry point slot 0: layer is 32, the limit is 31");
  ASSERT_TRUE(graph_->RestoreEntryPoint({true, 0, 1}).ok());
  ExpectDataLoss(graph_->FinishRestore(2),
                 "entry point slot 0: layer is 1, but its top layer is 0");
  ASSERT_TRUE(graph_->RestoreEntryPoint({true, 7, 0}).ok());
  ExpectDataLoss(graph_->FinishRestore(2),
                 "entry point is slot 7, which is no node");
}

TEST_F(HostileRestoreTest, RefusesATwinThatIsTheEntryPoint) {
  ASSERT_TRUE(graph_->RestoreNode(0, 0, Links{{}}).ok());
  ASSERT_TRUE(graph_->RestoreTwin(1, 0).ok());
  ASSERT_TRUE(graph_->RestoreEntryPoint({true, 1, 0}).ok());
  ExpectDataLoss(graph_->FinishRestore(2),
                 "entry point is slot 1, which is no node");
}

TEST_F(HostileRestoreTest, RefusesTwinsOutsideTheSlotsAndOfThemselves) {
  ExpectDataLoss(graph_->RestoreTwin(40, 0),
                 "slot 40: twin of slot 0, there are 40 slots");
  ExpectDataLoss(graph_->RestoreTwin(0, UINT32_MAX),
                 "slot 0: twin of slot 4294967295, there are 40 slots");
  ExpectDataLoss(graph_->RestoreTwin(3, 3),
                 "slot 3: twin of slot 3, there are 40 slots");
}

class HostileTwinTest : public HostileRestoreTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(graph_->RestoreNode(0, 0, Links{{}}).ok());
    ASSERT_TRUE(graph_->RestoreEntryPoint({true, 0, 0}).ok());
  }
};

TEST_F(HostileTwinTest, RefusesATwinOfATwin) {
  ASSERT_TRUE(graph_->RestoreTwin(1, 0).ok());
  ASSERT_TRUE(graph_->RestoreTwin(2, 1).ok());
  ExpectDataLoss(graph_->FinishRestore(2),
                 "slot 2: twin of slot 1, which is no node");
}

TEST_F(HostileTwinTest, RefusesATwinOfAFreeSlot) {
  ASSERT_TRUE(graph_->RestoreTwin(1, 9).ok());
  ExpectDataLoss(graph_->FinishRestore(2),
                 "slot 1: twin of slot 9, which is no node");
}

TEST_F(HostileTwinTest, RefusesATwinTwice) {
  ASSERT_TRUE(graph_->RestoreTwin(1, 0).ok());
  ASSERT_TRUE(graph_->RestoreTwin(1, 0).ok());
  ExpectDataLoss(graph_->FinishRestore(2), "slot 1: links twice");
}

TEST_F(HostileTwinTest, RefusesATwinThatIsANodeToo) {
  ExpectDataLoss(graph_->RestoreTwin(0, 1), "slot 0: links twice");
  ASSERT_TRUE(graph_->RestoreTwin(1, 0).ok());
  ASSERT_TRUE(graph_->RestoreNode(1, 0, Links{{}}).ok());
  ExpectDataLoss(graph_->FinishRestore(2), "slot 1: links twice");
}

}  // namespace
}  // namespace engram::index
