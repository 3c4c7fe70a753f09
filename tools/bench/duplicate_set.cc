#include "tools/bench/duplicate_set.h"

#include "tools/bench/ground_truth.h"
#include "tools/bench/row_order.h"

namespace engram::bench {
namespace {

constexpr uint64_t kSeed = 3;

}  // namespace

DuplicateSet MakeDuplicateSet(const Dataset& dataset,
                              const std::vector<Item>& order, size_t copied,
                              size_t copies) {
  DuplicateSet set;
  set.queries = dataset.queries;
  const size_t once = order.size() / 2;
  Matrix rows;  // of `unique`, by id
  for (size_t i = 0; i < once + copied; ++i) {
    const uint32_t row = order[i].row;
    set.unique.push_back({static_cast<uint32_t>(i), row});
    set.row_of_id.push_back(row);
    rows.Append(dataset.base.row(row));
    if (i >= once) set.queries.Append(dataset.base.row(row));
  }
  set.all = set.unique;
  for (size_t i = once; i < once + copied; ++i) {
    for (size_t copy = 1; copy < copies; ++copy) {
      const auto id = static_cast<uint32_t>(set.row_of_id.size());
      set.all.push_back({id, order[i].row});
      set.row_of_id.push_back(order[i].row);
    }
  }
  RandomBits random(kSeed);
  Shuffle(random, &set.all);
  for (const std::vector<TrueNeighbor>& nearest :
       TrueNearest(rows, set.queries, dataset.metric, kNeighbors)) {
    set.farthest_unique.push_back(nearest.back().distance);
    // Nearest first, each as often as it stands there.
    size_t counted = 0;
    for (const TrueNeighbor& neighbor : nearest) {
      counted += neighbor.row < once ? 1 : copies;
      if (counted < kNeighbors) continue;
      set.farthest_all.push_back(neighbor.distance);
      break;
    }
  }
  return set;
}

}  // namespace engram::bench
