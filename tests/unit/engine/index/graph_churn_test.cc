// The invariants of graph.h under random inserts and removals, of data that
// strains them.

#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "graph_harness.h"
#include "gtest/gtest.h"

namespace engram::index {
namespace {

enum class Shape { kRandom, kLine, kStar, kLongVectors, kCopies };

std::string NameOfShape(Shape shape) {
  switch (shape) {
    case Shape::kRandom:
      return "Random";
    case Shape::kLine:
      return "Line";
    case Shape::kStar:
      return "Star";
    case Shape::kLongVectors:
      return "LongVectors";
    case Shape::kCopies:
      return "Copies";
  }
  return "";
}

class Points {
 public:
  Points(Shape shape, uint32_t seed) : shape_(shape), random_(seed) {}

  static constexpr uint32_t kDimension = 16;

  std::vector<float> Next() {
    std::normal_distribution<float> normal;
    std::vector<float> point(kDimension);
    for (float& component : point) component = normal(random_);
    ++count_;
    switch (shape_) {
      case Shape::kRandom:
        break;
      case Shape::kLine:
        for (float& component : point) component = 0.0f;
        point[0] = static_cast<float>(count_);
        break;
      case Shape::kStar:
        Scale(count_ % 300 == 1 ? 0.01f : 1.0f / Norm(point), &point);
        break;
      case Shape::kLongVectors:
        point[0] = std::abs(point[0]) + 1.0f;
        Scale(count_ % 200 == 1 ? 50.0f : std::exp(normal(random_)), &point);
        break;
      case Shape::kCopies:
        for (float& component : point) component = 0.0f;
        point[random_() % 3] = static_cast<float>(random_() % 7);
        break;
    }
    return point;
  }

 private:
  static float Norm(const std::vector<float>& point) {
    float sum = 0.0f;
    for (const float component : point) sum += component * component;
    return std::sqrt(sum);
  }

  static void Scale(float factor, std::vector<float>* point) {
    for (float& component : *point) component *= factor;
  }

  const Shape shape_;
  std::mt19937 random_;
  uint32_t count_ = 0;
};

using ChurnParameters = std::tuple<Shape, uint32_t, schema::Quantization>;

class GraphChurnTest : public testing::TestWithParam<ChurnParameters> {};

// A small M and a narrow walk make every decision a bad one.
TEST_P(GraphChurnTest, InvariantsHoldAfterEveryFewOperations) {
  const auto& [shape, M, quantization] = GetParam();
  LiveGraph graph(
      {.dimension = Points::kDimension,
       .metric = shape == Shape::kLongVectors ? schema::Metric::kInnerProduct
                                              : schema::Metric::kL2,
       .M = M,
       .ef_construction = 12,
       .quantization = quantization},
      std::vector<float>(Points::kDimension));
  Points points(shape, 100 + M);
  std::mt19937 random(M);
  for (int operation = 0; operation < 5000; ++operation) {
    const bool is_growing = operation / 800 % 2 == 0;
    if (graph.live().empty() || random() % 100 < (is_growing ? 75u : 25u)) {
      graph.Insert(points.Next());
    } else {
      graph.RemoveAt(random() % graph.live().size());
    }
    if (operation % 5 == 0) {
      ASSERT_EQ(FindViolation(graph), "") << "operation " << operation;
    }
  }
  while (!graph.live().empty()) {
    graph.RemoveAt(random() % graph.live().size());
    ASSERT_EQ(FindViolation(graph), "") << graph.live().size() << " left";
  }
  for (int i = 0; i < 50; ++i) graph.Insert(points.Next());
  EXPECT_EQ(FindViolation(graph), "");
}

INSTANTIATE_TEST_SUITE_P(
    EveryShape, GraphChurnTest,
    testing::Combine(testing::Values(Shape::kRandom, Shape::kLine, Shape::kStar,
                                     Shape::kLongVectors, Shape::kCopies),
                     testing::Values(2u, 8u),
                     testing::Values(schema::Quantization::kNone,
                                     schema::Quantization::kInt2)),
    [](const auto& tested) {
      return NameOfShape(std::get<0>(tested.param)) + "M" +
             std::to_string(std::get<1>(tested.param)) +
             NameOf(std::get<2>(tested.param));
    });

// By inner product everything is nearest to one very long vector: nearly every
// list links to it, and it can link back to few.
TEST(GraphHubTest, InLinksOfANodeThatEveryListHoldsStayBounded) {
  constexpr uint32_t kDimension = 16;
  constexpr int kCount = 15000;
  LiveGraph graph(
      {.dimension = kDimension, .metric = schema::Metric::kInnerProduct});
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  const uint32_t hub = graph.Insert(std::vector<float>(kDimension, 5.0f));
  for (int i = 0; i < kCount; ++i) {
    std::vector<float> point(kDimension);
    for (float& component : point) component = 0.25f * normal(random);
    point[0] = std::abs(point[0]) + 0.3f;
    graph.Insert(point);
  }
  ASSERT_EQ(FindViolation(graph), "");
  uint32_t in_degree = 0;
  std::vector<uint32_t> links;
  for (uint32_t slot = 0; slot < graph->slot_count(); ++slot) {
    graph->CopyLinks(slot, 0, &links);
    for (const uint32_t id : links) in_degree += id == hub ? 1 : 0;
  }
  EXPECT_LE(in_degree, kOneWayLinksMax + 2 * graph->options().M);
  graph.Remove(hub);
  EXPECT_EQ(FindViolation(graph), "");
}

// Plans that know nothing of each other: by the time that a plan is linked, its
// nearest neighbors have met nearer nodes, and none of them takes it in.
TEST(GraphStalePlanTest, PlansOfABatchThatDoNotKnowEachOtherGiveAWholeGraph) {
  constexpr uint32_t kDimension = 8;
  constexpr size_t kTopicCount = 40;
  LiveGraph graph({.dimension = kDimension, .ef_construction = 20});
  ClusteredPoints points(1, kDimension, kTopicCount);
  for (size_t topic = 0; topic < kTopicCount; ++topic) {
    std::vector<InsertPlan> plans;
    for (int i = 0; i < 200; ++i) {
      const uint32_t slot = graph.Fill(points.NextOfTopic(topic));
      plans.push_back(graph->Plan(slot, graph.scratch()));
    }
    for (const InsertPlan& plan : plans) {
      graph->Link(plan);
      graph.AddLive(plan.slot);
    }
    ASSERT_EQ(FindViolation(graph), "") << "topic " << topic;
  }
}

// Slot 2 is reachable on layer 1 alone. A walk for slot 3 descends onto it.
TEST(GraphIslandTest, ANodeIsInsertedBesideAnIslandBeforeItIsReattached) {
  LiveGraph graph({.dimension = 1, .M = 2, .ef_construction = 10});
  for (const float x : {0.0f, 1.0f, 100.0f}) graph.Fill({x});
  using Links = std::vector<std::vector<uint32_t>>;
  ASSERT_TRUE(graph->RestoreNode(0, 1, Links{{1}, {2}}).ok());
  ASSERT_TRUE(graph->RestoreNode(1, 0, Links{{0}}).ok());
  ASSERT_TRUE(graph->RestoreNode(2, 1, Links{{}, {0}}).ok());
  ASSERT_TRUE(graph->RestoreEntryPoint({true, 0, 1}).ok());
  ASSERT_TRUE(graph->FinishRestore(1).ok());
  for (uint32_t slot = 0; slot < 3; ++slot) graph.AddLive(slot);
  ASSERT_EQ(graph->CountUnreachable(AcceptEverything), 1u);

  graph.Insert({101.0f});
  graph->Reattach(AcceptEverything, graph.scratch());
  EXPECT_EQ(FindViolation(graph), "");
}

TEST(GraphSearchLimitsTest, AnEfBeyondAnyMeaningCostsNoMemory) {
  LiveGraph graph({.dimension = 1});
  for (int i = 0; i < 500; ++i) graph.Insert({static_cast<float>(i)});
  EXPECT_EQ(graph.Search({0.0f}, SIZE_MAX, SIZE_MAX).size(), 500u);
}

}  // namespace
}  // namespace engram::index
