#include "tools/bench/row_order.h"

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::bench {
namespace {

// `count` rows that alternate between two places far apart.
Matrix TwoPlaces(size_t count) {
  Matrix matrix;
  for (size_t i = 0; i < count; ++i) {
    const float place = i % 2 == 0 ? 0.0f : 1000.0f;
    matrix.Append({place + static_cast<float>(i) * 0.001f, 1.0f});
  }
  return matrix;
}

void ExpectPermutation(const std::vector<Item>& items, size_t count) {
  std::set<uint32_t> rows;
  for (const Item& item : items) {
    EXPECT_EQ(item.id, item.row);
    EXPECT_LT(item.row, count);
    rows.insert(item.row);
  }
  EXPECT_EQ(items.size(), count);
  EXPECT_EQ(rows.size(), count);
}

std::vector<uint32_t> RowsOf(const std::vector<Item>& items) {
  std::vector<uint32_t> rows;
  for (const Item& item : items) rows.push_back(item.row);
  return rows;
}

TEST(RowsInOrder, ArePermutations) {
  const Matrix base = TwoPlaces(500);
  ExpectPermutation(RowsInOrder(base, Metric::kL2, RowOrder::kShuffled), 500);
  ExpectPermutation(RowsInOrder(base, Metric::kL2, RowOrder::kClustered), 500);
  ExpectPermutation(RowsInOrder(base, Metric::kCosine, RowOrder::kClustered),
                    500);
}

TEST(RowsInOrder, AreTheSameEveryTime) {
  const Matrix base = TwoPlaces(100);
  const std::vector<Item> once =
      RowsInOrder(base, Metric::kL2, RowOrder::kShuffled);
  EXPECT_EQ(RowsOf(once),
            RowsOf(RowsInOrder(base, Metric::kL2, RowOrder::kShuffled)));
  EXPECT_NE(RowsOf(once), RowsOf(RowsInFileOrder(base)));
}

TEST(RowsInOrder, KeepsTopicsTogetherWhenClustered) {
  const Matrix base = TwoPlaces(500);
  const std::vector<Item> items =
      RowsInOrder(base, Metric::kL2, RowOrder::kClustered);
  int changes = 0;
  for (size_t i = 1; i < items.size(); ++i) {
    changes += items[i].row % 2 != items[i - 1].row % 2 ? 1 : 0;
  }
  // At most one more topic than there are topics; shuffled it is about 250.
  EXPECT_LT(changes, 64);
}

TEST(RowsInOrder, TakesFewRows) {
  const Matrix base = TwoPlaces(10);
  ExpectPermutation(RowsInOrder(base, Metric::kL2, RowOrder::kClustered), 10);
}

}  // namespace
}  // namespace engram::bench
