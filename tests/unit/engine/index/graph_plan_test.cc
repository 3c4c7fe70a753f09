// Plans: batches that know of each other, and plans that the graph has left
// behind by the time they are linked.

#include <cstdint>
#include <map>
#include <vector>

#include "graph_harness.h"
#include "gtest/gtest.h"

namespace engram::index {
namespace {

constexpr uint32_t kDimension = 32;
constexpr size_t kTopicCount = 30;
constexpr uint32_t kTopicSize = 100;

// Agents write in topic order. A batch is half a topic here.
class GraphBatchTest : public testing::TestWithParam<schema::Quantization> {
 protected:
  static constexpr uint32_t kBatchSize = kTopicSize / 2;

  static GraphOptions Options() {
    return {.dimension = kDimension, .quantization = GetParam()};
  }

  struct Result {
    double recall;
    bool is_whole;
  };

  static Result Measure(size_t batch_size, bool knows_unlinked) {
    ClusteredPoints points(1, kDimension, kTopicCount);
    LiveGraph graph(Options(), std::vector<float>(kDimension));
    std::vector<uint32_t> unlinked;
    std::vector<InsertPlan> plans;
    for (uint32_t i = 0; i < kTopicCount * kTopicSize; ++i) {
      const uint32_t slot = graph.Fill(points.NextOfTopic(i / kTopicSize));
      plans.push_back(graph->Plan(slot, graph.scratch(), unlinked));
      if (knows_unlinked) unlinked.push_back(slot);
      if (plans.size() < batch_size) continue;
      for (const InsertPlan& plan : plans) {
        graph->Link(plan);
        graph.AddLive(plan.slot);
      }
      plans.clear();
      unlinked.clear();
    }
    std::vector<std::vector<float>> queries;
    for (int i = 0; i < 200; ++i) queries.push_back(points.Next());
    return {graph.Recall(queries, 10, 20), FindViolation(graph).empty()};
  }
};

TEST_P(GraphBatchTest, PlansThatKnowTheirBatchAreAsGoodAsOneByOne) {
  const Result one_by_one = Measure(1, false);
  const Result with = Measure(kBatchSize, true);
  const Result without = Measure(kBatchSize, false);
  EXPECT_TRUE(one_by_one.is_whole);
  EXPECT_TRUE(with.is_whole);
  EXPECT_TRUE(without.is_whole);
  EXPECT_GE(with.recall, one_by_one.recall - 0.015);
  // The walk by 2-bit codes of so few components errs more than that.
  if (GetParam() == schema::Quantization::kInt2) return;
  EXPECT_LE(without.recall, one_by_one.recall - 0.03);
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind, GraphBatchTest,
    testing::Values(schema::Quantization::kNone, schema::Quantization::kInt8,
                    schema::Quantization::kInt4, schema::Quantization::kInt2),
    [](const auto& tested) { return NameOf(tested.param); });

// Lists are chosen anew by the distances of 8-bit codes, whatever it was that a
// plan was made by.
TEST_P(GraphBatchTest, APlanHasTheDistancesThatASearchByCodesHas) {
  if (GetParam() == schema::Quantization::kNone) GTEST_SKIP() << "needs rows";
  constexpr uint32_t kManyDimensions = 512;  // 4 bits are enough to choose by
  const GraphOptions options = {.dimension = kManyDimensions,
                                .quantization = GetParam(),
                                .keep_rows = false};
  ClusteredPoints points(1, kManyDimensions, kTopicCount);
  LiveGraph graph(options, std::vector<float>(kManyDimensions));
  for (int i = 0; i < 300; ++i) graph.Insert(points.Next());
  for (int i = 0; i < 20; ++i) {
    const std::vector<float> vector = points.Next();
    const uint32_t slot = graph.Fill(vector);
    const InsertPlan plan = graph->Plan(slot, graph.scratch());
    std::map<uint32_t, float> distances;
    for (const Neighbor& found : graph.Search(vector, 300, 300)) {
      distances[found.slot] = found.distance;
    }
    ASSERT_FALSE(plan.neighbors[0].empty());
    for (const Neighbor& neighbor : plan.neighbors[0]) {
      EXPECT_EQ(neighbor.distance, distances.at(neighbor.slot));
    }
  }
}

class GraphOldPlanTest : public testing::Test {
 protected:
  GraphOldPlanTest()
      : graph_({.dimension = 2, .M = 4, .ef_construction = 20}),
        points_(1, 2, 1) {}

  void Insert(int count) {
    for (int i = 0; i < count; ++i) graph_.Insert(points_.Next());
  }

  InsertPlan Plan(const std::vector<float>& vector,
                  absl::Span<const uint32_t> unlinked = {}) {
    return graph_->Plan(graph_.Fill(vector), graph_.scratch(), unlinked);
  }

  void Link(const InsertPlan& plan) {
    graph_->Link(plan);
    graph_.AddLive(plan.slot);
    EXPECT_EQ(FindViolation(graph_), "");
  }

  LiveGraph graph_;
  ClusteredPoints points_;
};

TEST_F(GraphOldPlanTest, PlansMadeBeforeTheFirstLinkAreMadeAgain) {
  std::vector<InsertPlan> plans;
  for (int i = 0; i < 300; ++i) plans.push_back(Plan(points_.Next()));
  for (const InsertPlan& plan : plans) Link(plan);
}

TEST_F(GraphOldPlanTest, NeighborsThatWereUnlinkedAreLeftOut) {
  Insert(200);
  InsertPlan plan = Plan(points_.Next());
  ASSERT_GE(plan.neighbors[0].size(), 2u);
  const uint32_t gone = plan.neighbors[0][0].slot;
  graph_.Remove(gone);
  Link(plan);
  std::vector<uint32_t> links;
  graph_->CopyLinks(plan.slot, 0, &links);
  EXPECT_FALSE(links.empty());
  for (const uint32_t id : links) EXPECT_NE(id, gone);
}

TEST_F(GraphOldPlanTest, APlanIsMadeAgainWhenMostNeighborsAreGone) {
  Insert(200);
  const InsertPlan plan = Plan(points_.Next());
  for (const Neighbor& neighbor : plan.neighbors[0]) {
    graph_.Remove(neighbor.slot);
  }
  Link(plan);
  std::vector<uint32_t> links;
  graph_->CopyLinks(plan.slot, 0, &links);
  EXPECT_GE(links.size(), 2u);
}

TEST_F(GraphOldPlanTest, ThePlanOfATwinSurvivesTheUnlinkingOfItsHead) {
  Insert(100);
  const std::vector<float> vector = {50.0f, 50.0f};
  const uint32_t head = graph_.Insert(vector);
  const InsertPlan plan = Plan(vector);
  ASSERT_EQ(plan.twin_of, head);
  graph_.Remove(head);
  Link(plan);
  EXPECT_EQ(graph_->head_of(plan.slot), kNoSlot);
  EXPECT_EQ(graph_.Search(vector, 1, 10)[0].slot, plan.slot);
}

TEST_F(GraphOldPlanTest, ThePlanOfATwinFollowsThePromotedCopy) {
  Insert(100);
  const std::vector<float> vector = {50.0f, 50.0f};
  const uint32_t head = graph_.Insert(vector);
  const uint32_t copy = graph_.Insert(vector);
  const InsertPlan plan = Plan(vector);
  graph_.Remove(head);
  Link(plan);
  EXPECT_EQ(graph_->head_of(plan.slot), copy);
}

// The head's place now holds something else, which is no copy.
TEST_F(GraphOldPlanTest, ThePlanOfATwinDoesNotTrustAHeadThatWasReused) {
  Insert(100);
  const std::vector<float> vector = {50.0f, 50.0f};
  const uint32_t head = graph_.Insert(vector);
  const InsertPlan plan = Plan(vector);
  graph_.Remove(head);
  ASSERT_EQ(graph_.Insert({-50.0f, 50.0f}), head);
  Link(plan);
  EXPECT_EQ(graph_->head_of(plan.slot), kNoSlot);
}

TEST_F(GraphOldPlanTest, CopiesOfOneBatchBecomeTwinsOfItsFirst) {
  Insert(100);
  const std::vector<float> vector = {50.0f, 50.0f};
  const InsertPlan first = Plan(vector);
  const InsertPlan second = Plan(vector, {first.slot});
  const InsertPlan third = Plan(vector, {first.slot, second.slot});
  ASSERT_EQ(first.twin_of, kNoSlot);
  EXPECT_EQ(second.twin_of, first.slot);
  EXPECT_NE(third.twin_of, kNoSlot);
  Link(first);
  Link(second);
  Link(third);
  EXPECT_EQ(graph_->head_of(second.slot), first.slot);
  EXPECT_EQ(graph_->head_of(third.slot), first.slot);
}

TEST_F(GraphOldPlanTest, OfMoreUnlinkedThanAHopHoldsTheNearestIsChosen) {
  Insert(100);
  std::vector<uint32_t> unlinked;
  for (int i = 0; i < 3 * int{kHopSlotsMax} / 2; ++i) {
    unlinked.push_back(graph_.Fill({1000.0f + i, 1000.0f}));
  }
  for (const uint32_t nearest : {unlinked.front(), unlinked.back()}) {
    const InsertPlan plan =
        Plan({1000.25f + (nearest - unlinked.front()), 1000.0f}, unlinked);
    ASSERT_FALSE(plan.neighbors[0].empty());
    EXPECT_EQ(plan.neighbors[0][0].slot, nearest);
  }
}

// Who collects them may be overtaken by who links them.
TEST_F(GraphOldPlanTest, WhatWasLinkedMeanwhileIsMetOnce) {
  // From the end of a line only one node is chosen, so places are filled in.
  for (int i = 0; i < 30; ++i) graph_.Insert({10.0f * i, 0.0f});
  const std::vector<float> end = {-7.0f, 0.0f};
  const InsertPlan alone = Plan(end);
  ASSERT_EQ(alone.neighbors[0].size(), 2);
  const InsertPlan plan = Plan(end, graph_.live());
  EXPECT_EQ(plan.neighbors[0], alone.neighbors[0]);
}

// The batch's first never arrived.
TEST_F(GraphOldPlanTest, ATwinOfASlotThatWasNeverLinkedBecomesANode) {
  Insert(100);
  const std::vector<float> vector = {50.0f, 50.0f};
  const InsertPlan first = Plan(vector);
  const InsertPlan second = Plan(vector, {first.slot});
  ASSERT_EQ(second.twin_of, first.slot);
  Link(second);
  EXPECT_EQ(graph_->head_of(second.slot), kNoSlot);
}

// Walks that start from an entry point that is no node any more end well.
TEST_F(GraphOldPlanTest, AMovedEntryPointSpoilsNoPlan) {
  Insert(300);
  for (int i = 0; i < 250; ++i) {
    const InsertPlan plan = Plan(points_.Next());
    graph_.Remove(graph_->entry_point().slot);
    Link(plan);
  }
}

TEST_F(GraphOldPlanTest, APlanOutlivesAllOtherNodes) {
  Insert(20);
  const InsertPlan plan = Plan(points_.Next());
  while (!graph_.live().empty()) graph_.RemoveAt(0);
  Link(plan);
  EXPECT_EQ(graph_->entry_point().slot, plan.slot);
}

// A plan of which one neighbor is left, whose list holds nothing but its
// children and the only node that leads to it. That node's way from the entry
// point must stay known, or the next full list on it gives it up.
TEST(GraphTreeTest, ANewNodeThatIsForcedInCutsOffNoAncestorOfItsHost) {
  LiveGraph graph({.dimension = 2, .M = 2});
  enum : uint32_t { kRoot, kFar, kHost, kFirst = 3, kSide = 6 };
  using Links = std::vector<std::vector<uint32_t>>;
  const std::vector<std::vector<float>> vectors = {
      {0, 0},     {100, 0}, {200, 0}, {210, 0}, {200, 10},
      {200, -10}, {-10, 0}, {0, 10},  {0, -10}};
  for (const std::vector<float>& vector : vectors) graph.Fill(vector);
  const auto restore = [&](uint32_t slot, const std::vector<uint32_t>& ids) {
    ASSERT_TRUE(graph->RestoreNode(slot, 0, Links{ids}).ok());
    graph.AddLive(slot);
  };
  restore(kRoot, {kFar, kSide, kSide + 1, kSide + 2});
  restore(kFar, {kRoot, kHost});
  restore(kHost, {kFar, kFirst, kFirst + 1, kFirst + 2});
  for (uint32_t i = 0; i < 3; ++i) restore(kFirst + i, {kHost});
  for (uint32_t i = 0; i < 3; ++i) restore(kSide + i, {kRoot});
  ASSERT_TRUE(graph->RestoreEntryPoint({true, kRoot, 0}).ok());
  ASSERT_TRUE(graph->FinishRestore(1).ok());
  ASSERT_EQ(FindViolation(graph), "");

  const auto link_beside = [&](const std::vector<float>& vector,
                               uint32_t neighbor, float distance) {
    InsertPlan plan;
    plan.slot = graph.Fill(vector);
    plan.neighbors = {{{distance, neighbor}}};
    plan.chosen = {1};
    graph->Link(plan);
    graph.AddLive(plan.slot);
  };
  link_beside({300, 0}, kHost, 10000);
  ASSERT_EQ(FindViolation(graph), "");
  link_beside({10, 0}, kRoot, 100);
  EXPECT_EQ(FindViolation(graph), "");
}

}  // namespace
}  // namespace engram::index
