// Graphs that were restored without links that their nodes need.

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

#include "graph_harness.h"
#include "gtest/gtest.h"

namespace engram::index {
namespace {

constexpr uint32_t kDimension = 8;

using Links = std::vector<std::vector<uint32_t>>;

// Copies `from` without the layer-0 links that lead to `cut`.
void CopyWithoutLinksTo(const std::set<uint32_t>& cut, const Graph& from,
                        LiveGraph* to) {
  for (uint32_t slot = 0; slot < from.slot_count(); ++slot) {
    to->Fill(from.row(slot));
    to->AddLive(slot);
  }
  for (uint32_t slot = 0; slot < from.slot_count(); ++slot) {
    if (from.head_of(slot) != kNoSlot) {
      ASSERT_TRUE((*to)->RestoreTwin(slot, from.head_of(slot)).ok());
      continue;
    }
    Links links(from.top_layer(slot) + 1);
    for (uint32_t layer = 0; layer < links.size(); ++layer) {
      from.CopyLinks(slot, layer, &links[layer]);
    }
    std::erase_if(links[0], [&](uint32_t id) { return cut.count(id) > 0; });
    ASSERT_TRUE((*to)->RestoreNode(slot, from.top_layer(slot), links).ok());
  }
  ASSERT_TRUE((*to)->RestoreEntryPoint(from.entry_point()).ok());
  ASSERT_TRUE((*to)->FinishRestore(1).ok());
}

class GraphReattachTest : public testing::Test {
 protected:
  void Fill(int count) {
    ClusteredPoints points(11, kDimension, 20);
    for (int i = 0; i < count; ++i) whole_.Insert(points.Next());
  }

  LiveGraph whole_{{.dimension = kDimension}};
  LiveGraph graph_{{.dimension = kDimension}};
};

TEST_F(GraphReattachTest, NodesThatLostTheirInLinksAreFoundAgain) {
  Fill(2000);
  std::set<uint32_t> cut;
  for (uint32_t slot = 3; cut.size() < 50; slot += 37) {
    if (slot != whole_->entry_point().slot) cut.insert(slot);
  }
  CopyWithoutLinksTo(cut, *whole_, &graph_);
  ASSERT_EQ(graph_->CountUnreachable(AcceptEverything), cut.size());

  EXPECT_EQ(graph_->Reattach(AcceptEverything, graph_.scratch()), cut.size());
  EXPECT_EQ(FindViolation(graph_), "");
  for (const uint32_t slot : cut) {
    EXPECT_EQ(graph_.Search(graph_->row(slot), 1, 200),
              (std::vector<Neighbor>{{0.0f, slot}}));
  }
  EXPECT_EQ(graph_->Reattach(AcceptEverything, graph_.scratch()), 0u);
}

TEST_F(GraphReattachTest, NodesThatAreNotLiveAreLeftAlone) {
  Fill(500);
  const uint32_t dead = whole_->entry_point().slot == 17 ? 18 : 17;
  CopyWithoutLinksTo({dead}, *whole_, &graph_);
  const auto is_live = [&](uint32_t slot) { return slot != dead; };
  EXPECT_EQ(graph_->CountUnreachable(is_live), 0u);
  EXPECT_EQ(graph_->Reattach(is_live, graph_.scratch()), 0u);
  EXPECT_EQ(graph_->CountUnreachable(AcceptEverything), 1u);
}

// Nobody wants the head any more, but its copy is found through it.
TEST_F(GraphReattachTest, AHeadThatIsNotLiveIsReattachedForItsCopies) {
  Fill(500);
  const uint32_t head = whole_->entry_point().slot == 17 ? 18 : 17;
  const uint32_t copy = whole_.Insert(whole_->row(head));
  ASSERT_EQ(whole_->head_of(copy), head);
  CopyWithoutLinksTo({head}, *whole_, &graph_);
  const auto is_live = [&](uint32_t slot) { return slot != head; };
  EXPECT_EQ(graph_->CountUnreachable(is_live), 1u);
  EXPECT_EQ(graph_->Reattach(is_live, graph_.scratch()), 1u);
  EXPECT_EQ(FindViolation(graph_), "");
}

// The tree knows them too: what is reattached stays so.
TEST_F(GraphReattachTest, WhatWasReattachedSurvivesChurn) {
  Fill(1000);
  std::set<uint32_t> cut;
  for (uint32_t slot = 0; slot < 1000; slot += 3) {
    if (slot != whole_->entry_point().slot) cut.insert(slot);
  }
  CopyWithoutLinksTo(cut, *whole_, &graph_);
  graph_->Reattach(AcceptEverything, graph_.scratch());
  ClusteredPoints points(12, kDimension, 20);
  for (size_t i = 0; i < 1000; ++i) {
    graph_.RemoveAt(i * 7 % graph_.live().size());
    graph_.Insert(points.Next());
    ASSERT_EQ(FindViolation(graph_), "") << i;
  }
}

// A chain: each node is the only way to the next, which is also its farthest
// neighbor, and its other links lead back. The next node has in-links from
// behind it too, so counting in-links would not tell that this one is needed.
TEST(GraphChainTest, FullListsGiveUpOnlyLinksThatNobodyNeeds) {
  constexpr uint32_t kChainSize = 16;
  constexpr uint32_t kStrayCount = 30;
  LiveGraph graph({.dimension = 1, .M = 2});
  float position = 1.0f;
  for (uint32_t slot = 0; slot < kChainSize; ++slot, position *= 3.0f) {
    graph.Fill({position});
  }
  for (uint32_t i = 0; i < kStrayCount; ++i) {
    graph.Fill({graph->row(i % kChainSize)[0] * 1.01f});
  }
  for (uint32_t slot = 0; slot < kChainSize; ++slot) {
    std::vector<uint32_t> links;
    if (slot + 1 < kChainSize) links.push_back(slot + 1);
    for (uint32_t back = 1; back <= 3 && back <= slot; ++back) {
      links.push_back(slot - back);
    }
    ASSERT_TRUE(graph->RestoreNode(slot, 0, {links}).ok());
    graph.AddLive(slot);
  }
  const std::vector<uint32_t> stray_links = {0, 1, 2, 3};
  for (uint32_t slot = kChainSize; slot < graph->slot_count(); ++slot) {
    ASSERT_TRUE(graph->RestoreNode(slot, 0, {stray_links}).ok());
    graph.AddLive(slot);
  }
  ASSERT_TRUE(graph->RestoreEntryPoint({true, 0, 0}).ok());
  ASSERT_TRUE(graph->FinishRestore(1).ok());
  ASSERT_EQ(graph->CountUnreachable(AcceptEverything), kStrayCount);

  EXPECT_EQ(graph->Reattach(AcceptEverything, graph.scratch()), kStrayCount);
  EXPECT_EQ(FindViolation(graph), "");
}

TEST_F(GraphReattachTest, AnEmptyGraphHasNothingToReattach) {
  EXPECT_EQ(graph_->Reattach(AcceptEverything, graph_.scratch()), 0u);
  EXPECT_EQ(graph_->CountUnreachable(AcceptEverything), 0u);
}

}  // namespace
}  // namespace engram::index
