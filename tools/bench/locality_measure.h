// Whether it pays to index a space by the same worker each time.

#ifndef ENGRAM_TOOLS_BENCH_LOCALITY_MEASURE_H_
#define ENGRAM_TOOLS_BENCH_LOCALITY_MEASURE_H_

#include "absl/status/statusor.h"
#include "tools/bench/ingest_options.h"
#include "tools/bench/locality_report.h"
#include "tools/bench/noisy_rows.h"

namespace engram::bench {

// Measures home workers and random ones in turns, on the same spaces: these
// grow meanwhile, and others take their share of the machine, but of both the
// same. `options.seconds` at most for each row, but one batch of each space in
// each turn. INTERNAL if records were lost.
absl::StatusOr<LocalityResult> MeasureLocality(int spaces, uint32_t dimension,
                                               const IngestOptions& options,
                                               NoisyRows* rows);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_LOCALITY_MEASURE_H_
