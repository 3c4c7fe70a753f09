// What removal in place leaves of a graph's quality.

#include <cstdint>
#include <random>
#include <vector>

#include "graph_harness.h"
#include "gtest/gtest.h"

namespace engram::index {
namespace {

constexpr uint32_t kDimension = 32;
constexpr size_t kCount = 6000;

class GraphTurnoverTest : public testing::TestWithParam<schema::Quantization> {
 protected:
  static GraphOptions Options() {
    return {.dimension = kDimension, .quantization = GetParam()};
  }

  // Live slots that their own vector finds.
  static size_t FoundByThemselves(LiveGraph* graph, size_t ef) {
    size_t found = 0;
    for (const uint32_t slot : graph->live()) {
      const std::vector<Neighbor> nearest =
          graph->Search((*graph)->row(slot), 1, ef);
      found += nearest[0].slot == slot ? 1 : 0;
    }
    return found;
  }
};

// Rounds that each replace a quarter, six times.
TEST_P(GraphTurnoverTest, AfterOneAndAHalfTurnoversItIsAsGoodAsAFreshBuild) {
  ClusteredPoints points(9, kDimension, 60);
  LiveGraph graph(Options(), std::vector<float>(kDimension));
  for (size_t i = 0; i < kCount; ++i) graph.Insert(points.Next());
  std::mt19937 random(10);
  for (int round = 0; round < 6; ++round) {
    for (size_t i = 0; i < kCount / 4; ++i) {
      graph.RemoveAt(random() % graph.live().size());
    }
    for (size_t i = 0; i < kCount / 4; ++i) graph.Insert(points.Next());
  }
  EXPECT_EQ(FindViolation(graph), "");
  LiveGraph fresh(Options(), std::vector<float>(kDimension));
  for (const uint32_t slot : graph.live()) fresh.Insert(graph->row(slot));
  std::vector<std::vector<float>> queries;
  for (int i = 0; i < 500; ++i) queries.push_back(points.Next());
  for (const size_t ef : {20, 50}) {
    EXPECT_GE(graph.Recall(queries, 10, ef),
              fresh.Recall(queries, 10, ef) - 0.01)
        << "ef " << ef;
  }
  EXPECT_GE(FoundByThemselves(&graph, 200), kCount * 999 / 1000);
  EXPECT_EQ(FoundByThemselves(&graph, 1024), kCount);
}

INSTANTIATE_TEST_SUITE_P(EveryKind, GraphTurnoverTest,
                         testing::Values(schema::Quantization::kNone,
                                         schema::Quantization::kInt2),
                         [](const auto& tested) {
                           return NameOf(tested.param);
                         });

}  // namespace
}  // namespace engram::index
