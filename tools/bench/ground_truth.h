// True neighbors, by comparing everything with everything.

#ifndef ENGRAM_TOOLS_BENCH_GROUND_TRUTH_H_
#define ENGRAM_TOOLS_BENCH_GROUND_TRUTH_H_

#include <cstdint>
#include <vector>

#include "engram/options.h"
#include "tools/bench/dataset.h"

namespace engram::bench {

// For each query its `k` nearest rows of `base`, nearest first, with equal
// distances by row. Takes all processors.
std::vector<std::vector<uint32_t>> TrueNeighbors(const Matrix& base,
                                                 const Matrix& queries,
                                                 Metric metric, size_t k);

// `row` with norm 1; a row of zeros as it is.
std::vector<float> Normalised(absl::Span<const float> row);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_GROUND_TRUTH_H_
