// Copies: one of them is a node, the others hang on it.

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include "graph_harness.h"
#include "gtest/gtest.h"

namespace engram::index {
namespace {

constexpr uint32_t kDimension = 16;
constexpr int kVectorCount = 25;
constexpr int kCopyCount = 200;

class GraphTwinTest : public testing::TestWithParam<schema::Quantization> {
 protected:
  GraphTwinTest()
      : graph_({.dimension = kDimension,
                .metric = schema::Metric::kCosine,
                .M = 4,
                .ef_construction = 400,
                .quantization = GetParam()},
               std::vector<float>(kDimension)) {
    ClusteredPoints points(4, kDimension, 5);
    for (int i = 0; i < kVectorCount; ++i) vectors_.push_back(points.Next());
  }

  void InsertCopies() {
    for (int i = 0; i < kVectorCount * kCopyCount; ++i) {
      graph_.Insert(vectors_[random_() % kVectorCount]);
    }
  }

  std::vector<uint32_t> Heads() const {
    std::vector<uint32_t> heads;
    for (const uint32_t slot : graph_.live()) {
      if (graph_->head_of(slot) == kNoSlot) heads.push_back(slot);
    }
    return heads;
  }

  // All copies of `vector`, each once, before anything else.
  void ExpectAllCopies(const std::vector<float>& vector) {
    std::set<uint32_t> expected;
    for (const uint32_t slot : graph_.live()) {
      if (graph_->row(slot) == absl::MakeConstSpan(vector)) {
        expected.insert(slot);
      }
    }
    std::set<uint32_t> found;
    for (const Neighbor& neighbor :
         graph_.Search(vector, expected.size(), 50)) {
      EXPECT_TRUE(found.insert(neighbor.slot).second) << "twice";
    }
    EXPECT_EQ(found, expected);
  }

  LiveGraph graph_;
  std::vector<std::vector<float>> vectors_;
  std::mt19937 random_{6};
};

TEST_P(GraphTwinTest, OneNodeStandsForAllCopies) {
  InsertCopies();
  EXPECT_EQ(FindViolation(graph_), "");
  EXPECT_EQ(Heads().size(), size_t{kVectorCount});
  EXPECT_EQ(graph_->twin_count(), graph_.live().size() - kVectorCount);
  for (const std::vector<float>& vector : vectors_) ExpectAllCopies(vector);
}

// Closer to each other than codes can tell.
TEST_P(GraphTwinTest, ACopyIsFoundAmongNodesThatAreNearlyCopies) {
  constexpr int kAlmostCount = 40;
  for (const std::vector<float>& vector : vectors_) {
    std::vector<uint32_t> heads;
    for (int i = 0; i < kAlmostCount; ++i) {
      std::vector<float> almost = vector;
      almost[random_() % kDimension] += 2e-3f * static_cast<float>(i + 1);
      const uint32_t head = graph_.Insert(almost);
      if (graph_->head_of(head) == kNoSlot) heads.push_back(head);
    }
    ASSERT_GE(heads.size(), size_t{kAlmostCount} / 4);
    for (const uint32_t head : heads) {
      EXPECT_EQ(graph_->head_of(graph_.Insert(graph_->row(head))), head);
    }
  }
}

// Nor does a copy that is not linked yet get lost behind more of them than the
// walk has room for.
TEST_P(GraphTwinTest, ACopyInFlightIsFoundBehindManyThatAreNearlyCopies) {
  constexpr int kAlmostCount = 600;  // ef_construction is 400
  const std::vector<float>& vector = vectors_[0];
  std::vector<uint32_t> unlinked;
  for (int i = 0; i < kAlmostCount; ++i) {
    std::vector<float> almost = vector;
    almost[random_() % kDimension] += 1e-3f * static_cast<float>(i + 1);
    unlinked.push_back(graph_.Fill(almost));
  }
  for (const size_t i : {0, 300, 599}) {
    const uint32_t slot = graph_.Fill(graph_->row(unlinked[i]));
    EXPECT_EQ(graph_->Plan(slot, graph_.scratch(), unlinked).twin_of,
              unlinked[i]);
  }
}

TEST_P(GraphTwinTest, AnyCopyMayBeRemovedInAnyOrder) {
  InsertCopies();
  for (int i = 0; !graph_.live().empty(); ++i) {
    // Every other one is a head: it has the farthest to go.
    const std::vector<uint32_t> heads = Heads();
    graph_.Remove(i % 2 == 0 ? heads[random_() % heads.size()]
                             : graph_.live()[random_() % graph_.live().size()]);
    if (i % 50 != 0) continue;
    ASSERT_EQ(FindViolation(graph_), "") << i;
    ExpectAllCopies(vectors_[random_() % kVectorCount]);
  }
}

TEST_P(GraphTwinTest, CopiesComeAndGo) {
  for (int i = 0; i < 6000; ++i) {
    const size_t wanted = i % 2000 < 1000 ? 400 : 40;
    if (graph_.live().size() > random_() % (2 * wanted)) {
      graph_.RemoveAt(random_() % graph_.live().size());
    } else {
      graph_.Insert(vectors_[random_() % kVectorCount]);
    }
    if (i % 10 == 0) {
      ASSERT_EQ(FindViolation(graph_), "") << i;
    }
    if (i % 100 == 0) ExpectAllCopies(vectors_[random_() % kVectorCount]);
  }
}

// The copy stands on the same layers with the same links, and the lists that
// led to the head lead to it.
TEST_P(GraphTwinTest, APromotedCopyTakesThePlaceOfItsHead) {
  ClusteredPoints points(5, kDimension, 5);
  for (int i = 0; i < 600; ++i) graph_.Insert(points.Next());
  int on_upper_layers = 0;
  for (const uint32_t head : Heads()) {
    const uint32_t copy = graph_.Insert(graph_->row(head));
    ASSERT_EQ(graph_->head_of(copy), head);
    const uint32_t top = graph_->top_layer(head);
    const bool is_entry = graph_->entry_point().slot == head;
    std::vector<std::vector<uint32_t>> before(top + 1);
    for (uint32_t layer = 0; layer <= top; ++layer) {
      graph_->CopyLinks(head, layer, &before[layer]);
    }
    graph_->Unlink(head, graph_.scratch());
    EXPECT_EQ(graph_->head_of(copy), kNoSlot);
    EXPECT_TRUE(graph_->is_node(copy));
    EXPECT_FALSE(graph_->is_node(head));
    EXPECT_EQ(graph_->top_layer(copy), top);
    EXPECT_EQ(graph_->entry_point().slot == copy, is_entry);
    std::vector<uint32_t> after;
    for (uint32_t layer = 0; layer <= top; ++layer) {
      graph_->CopyLinks(copy, layer, &after);
      EXPECT_EQ(after, before[layer]);
    }
    // Back to where it was, for the harness: as a copy, then as the head.
    graph_->Release(head);
    graph_->Link(graph_->Plan(head, graph_.scratch()));
    ASSERT_EQ(graph_->head_of(head), copy);
    on_upper_layers += top > 0 ? 1 : 0;
    ASSERT_EQ(FindViolation(graph_), "");
  }
  EXPECT_GT(on_upper_layers, 100);
  // Lists of in-neighbors that named the wrong one would show here.
  while (!graph_.live().empty()) {
    graph_.RemoveAt(random_() % graph_.live().size());
  }
  EXPECT_EQ(FindViolation(graph_), "");
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind, GraphTwinTest,
    testing::Values(schema::Quantization::kNone, schema::Quantization::kInt8,
                    schema::Quantization::kInt4, schema::Quantization::kInt2),
    [](const auto& tested) { return NameOf(tested.param); });

}  // namespace
}  // namespace engram::index
