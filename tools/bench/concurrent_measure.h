// How much a reader slows a writer down.

#ifndef ENGRAM_TOOLS_BENCH_CONCURRENT_MEASURE_H_
#define ENGRAM_TOOLS_BENCH_CONCURRENT_MEASURE_H_

#include "absl/status/status.h"
#include "tools/bench/setting.h"

namespace engram::bench {

// Inserts the second half of the data set once alone and once beside a thread
// that searches all the time, and compares the processor time of both. On all
// cores; with few of them, waiting says nothing. Engram alone: the peers
// declare searches beside inserts unsafe.
absl::Status MeasureConcurrent(const Setting& setting);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_CONCURRENT_MEASURE_H_
