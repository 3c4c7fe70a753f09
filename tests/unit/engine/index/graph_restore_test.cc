#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/index/graph.h"
#include "gtest/gtest.h"

namespace engram::index {
namespace {

constexpr uint32_t kDimension = 12;
constexpr uint32_t kM = 6;

bool AcceptEverything(uint32_t) { return true; }

GraphOptions Options() {
  return {.dimension = kDimension, .metric = schema::Metric::kCosine, .M = kM};
}

std::vector<float> RandomVector(std::mt19937& random) {
  // Few different values, so that equal distances occur.
  std::uniform_int_distribution<int> component(-2, 2);
  std::vector<float> vector(kDimension, 1.0f);
  for (size_t i = 1; i < vector.size(); ++i) {
    vector[i] = static_cast<float>(component(random));
  }
  return vector;
}

// Copies vectors and links; `sorted` stores each list in ascending order, as
// a file format may.
void CopyGraph(const Graph& from, bool sorted, Graph* to) {
  for (uint32_t slot = 0; slot < from.slot_count(); ++slot) {
    to->AppendSlot(from.row(slot));
  }
  for (uint32_t slot = 0; slot < from.slot_count(); ++slot) {
    std::vector<std::vector<uint32_t>> links(from.top_layer(slot) + 1);
    for (uint32_t layer = 0; layer < links.size(); ++layer) {
      from.CopyLinks(slot, layer, &links[layer]);
      if (sorted) std::sort(links[layer].begin(), links[layer].end());
    }
    ASSERT_TRUE(to->RestoreNode(slot, from.top_layer(slot), links).ok());
  }
  ASSERT_TRUE(to->RestoreEntryPoint(from.entry_point()).ok());
  ASSERT_TRUE(to->FinishRestore().ok());
}

TEST(GraphRestoreTest, ARestoredGraphAnswersAndGrowsLikeTheOriginal) {
  std::mt19937 random(5);
  Graph original(Options(), simd::BestKernels());
  Scratch scratch;
  const auto insert = [&](Graph* graph, const std::vector<float>& vector) {
    graph->Link(graph->Plan(graph->AppendSlot(vector), scratch));
  };
  for (int i = 0; i < 2000; ++i) insert(&original, RandomVector(random));
  Graph restored(Options(), simd::BestKernels());
  CopyGraph(original, /*sorted=*/true, &restored);
  for (int i = 0; i < 300; ++i) {
    const std::vector<float> vector = RandomVector(random);
    std::vector<Neighbor> expected;
    std::vector<Neighbor> found;
    original.Search(vector, 10, 20, AcceptEverything, scratch, &expected);
    restored.Search(vector, 10, 20, AcceptEverything, scratch, &found);
    ASSERT_EQ(found, expected) << "query " << i;
    insert(&original, vector);
    insert(&restored, vector);
  }
}

TEST(GraphRestoreTest, AnEmptyGraphIsRestored) {
  Graph graph(Options(), simd::BestKernels());
  EXPECT_TRUE(graph.RestoreEntryPoint({}).ok());
  EXPECT_TRUE(graph.FinishRestore().ok());
  EXPECT_FALSE(graph.entry_point().exists);
}

// Slots that were appended but not linked when the graph was saved.
TEST(GraphRestoreTest, SlotsThatAreNoNodesMayBeLeftOut) {
  Graph graph(Options(), simd::BestKernels());
  std::mt19937 random(5);
  for (int i = 0; i < 3; ++i) graph.AppendSlot(RandomVector(random));
  ASSERT_TRUE(graph.RestoreNode(1, 0, {{}}).ok());
  ASSERT_TRUE(graph.RestoreEntryPoint({true, 1, 0}).ok());
  ASSERT_TRUE(graph.FinishRestore().ok());
  Scratch scratch;
  graph.Link(graph.Plan(2, scratch));
  EXPECT_EQ(graph.CountUnreachable(AcceptEverything), 0u);
}

class HostileRestoreTest : public testing::Test {
 protected:
  HostileRestoreTest() : graph_(Options(), simd::BestKernels()) {
    std::mt19937 random(5);
    for (uint32_t i = 0; i < kSlotCount; ++i) {
      graph_.AppendSlot(RandomVector(random));
    }
  }

  using Links = std::vector<std::vector<uint32_t>>;

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

  static constexpr uint32_t kSlotCount = 40;
  Graph graph_;
};

TEST_F(HostileRestoreTest, RefusesASlotThatDoesNotExist) {
  ExpectDataLoss(graph_.RestoreNode(40, 0, Links{{}}),
                 "slot 40: there are 40 slots");
  ExpectDataLoss(graph_.RestoreNode(UINT32_MAX, 0, Links{{}}),
                 "slot 4294967295: there are 40 slots");
}

TEST_F(HostileRestoreTest, RefusesALinkToASlotThatDoesNotExist) {
  ExpectDataLoss(graph_.RestoreNode(3, 1, Links{{}, {4, 40}}),
                 "slot 3 layer 1: link to slot 40, but there are 40 slots");
}

TEST_F(HostileRestoreTest, RefusesALinkToItself) {
  ExpectDataLoss(graph_.RestoreNode(3, 0, Links{{3}}),
                 "slot 3 layer 0: link to itself");
}

TEST_F(HostileRestoreTest, RefusesAnIdTwiceInOneList) {
  ExpectDataLoss(graph_.RestoreNode(3, 0, Links{{5, 4, 5}}),
                 "slot 3 layer 0: two links to slot 5");
}

TEST_F(HostileRestoreTest, RefusesMoreLinksThanALayerHolds) {
  ExpectDataLoss(graph_.RestoreNode(0, 0, Links{IdsFrom1To(2 * kM + 1)}),
                 "slot 0 layer 0: 13 links, the limit is 12");
  ExpectDataLoss(graph_.RestoreNode(0, 1, Links{{}, IdsFrom1To(kM + 1)}),
                 "slot 0 layer 1: 7 links, the limit is 6");
}

TEST_F(HostileRestoreTest, RefusesATopLayerAboveTheLimit) {
  ExpectDataLoss(graph_.RestoreNode(0, 32, Links(33)),
                 "slot 0: top layer is 32, the limit is 31");
  ExpectDataLoss(graph_.RestoreNode(0, UINT32_MAX, Links{}),
                 "slot 0: top layer is 4294967295, the limit is 31");
}

TEST_F(HostileRestoreTest, RefusesLinksOfAnotherNumberOfLayers) {
  ExpectDataLoss(graph_.RestoreNode(0, 2, Links{{}, {}}),
                 "slot 0: links of 2 layers, top layer is 2");
}

TEST_F(HostileRestoreTest, RefusesANodeTwice) {
  ASSERT_TRUE(graph_.RestoreNode(0, 0, Links{{1}}).ok());
  ExpectDataLoss(graph_.RestoreNode(0, 0, Links{{1}}), "slot 0: links twice");
}

TEST_F(HostileRestoreTest, RefusesALinkAboveTheTargetsTopLayer) {
  ASSERT_TRUE(graph_.RestoreNode(0, 1, Links{{1}, {1}}).ok());
  ASSERT_TRUE(graph_.RestoreNode(1, 0, Links{{0}}).ok());
  ASSERT_TRUE(graph_.RestoreEntryPoint({true, 0, 1}).ok());
  ExpectDataLoss(graph_.FinishRestore(),
                 "slot 0 layer 1: link to slot 1, whose top layer is 0");
}

TEST_F(HostileRestoreTest, RefusesALinkToASlotWithoutLinks) {
  ASSERT_TRUE(graph_.RestoreNode(0, 0, Links{{1}}).ok());
  ASSERT_TRUE(graph_.RestoreEntryPoint({true, 0, 0}).ok());
  ExpectDataLoss(graph_.FinishRestore(),
                 "slot 0 layer 0: link to slot 1, which is no node");
}

TEST_F(HostileRestoreTest, RefusesEntryPointsThatAreNone) {
  ASSERT_TRUE(graph_.RestoreNode(0, 0, Links{{}}).ok());
  ExpectDataLoss(graph_.FinishRestore(),
                 "slot 0 is a node, but there is no entry point");
  ExpectDataLoss(graph_.RestoreEntryPoint({true, 40, 0}),
                 "entry point is slot 40, but there are 40 slots");
  ExpectDataLoss(graph_.RestoreEntryPoint({true, 0, 32}),
                 "entry point slot 0: layer is 32, the limit is 31");
  ASSERT_TRUE(graph_.RestoreEntryPoint({true, 0, 1}).ok());
  ExpectDataLoss(graph_.FinishRestore(),
                 "entry point slot 0: layer is 1, but its top layer is 0");
  ASSERT_TRUE(graph_.RestoreEntryPoint({true, 7, 0}).ok());
  ExpectDataLoss(graph_.FinishRestore(),
                 "entry point is slot 7, which is no node");
}

}  // namespace
}  // namespace engram::index
