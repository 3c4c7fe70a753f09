// Vectors that are like those of a data set, and new each time.

#ifndef ENGRAM_TOOLS_BENCH_NOISY_ROWS_H_
#define ENGRAM_TOOLS_BENCH_NOISY_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "absl/types/span.h"
#include "tools/bench/dataset.h"

namespace engram::bench {

// Row after row of a matrix in random order, each with Gaussian noise of 5 % of
// the row's root mean square in every component, scaled to length 1. The noise
// is read from a table at two random places and added, as drawing it would take
// longer than what is measured; a row meets the same noise again in one of
// 10^12 cases. The same seed gives the same vectors. Not thread-safe.
class NoisyRows {
 public:
  // Borrows `base`, which must not be empty.
  NoisyRows(const Matrix& base, uint64_t seed);

  // Valid until the next call.
  absl::Span<const float> Next();

 private:
  const Matrix& base_;
  std::mt19937_64 random_;
  std::vector<float> noise_;
  std::vector<float> row_;
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_NOISY_ROWS_H_
