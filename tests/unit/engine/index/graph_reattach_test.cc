#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include "engine/index/graph.h"
#include "gtest/gtest.h"

namespace engram::index {
namespace {

constexpr uint32_t kDimension = 8;

bool AcceptEverything(uint32_t) { return true; }

std::vector<float> RandomVector(std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> vector(kDimension);
  for (float& component : vector) component = normal(random);
  return vector;
}

void Insert(const std::vector<float>& vector, Scratch& scratch, Graph* graph) {
  graph->Link(graph->Plan(graph->AppendSlot(vector), scratch));
}

// Copies `from` without the layer-0 links that lead to `cut`.
void CopyWithoutLinksTo(const std::set<uint32_t>& cut, const Graph& from,
                        Graph* to) {
  for (uint32_t slot = 0; slot < from.slot_count(); ++slot) {
    to->AppendSlot(from.row(slot));
  }
  for (uint32_t slot = 0; slot < from.slot_count(); ++slot) {
    std::vector<std::vector<uint32_t>> links(from.top_layer(slot) + 1);
    for (uint32_t layer = 0; layer < links.size(); ++layer) {
      from.CopyLinks(slot, layer, &links[layer]);
    }
    std::erase_if(links[0], [&](uint32_t id) { return cut.count(id) > 0; });
    ASSERT_TRUE(to->RestoreNode(slot, from.top_layer(slot), links).ok());
  }
  ASSERT_TRUE(to->RestoreEntryPoint(from.entry_point()).ok());
  ASSERT_TRUE(to->FinishRestore().ok());
}

TEST(GraphReattachTest, NodesThatLostTheirInLinksAreFoundAgain) {
  const GraphOptions options = {.dimension = kDimension};
  std::mt19937 random(11);
  Scratch scratch;
  Graph whole(options, simd::BestKernels());
  for (int i = 0; i < 2000; ++i) Insert(RandomVector(random), scratch, &whole);
  std::set<uint32_t> cut;
  while (cut.size() < 50) {
    const uint32_t slot = random() % whole.slot_count();
    if (slot != whole.entry_point().slot) cut.insert(slot);
  }
  Graph graph(options, simd::BestKernels());
  CopyWithoutLinksTo(cut, whole, &graph);
  ASSERT_EQ(graph.CountUnreachable(AcceptEverything), cut.size());

  EXPECT_EQ(graph.Reattach(AcceptEverything, scratch), cut.size());
  EXPECT_EQ(graph.CountUnreachable(AcceptEverything), 0u);
  for (uint32_t slot : cut) {
    std::vector<Neighbor> found;
    graph.Search(graph.row(slot), 1, 200, AcceptEverything, scratch, &found);
    EXPECT_EQ(found, (std::vector<Neighbor>{{0.0f, slot}}));
  }
  EXPECT_EQ(graph.Reattach(AcceptEverything, scratch), 0u);
}

TEST(GraphReattachTest, NodesThatAreNotLiveAreLeftAlone) {
  const GraphOptions options = {.dimension = kDimension};
  std::mt19937 random(11);
  Scratch scratch;
  Graph whole(options, simd::BestKernels());
  for (int i = 0; i < 500; ++i) Insert(RandomVector(random), scratch, &whole);
  const uint32_t dead = whole.entry_point().slot == 17 ? 18 : 17;
  Graph graph(options, simd::BestKernels());
  CopyWithoutLinksTo({dead}, whole, &graph);
  const auto is_live = [&](uint32_t slot) { return slot != dead; };
  EXPECT_EQ(graph.CountUnreachable(is_live), 0u);
  EXPECT_EQ(graph.Reattach(is_live, scratch), 0u);
  EXPECT_EQ(graph.CountUnreachable(AcceptEverything), 1u);
}

// A chain: each node is the only way to the next, which is also its farthest
// neighbor, and its other links lead back. The next node has in-links from
// behind it too, so counting in-links would not tell that this one is needed.
TEST(GraphReattachTest, FullListsGiveUpOnlyLinksThatNobodyNeeds) {
  constexpr uint32_t kM = 2;
  constexpr uint32_t kChainSize = 16;
  constexpr uint32_t kStrayCount = 30;
  Graph graph({.dimension = 1, .M = kM}, simd::BestKernels());
  float position = 1.0f;
  for (uint32_t slot = 0; slot < kChainSize; ++slot, position *= 3.0f) {
    graph.AppendSlot({position});
  }
  for (uint32_t i = 0; i < kStrayCount; ++i) {
    graph.AppendSlot({graph.row(i % kChainSize)[0] * 1.01f});
  }
  for (uint32_t slot = 0; slot < kChainSize; ++slot) {
    std::vector<uint32_t> links;
    if (slot + 1 < kChainSize) links.push_back(slot + 1);
    for (uint32_t back = 1; back <= 3 && back <= slot; ++back) {
      links.push_back(slot - back);
    }
    ASSERT_TRUE(graph.RestoreNode(slot, 0, {links}).ok());
  }
  const std::vector<uint32_t> stray_links = {0, 1, 2, 3};
  for (uint32_t slot = kChainSize; slot < graph.slot_count(); ++slot) {
    ASSERT_TRUE(graph.RestoreNode(slot, 0, {stray_links}).ok());
  }
  ASSERT_TRUE(graph.RestoreEntryPoint({true, 0, 0}).ok());
  ASSERT_TRUE(graph.FinishRestore().ok());
  ASSERT_EQ(graph.CountUnreachable(AcceptEverything), kStrayCount);

  Scratch scratch;
  EXPECT_EQ(graph.Reattach(AcceptEverything, scratch), kStrayCount);
  EXPECT_EQ(graph.CountUnreachable(AcceptEverything), 0u);
  std::vector<uint32_t> links;
  for (uint32_t slot = 0; slot < graph.slot_count(); ++slot) {
    graph.CopyLinks(slot, 0, &links);
    EXPECT_LE(links.size(), 2 * kM);
    EXPECT_EQ(std::set<uint32_t>(links.begin(), links.end()).size(),
              links.size());
  }
}

// Copies at distance 0 occlude nothing, so the selection alone would let their
// lists name copies only, and lose the way to the rest.
TEST(GraphReattachTest, CopiesOfAFewVectorsAreReachableAfterEveryInsert) {
  std::mt19937 random(7);
  Scratch scratch;
  std::vector<std::vector<float>> vectors;
  for (int i = 0; i < 20; ++i) vectors.push_back(RandomVector(random));
  Graph graph({.dimension = kDimension, .metric = schema::Metric::kCosine},
              simd::BestKernels());
  for (int i = 0; i < 20 * 200; ++i) {
    Insert(vectors[random() % 20], scratch, &graph);
    if (i % 10 == 0) {
      ASSERT_EQ(graph.CountUnreachable(AcceptEverything), 0u) << i;
    }
  }
  EXPECT_EQ(graph.Reattach(AcceptEverything, scratch), 0u);
}

TEST(GraphReattachTest, NodesOfHubbyDataAreReachableAfterEveryInsert) {
  std::mt19937 random(8);
  Scratch scratch;
  // A small M, many dimensions and varied norms: lists overflow all the time.
  constexpr uint32_t kManyDimensions = 64;
  Graph graph({.dimension = kManyDimensions,
               .metric = schema::Metric::kInnerProduct,
               .M = 3,
               .ef_construction = 20},
              simd::BestKernels());
  std::normal_distribution<float> normal;
  for (int i = 0; i < 3000; ++i) {
    std::vector<float> vector(kManyDimensions);
    const float scale = static_cast<float>(1 + random() % 10);
    for (float& component : vector) component = scale * normal(random);
    Insert(vector, scratch, &graph);
    if (i % 10 == 0) {
      ASSERT_EQ(graph.CountUnreachable(AcceptEverything), 0u) << i;
    }
  }
}

TEST(GraphReattachTest, AnEmptyGraphHasNothingToReattach) {
  Graph graph({.dimension = kDimension}, simd::BestKernels());
  Scratch scratch;
  EXPECT_EQ(graph.Reattach(AcceptEverything, scratch), 0u);
  EXPECT_EQ(graph.CountUnreachable(AcceptEverything), 0u);
}

}  // namespace
}  // namespace engram::index
