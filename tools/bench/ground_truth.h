// True neighbors, by comparing everything with everything.

#ifndef ENGRAM_TOOLS_BENCH_GROUND_TRUTH_H_
#define ENGRAM_TOOLS_BENCH_GROUND_TRUTH_H_

#include <cstdint>
#include <vector>

#include "engram/options.h"
#include "tools/bench/dataset.h"

namespace engram::bench {

// A row of the base, and its distance to a query.
struct TrueNeighbor {
  uint32_t row = 0;
  double distance = 0;
};

// For each query its `k` nearest rows of `base`, nearest first, with equal
// distances by row; all rows if `base` has fewer. Takes all processors that the
// calling thread may use.
std::vector<std::vector<TrueNeighbor>> TrueNearest(const Matrix& base,
                                                   const Matrix& queries,
                                                   Metric metric, size_t k);

// The rows of TrueNearest() alone: for each query its `k` nearest rows of
// `base`, nearest first.
std::vector<std::vector<uint32_t>> TrueNeighbors(const Matrix& base,
                                                 const Matrix& queries,
                                                 Metric metric, size_t k);

// The distance that TrueNearest() gives to two rows, to the last bit.
double TrueDistance(Metric metric, absl::Span<const float> a,
                    absl::Span<const float> b);

// `row` with norm 1; a row of zeros as it is.
std::vector<float> Normalised(absl::Span<const float> row);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_GROUND_TRUTH_H_
