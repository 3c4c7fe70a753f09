// A data set in which some vectors stand many times.

#ifndef ENGRAM_TOOLS_BENCH_DUPLICATE_SET_H_
#define ENGRAM_TOOLS_BENCH_DUPLICATE_SET_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tools/bench/dataset.h"
#include "tools/bench/subject.h"

namespace engram::bench {

struct DuplicateSet {
  std::vector<Item> unique;         // each vector once, under ids 0, 1, ..
  std::vector<Item> all;            // with all copies, in random order
  std::vector<uint32_t> row_of_id;  // of `all`; of `unique` too
  Matrix queries;                   // the data set's, and the copied vectors
  std::vector<double> farthest_unique;  // by query, distance of the 10th
  std::vector<double> farthest_all;
};

// The first half of `order` once, and each of the following `copied` `copies`
// times. Takes all processors. `order` has at least twice `copied` items.
DuplicateSet MakeDuplicateSet(const Dataset& dataset,
                              const std::vector<Item>& order, size_t copied,
                              size_t copies);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_DUPLICATE_SET_H_
