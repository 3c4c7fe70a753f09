// Whether an index stays as good and as fast while its content is replaced.

#ifndef ENGRAM_TOOLS_BENCH_CHURN_MEASURE_H_
#define ENGRAM_TOOLS_BENCH_CHURN_MEASURE_H_

#include "absl/status/status.h"
#include "tools/bench/setting.h"

namespace engram::bench {

// Replaces a quarter of the live vectors six times, 150 % in all, with each
// seed; compares the recall then with that of a new index of what is live.
// Leaves peers out that cannot remove. INVALID_ARGUMENT if the data set is too
// small for the number of live vectors.
absl::Status MeasureChurn(const Setting& setting);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_CHURN_MEASURE_H_
