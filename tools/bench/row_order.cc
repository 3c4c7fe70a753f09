#include "tools/bench/row_order.h"

#include <algorithm>

#include "tools/bench/ground_truth.h"

namespace engram::bench {
namespace {

constexpr uint64_t kSeed = 1;
constexpr size_t kTopics = 64;

}  // namespace

std::vector<Item> RowsInFileOrder(const Matrix& base) {
  std::vector<Item> items(base.count());
  for (size_t i = 0; i < items.size(); ++i) {
    items[i].id = items[i].row = static_cast<uint32_t>(i);
  }
  return items;
}

std::vector<Item> RowsInOrder(const Matrix& base, Metric metric,
                              RowOrder order) {
  std::vector<Item> items = RowsInFileOrder(base);
  RandomBits random(kSeed);
  Shuffle(random, &items);
  if (order == RowOrder::kShuffled) return items;
  Matrix topics;
  for (size_t i = 0; i < std::min(kTopics, items.size()); ++i) {
    topics.Append(base.row(items[i].row));
  }
  const std::vector<std::vector<uint32_t>> topic_of_row =
      TrueNeighbors(topics, base, metric, 1);
  std::stable_sort(items.begin(), items.end(),
                   [&topic_of_row](const Item& a, const Item& b) {
                     return topic_of_row[a.row][0] < topic_of_row[b.row][0];
                   });
  return items;
}

}  // namespace engram::bench
