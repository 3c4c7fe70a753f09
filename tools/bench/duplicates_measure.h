// Whether equal vectors harm an index.

#ifndef ENGRAM_TOOLS_BENCH_DUPLICATES_MEASURE_H_
#define ENGRAM_TOOLS_BENCH_DUPLICATES_MEASURE_H_

#include "absl/status/status.h"
#include "tools/bench/setting.h"

namespace engram::bench {

// Inserts half of the data set among 125 further vectors of it, 200 times each,
// and compares the recall by distance with that of the same vectors inserted
// once each. The 125 are queries too. Once: recall does not vary with time.
// Leaves faiss out, of which a single run takes many minutes. INVALID_ARGUMENT
// if the data set has less than 250 rows.
absl::Status MeasureDuplicates(const Setting& setting);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_DUPLICATES_MEASURE_H_
