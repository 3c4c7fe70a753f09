// What a search gives: recall, order, filters, copies, limits.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "graph_harness.h"
#include "gtest/gtest.h"

namespace engram::index {
namespace {

constexpr uint32_t kDimension = 32;
constexpr size_t kTopicCount = 40;

std::vector<std::vector<float>> Queries(ClusteredPoints* points, int count) {
  std::vector<std::vector<float>> queries;
  for (int i = 0; i < count; ++i) queries.push_back(points->Next());
  return queries;
}

std::vector<uint32_t> SlotsOf(const std::vector<Neighbor>& neighbors) {
  std::vector<uint32_t> slots;
  for (const Neighbor& neighbor : neighbors) slots.push_back(neighbor.slot);
  return slots;
}

std::vector<float> CentreOfPoints(
    schema::Metric metric, const std::vector<std::vector<float>>& vectors) {
  std::vector<const float*> rows;
  for (const std::vector<float>& vector : vectors) {
    rows.push_back(vector.data());
  }
  return Graph::CentreOf(metric, kDimension, rows);
}

using SearchParameters = std::tuple<schema::Quantization, schema::Metric>;

// With the inner product norms differ a hundredfold: the long vectors are near
// to everything, and the short ones are nobody's neighbors.
class GraphSearchTest : public testing::TestWithParam<SearchParameters> {
 protected:
  static constexpr int kCount = 3000;

  GraphSearchTest()
      : quantization_(std::get<0>(GetParam())),
        metric_(std::get<1>(GetParam())),
        points_(1, kDimension, kTopicCount,
                metric_ == schema::Metric::kInnerProduct ? 99.0f : 0.0f) {}

  LiveGraph Build(bool keep_rows = true) {
    const std::vector<std::vector<float>> vectors = Queries(&points_, kCount);
    LiveGraph graph({.dimension = kDimension,
                     .metric = metric_,
                     .quantization = quantization_,
                     .keep_rows = keep_rows},
                    CentreOfPoints(metric_, vectors));
    for (const std::vector<float>& vector : vectors) graph.Insert(vector);
    return graph;
  }

  // Rows give exact distances; 8-bit codes err by about a hundredth of the
  // vectors' lengths.
  double Tolerance(absl::Span<const float> a, absl::Span<const float> b,
                   bool keep_rows) const {
    const auto norm = [](absl::Span<const float> vector) {
      return std::sqrt(
          -ReferenceDistance(schema::Metric::kInnerProduct, vector, vector));
    };
    const double scale =
        metric_ == schema::Metric::kCosine ? 1.0 : norm(a) * norm(b);
    return (keep_rows ? 1e-5 : 0.02) * (scale + 1.0);
  }

  const schema::Quantization quantization_;
  const schema::Metric metric_;
  ClusteredPoints points_;
};

TEST_P(GraphSearchTest, FindsTheTrueNeighbors) {
  LiveGraph graph = Build();
  EXPECT_EQ(FindViolation(graph), "");
  EXPECT_GE(graph.Recall(Queries(&points_, 100), 10, 100), 0.97);
}

TEST_P(GraphSearchTest, DistancesAreThoseOfTheMetricAndAscend) {
  LiveGraph graph = Build();
  for (const std::vector<float>& query : Queries(&points_, 10)) {
    const std::vector<Neighbor> found = graph.Search(query, 50, 100);
    ASSERT_EQ(found.size(), 50u);
    for (size_t i = 0; i < found.size(); ++i) {
      const absl::Span<const float> row = graph->row(found[i].slot);
      EXPECT_NEAR(found[i].distance, ReferenceDistance(metric_, query, row),
                  Tolerance(query, row, true));
      if (i > 0) {
        EXPECT_LT(KeyOf(found[i - 1].distance, found[i - 1].slot),
                  KeyOf(found[i].distance, found[i].slot));
      }
    }
  }
}

// Whatever k is, and however little `ef` asks for.
TEST_P(GraphSearchTest, GivesKResultsWhereKExist) {
  LiveGraph graph = Build();
  const std::vector<float> query = points_.Next();
  for (const size_t k : {1, 7, 100, kCount - 1, kCount, kCount + 1}) {
    const std::vector<Neighbor> found = graph.Search(query, k, 1);
    const std::vector<uint32_t> slots = SlotsOf(found);
    EXPECT_EQ(slots.size(), std::min<size_t>(k, kCount));
    EXPECT_EQ(std::set<uint32_t>(slots.begin(), slots.end()).size(),
              slots.size());
  }
}

// With fewer than `ef` accepted nodes the second walk covers all that is
// reachable, so it finds every one.
TEST_P(GraphSearchTest, ANarrowFilterStillGivesTheExactAnswer) {
  LiveGraph graph = Build();
  const auto accept = [](uint32_t slot) { return slot % 100 == 7; };
  for (const std::vector<float>& query : Queries(&points_, 20)) {
    std::vector<Neighbor> exact;
    graph->ScanExact(query, 0, graph->slot_count(), 10, accept, graph.scratch(),
                     &exact);
    WalkStats stats;
    EXPECT_EQ(graph.Search(query, 10, 100, accept, &stats), exact);
    EXPECT_TRUE(stats.filtered);
  }
}

TEST_P(GraphSearchTest, AWideFilterNeedsNoSecondWalkAndGivesNoRefusedSlot) {
  LiveGraph graph = Build();
  const auto accept = [](uint32_t slot) { return slot % 100 != 7; };
  int second_walks = 0;
  for (const std::vector<float>& query : Queries(&points_, 20)) {
    WalkStats stats;
    for (const Neighbor& neighbor :
         graph.Search(query, 10, 100, accept, &stats)) {
      EXPECT_TRUE(accept(neighbor.slot));
    }
    second_walks += stats.filtered ? 1 : 0;
  }
  EXPECT_EQ(second_walks, 0);
}

TEST_P(GraphSearchTest, AFilterThatRefusesEverythingGivesNothing) {
  LiveGraph graph = Build();
  const auto refuse = [](uint32_t) { return false; };
  EXPECT_TRUE(graph.Search(points_.Next(), 10, 50, refuse).empty());
}

TEST_P(GraphSearchTest, WithoutRowsTheNearestByCodesAreFound) {
  if (quantization_ == schema::Quantization::kNone) GTEST_SKIP();
  ClusteredPoints same = points_;
  LiveGraph with_rows = Build();
  points_ = same;
  LiveGraph graph = Build(/*keep_rows=*/false);
  EXPECT_LT(graph->memory_bytes(), with_rows->memory_bytes());
  size_t hits = 0;
  for (const std::vector<float>& query : Queries(&points_, 50)) {
    const std::vector<Neighbor> scanned = graph.ScanLive(query, 10);
    const std::vector<Neighbor> found = graph.Search(query, 10, 100);
    ASSERT_EQ(found.size(), 10u);
    ASSERT_EQ(scanned.size(), 10u);
    std::set<uint32_t> expected;
    for (const Neighbor& neighbor : with_rows.ScanLive(query, 10)) {
      expected.insert(neighbor.slot);
    }
    size_t scan_hits = 0;
    for (size_t i = 0; i < 10; ++i) {
      hits += expected.count(found[i].slot);
      scan_hits += expected.count(scanned[i].slot);
      const absl::Span<const float> row = with_rows->row(found[i].slot);
      EXPECT_NEAR(found[i].distance, ReferenceDistance(metric_, query, row),
                  Tolerance(query, row, false));
    }
    EXPECT_GE(scan_hits, 7u);
  }
  EXPECT_GE(static_cast<double>(hits) / 500, 0.93);
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind, GraphSearchTest,
    testing::Combine(testing::Values(schema::Quantization::kNone,
                                     schema::Quantization::kInt8,
                                     schema::Quantization::kInt4,
                                     schema::Quantization::kInt2),
                     testing::Values(schema::Metric::kL2,
                                     schema::Metric::kCosine,
                                     schema::Metric::kInnerProduct)),
    [](const auto& tested) {
      return NameOf(std::get<0>(tested.param)) +
             NameOf(std::get<1>(tested.param));
    });

class SmallGraphTest : public testing::Test {
 protected:
  SmallGraphTest() : graph_({.dimension = 1}) {}

  LiveGraph graph_;
};

TEST_F(SmallGraphTest, AnEmptyGraphGivesNothing) {
  EXPECT_TRUE(graph_.Search({1.0f}, 10, 10).empty());
  EXPECT_TRUE(graph_.ScanLive({1.0f}, 10).empty());
}

TEST_F(SmallGraphTest, FewerVectorsThanKAreAllGiven) {
  for (const float value : {5.0f, 1.0f, 3.0f}) graph_.Insert({value});
  EXPECT_EQ(graph_.Search({0.0f}, 10, 10),
            (std::vector<Neighbor>{{1.0f, 1}, {9.0f, 2}, {25.0f, 0}}));
}

TEST_F(SmallGraphTest, KOfZeroGivesNothing) {
  graph_.Insert({1.0f});
  EXPECT_TRUE(graph_.Search({1.0f}, 0, 10).empty());
  EXPECT_TRUE(graph_.ScanLive({1.0f}, 0).empty());
}

TEST_F(SmallGraphTest, EqualDistancesAscendBySlot) {
  for (int i = 0; i < 5; ++i) graph_.Insert({2.0f});
  for (int i = 0; i < 5; ++i) graph_.Insert({-2.0f});
  EXPECT_EQ(SlotsOf(graph_.Search({0.0f}, 7, 10)),
            (std::vector<uint32_t>{0, 1, 2, 3, 4, 5, 6}));
}

TEST_F(SmallGraphTest, ScanExactReadsTheGivenRangeAndNeedsNoLinks) {
  for (int i = 0; i < 200; ++i) graph_.Fill({static_cast<float>(i)});
  const auto even = [](uint32_t slot) { return slot % 2 == 0; };
  std::vector<Neighbor> found;
  graph_->ScanExact({0.0f}, 101, 200, 2, even, graph_.scratch(), &found);
  EXPECT_EQ(found, (std::vector<Neighbor>{{102.0f * 102.0f, 102},
                                          {104.0f * 104.0f, 104}}));
  graph_->ScanExact({0.0f}, 50, 50, 2, even, graph_.scratch(), &found);
  EXPECT_TRUE(found.empty());
}

TEST_F(SmallGraphTest, CopiesOfARefusedHeadAreFound) {
  const uint32_t head = graph_.Insert({1.0f});
  const uint32_t first = graph_.Insert({1.0f});
  const uint32_t second = graph_.Insert({1.0f});
  graph_.Insert({5.0f});
  ASSERT_EQ(graph_->head_of(first), head);
  ASSERT_EQ(graph_->head_of(second), head);
  const auto not_head = [&](uint32_t slot) { return slot != head; };
  EXPECT_EQ(SlotsOf(graph_.Search({0.0f}, 2, 10, not_head)),
            (std::vector<uint32_t>{first, second}));
  const auto only_first = [&](uint32_t slot) { return slot == first; };
  WalkStats stats;
  EXPECT_EQ(SlotsOf(graph_.Search({0.0f}, 2, 10, only_first, &stats)),
            (std::vector<uint32_t>{first}));
}

// One chain may hold more copies than a search has candidates.
TEST_F(SmallGraphTest, ALongChainOfCopiesGivesKAndHidesNothingNearer) {
  for (int i = 0; i < 500; ++i) graph_.Insert({1.0f});
  const uint32_t nearer = graph_.Insert({0.5f});
  const std::vector<Neighbor> found = graph_.Search({0.0f}, 300, 1);
  ASSERT_EQ(found.size(), 300u);
  EXPECT_EQ(found[0].slot, nearer);
}

TEST_F(SmallGraphTest, StatsCountTheWork) {
  for (int i = 0; i < 300; ++i) graph_.Insert({static_cast<float>(i)});
  WalkStats narrow;
  WalkStats wide;
  graph_.Search({50.0f}, 1, 5, AcceptEverything, &narrow);
  graph_.Search({50.0f}, 1, 200, AcceptEverything, &wide);
  EXPECT_GE(narrow.hops, 5u);
  EXPECT_GT(wide.hops, narrow.hops);
  EXPECT_GT(wide.distances, narrow.distances);
  EXPECT_LE(wide.distances, 2 * 300u);
  EXPECT_FALSE(wide.filtered);
}

// The most links that a node may have: a full list and a new node are more than
// one call compares.
TEST(GraphLimitsTest, TheLargestMWorks) {
  LiveGraph graph({.dimension = 8, .M = 128, .ef_construction = 300});
  ClusteredPoints points(3, 8, 1);
  for (int i = 0; i < 700; ++i) graph.Insert(points.Next());
  ASSERT_EQ(FindViolation(graph), "");
  for (int i = 0; i < 300; ++i) {
    graph.RemoveAt(static_cast<size_t>(i) * 7 % graph.live().size());
  }
  EXPECT_EQ(FindViolation(graph), "");
  EXPECT_GE(graph.Recall(Queries(&points, 50), 10, 50), 0.99);
}

TEST(VectorDistanceTest, AVectorOutsideTheGraphHasTheDistanceItHasInside) {
  LiveGraph graph({.dimension = kDimension, .metric = schema::Metric::kCosine});
  ClusteredPoints points(3, kDimension, 1, 0.5f);
  const std::vector<float> vector = points.Next();
  const std::vector<float> query = points.Next();
  graph.Insert(vector);
  const VectorDistance& distance = graph->distance();
  const float* row = vector.data();
  const float inverse_norm = distance.InverseNorm(vector);
  float outside;
  distance.DistancesToRows(distance.Prepare(query), &row, &inverse_norm, 1,
                           &outside);
  EXPECT_EQ(graph.Search(query, 1, 1), (std::vector<Neighbor>{{outside, 0}}));
}

}  // namespace
}  // namespace engram::index
