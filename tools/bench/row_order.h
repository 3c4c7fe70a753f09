// The order in which the rows of a data set are inserted.

#ifndef ENGRAM_TOOLS_BENCH_ROW_ORDER_H_
#define ENGRAM_TOOLS_BENCH_ROW_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "tools/bench/dataset.h"
#include "tools/bench/subject.h"

namespace engram::bench {

enum class RowOrder {
  kShuffled,
  kClustered,  // topic after topic: each insert is near the ones before it
};

using RandomBits = std::mt19937_64;

// The same for a seed everywhere; std::shuffle differs between libraries.
template <typename T>
void Shuffle(RandomBits& random, std::vector<T>* values) {
  for (size_t i = values->size(); i > 1; --i) {
    std::swap((*values)[i - 1], (*values)[random() % i]);
  }
}

// All rows of `base`, each under its number, as they stand in the file.
std::vector<Item> RowsInFileOrder(const Matrix& base);

// The same items, shuffled with a fixed seed. Clustered ones are then sorted by
// the one of 64 random rows that is nearest.
std::vector<Item> RowsInOrder(const Matrix& base, Metric metric,
                              RowOrder order);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_ROW_ORDER_H_
