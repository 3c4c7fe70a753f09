#include <cmath>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "engine/index/graph.h"
#include "gtest/gtest.h"

namespace engram::index {
namespace {

constexpr uint32_t kDimension = 32;
constexpr uint32_t kCount = 5000;
constexpr uint32_t kQueryCount = 100;
constexpr size_t kResultCount = 10;
constexpr size_t kTopicCount = 50;

bool AcceptEverything(uint32_t) { return true; }

// Points around one center per topic; `norm_spread` stretches each by a factor
// between 1 and 1 + norm_spread.
class ClusteredPoints {
 public:
  ClusteredPoints(uint32_t seed, float norm_spread)
      : random_(seed), norm_spread_(norm_spread) {
    std::normal_distribution<float> normal;
    for (std::vector<float>& center : centers_) {
      center.resize(kDimension);
      for (float& component : center) component = normal(random_);
    }
  }

  std::vector<float> Next() { return NextOfTopic(random_() % kTopicCount); }

  std::vector<float> NextOfTopic(size_t topic) {
    std::normal_distribution<float> normal(0.0f, 0.5f);
    std::uniform_real_distribution<float> uniform(0.0f, 1.0f);
    std::vector<float> point = centers_[topic];
    const float stretch = 1.0f + norm_spread_ * uniform(random_);
    for (float& component : point) {
      component = stretch * (component + normal(random_));
    }
    return point;
  }

 private:
  std::mt19937 random_;
  const float norm_spread_;
  std::vector<std::vector<float>> centers_{kTopicCount};
};

GraphOptions OptionsFor(schema::Metric metric) {
  return {.dimension = kDimension, .metric = metric};
}

void Insert(absl::Span<const float> vector, Scratch& scratch, Graph* graph) {
  graph->Link(graph->Plan(graph->AppendSlot(vector), scratch));
}

double ReferenceDistance(schema::Metric metric, absl::Span<const float> a,
                         absl::Span<const float> b) {
  double dot = 0, a_norm = 0, b_norm = 0, l2 = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += double{a[i]} * b[i];
    a_norm += double{a[i]} * a[i];
    b_norm += double{b[i]} * b[i];
    l2 += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  }
  switch (metric) {
    case schema::Metric::kL2:
      return l2;
    case schema::Metric::kCosine:
      return 1.0 - dot / std::sqrt(a_norm * b_norm);
    case schema::Metric::kInnerProduct:
      return -dot;
  }
  return NAN;
}

class GraphSearchTest : public testing::TestWithParam<schema::Metric> {
 protected:
  GraphSearchTest()
      : points_(1, GetParam() == schema::Metric::kInnerProduct ? 0.5f : 0.0f),
        graph_(OptionsFor(GetParam()), simd::BestKernels()) {}

  void Fill() {
    for (uint32_t i = 0; i < kCount; ++i) {
      Insert(points_.Next(), scratch_, &graph_);
    }
  }

  // The share of the exact nearest accepted slots that searches of width `ef`
  // find. Every search must give kResultCount results, all accepted.
  double Recall(size_t ef, Graph::SlotFilter accept) {
    size_t hits = 0;
    for (uint32_t i = 0; i < kQueryCount; ++i) {
      const std::vector<float> query = points_.Next();
      std::vector<Neighbor> exact;
      std::vector<Neighbor> found;
      graph_.ScanExact(query, 0, kCount, kResultCount, accept, &exact);
      graph_.Search(query, kResultCount, ef, accept, scratch_, &found);
      EXPECT_EQ(exact.size(), kResultCount);
      EXPECT_EQ(found.size(), kResultCount);
      std::set<uint32_t> expected;
      for (const Neighbor& neighbor : exact) expected.insert(neighbor.slot);
      for (const Neighbor& neighbor : found) {
        EXPECT_TRUE(accept(neighbor.slot));
        hits += expected.count(neighbor.slot);
      }
    }
    return static_cast<double>(hits) / (kQueryCount * kResultCount);
  }

  ClusteredPoints points_;
  Graph graph_;
  Scratch scratch_;
};

TEST_P(GraphSearchTest, FindsTheTrueNeighbors) {
  Fill();
  EXPECT_GE(Recall(100, AcceptEverything), 0.95);
}

TEST_P(GraphSearchTest, DistancesAreThoseOfTheMetricAndAscend) {
  Fill();
  const std::vector<float> query = points_.Next();
  std::vector<Neighbor> found;
  graph_.Search(query, 50, 100, AcceptEverything, scratch_, &found);
  ASSERT_EQ(found.size(), 50u);
  for (size_t i = 0; i < found.size(); ++i) {
    const double expected =
        ReferenceDistance(GetParam(), query, graph_.row(found[i].slot));
    EXPECT_NEAR(found[i].distance, expected, 1e-4 * (1 + std::abs(expected)));
    if (i > 0) {
      EXPECT_GE(found[i].distance, found[i - 1].distance);
    }
  }
}

// With fewer than ef accepted nodes the walk covers all that is reachable, so
// it finds every neighbor once nothing is out of reach. (Inner product leaves
// several percent of the nodes without in-links: the long vectors take all.)
TEST_P(GraphSearchTest, ANarrowFilterStillGivesKResultsAndNoRefusedOne) {
  Fill();
  graph_.Reattach(AcceptEverything, scratch_);
  EXPECT_EQ(Recall(100, [](uint32_t slot) { return slot % 100 == 7; }), 1.0);
}

// Agents write in topic order. Here a batch is a topic and is planned before
// any of it is linked: without `unlinked`, its plans know nothing of the topic.
TEST_P(GraphSearchTest, PlansOfABatchFindEachOther) {
  constexpr uint32_t kBatchSize = kCount / kTopicCount;
  for (size_t topic = 0; topic < kTopicCount; ++topic) {
    std::vector<uint32_t> earlier;
    std::vector<InsertPlan> plans;
    for (uint32_t i = 0; i < kBatchSize; ++i) {
      const uint32_t slot = graph_.AppendSlot(points_.NextOfTopic(topic));
      plans.push_back(graph_.Plan(slot, scratch_, earlier));
      earlier.push_back(slot);
    }
    for (const InsertPlan& plan : plans) graph_.Link(plan);
  }
  EXPECT_GE(Recall(100, AcceptEverything), 0.95);
}

INSTANTIATE_TEST_SUITE_P(EveryMetric, GraphSearchTest,
                         testing::Values(schema::Metric::kL2,
                                         schema::Metric::kCosine,
                                         schema::Metric::kInnerProduct),
                         [](const auto& tested) -> std::string {
                           switch (tested.param) {
                             case schema::Metric::kL2:
                               return "L2";
                             case schema::Metric::kCosine:
                               return "Cosine";
                             case schema::Metric::kInnerProduct:
                               return "InnerProduct";
                           }
                           return "";
                         });

class SmallGraphTest : public testing::Test {
 protected:
  SmallGraphTest()
      : graph_({.dimension = 1, .metric = schema::Metric::kL2},
               simd::BestKernels()) {}

  Graph graph_;
  Scratch scratch_;
  std::vector<Neighbor> found_;
};

TEST_F(SmallGraphTest, AnEmptyGraphGivesNothing) {
  graph_.Search({1.0f}, 10, 10, AcceptEverything, scratch_, &found_);
  EXPECT_TRUE(found_.empty());
  graph_.ScanExact({1.0f}, 0, 0, 10, AcceptEverything, &found_);
  EXPECT_TRUE(found_.empty());
}

TEST_F(SmallGraphTest, FewerVectorsThanKAreAllGiven) {
  for (float value : {5.0f, 1.0f, 3.0f}) {
    Insert({value}, scratch_, &graph_);
  }
  graph_.Search({0.0f}, 10, 10, AcceptEverything, scratch_, &found_);
  EXPECT_EQ(found_, (std::vector<Neighbor>{{1.0f, 1}, {9.0f, 2}, {25.0f, 0}}));
}

TEST_F(SmallGraphTest, AnEfBeyondAnyMeaningCostsNoMemory) {
  for (int i = 0; i < 500; ++i) {
    Insert({static_cast<float>(i)}, scratch_, &graph_);
  }
  graph_.Search({0.0f}, SIZE_MAX, SIZE_MAX, AcceptEverything, scratch_,
                &found_);
  EXPECT_EQ(found_.size(), 500u);
}

TEST_F(SmallGraphTest, KOfZeroGivesNothing) {
  Insert({1.0f}, scratch_, &graph_);
  graph_.Search({1.0f}, 0, 10, AcceptEverything, scratch_, &found_);
  EXPECT_TRUE(found_.empty());
  graph_.ScanExact({1.0f}, 0, 1, 0, AcceptEverything, &found_);
  EXPECT_TRUE(found_.empty());
}

TEST_F(SmallGraphTest, EqualDistancesAscendBySlot) {
  for (int i = 0; i < 5; ++i) Insert({2.0f}, scratch_, &graph_);
  graph_.Search({0.0f}, 3, 10, AcceptEverything, scratch_, &found_);
  EXPECT_EQ(found_, (std::vector<Neighbor>{{4.0f, 0}, {4.0f, 1}, {4.0f, 2}}));
}

TEST_F(SmallGraphTest, ScanExactReadsTheGivenRangeAndNeedsNoLinks) {
  for (int i = 0; i < 200; ++i) graph_.AppendSlot({static_cast<float>(i)});
  const auto even = [](uint32_t slot) { return slot % 2 == 0; };
  graph_.ScanExact({0.0f}, 101, 200, 2, even, &found_);
  EXPECT_EQ(found_, (std::vector<Neighbor>{{102.0f * 102.0f, 102},
                                           {104.0f * 104.0f, 104}}));
}

// Plans made while the graph was empty name no neighbors.
TEST_F(SmallGraphTest, PlansMadeBeforeTheFirstLinkAreMadeAgain) {
  std::vector<InsertPlan> plans;
  for (int i = 0; i < 300; ++i) {
    plans.push_back(
        graph_.Plan(graph_.AppendSlot({static_cast<float>(i)}), scratch_));
  }
  for (const InsertPlan& plan : plans) graph_.Link(plan);
  EXPECT_EQ(graph_.CountUnreachable(AcceptEverything), 0u);
  graph_.Search({0.0f}, 300, 300, AcceptEverything, scratch_, &found_);
  EXPECT_EQ(found_.size(), 300u);
}

TEST_F(SmallGraphTest, TheSameSeedGivesTheSameGraph) {
  Graph again(graph_.options(), simd::BestKernels());
  for (int i = 0; i < 500; ++i) {
    const float value = static_cast<float>(i * 37 % 101);
    Insert({value}, scratch_, &graph_);
    Insert({value}, scratch_, &again);
  }
  EXPECT_EQ(graph_.entry_point(), again.entry_point());
  std::vector<uint32_t> links;
  std::vector<uint32_t> links_again;
  for (uint32_t slot = 0; slot < graph_.slot_count(); ++slot) {
    ASSERT_EQ(graph_.top_layer(slot), again.top_layer(slot));
    ASSERT_EQ(graph_.top_layer(slot), AssignTopLayer(0, slot, 16));
    for (uint32_t layer = 0; layer <= graph_.top_layer(slot); ++layer) {
      graph_.CopyLinks(slot, layer, &links);
      again.CopyLinks(slot, layer, &links_again);
      EXPECT_EQ(links, links_again);
    }
  }
}

TEST(VectorDistanceTest, AVectorOutsideTheGraphHasTheDistanceItHasInside) {
  ClusteredPoints points(3, 0.5f);
  Graph graph(OptionsFor(schema::Metric::kCosine), simd::BestKernels());
  Scratch scratch;
  const std::vector<float> vector = points.Next();
  const std::vector<float> query = points.Next();
  Insert(vector, scratch, &graph);
  const VectorDistance& distance = graph.distance();
  const float* row = vector.data();
  const float inverse_norm = distance.InverseNorm(vector);
  float outside;
  distance.DistancesToRows(distance.Prepare(query), &row, &inverse_norm, 1,
                           &outside);
  std::vector<Neighbor> found;
  graph.Search(query, 1, 1, AcceptEverything, scratch, &found);
  EXPECT_EQ(found, (std::vector<Neighbor>{{outside, 0}}));
}

}  // namespace
}  // namespace engram::index
