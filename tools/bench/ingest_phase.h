// One phase of a scenario, measured.

#ifndef ENGRAM_TOOLS_BENCH_INGEST_PHASE_H_
#define ENGRAM_TOOLS_BENCH_INGEST_PHASE_H_

#include "absl/status/statusor.h"
#include "tools/bench/ingest_options.h"
#include "tools/bench/ingest_report.h"
#include "tools/bench/ingest_scenario.h"
#include "tools/bench/ingest_spaces.h"

namespace engram::bench {

// Everything but what compares it with other phases and peers. `spaces` were
// opened for it, so that their counts are its own. INTERNAL if the counts of
// the database and those of the driver disagree: then something was lost.
absl::StatusOr<IngestRow> MeasurePhase(const IngestPhase& phase, double per_s,
                                       const IngestOptions& options,
                                       NoisyRows* rows, NoisyRows* queries,
                                       IngestSpaces* spaces);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INGEST_PHASE_H_
