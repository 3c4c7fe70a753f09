// What a load did in each of its seconds.

#ifndef ENGRAM_TOOLS_BENCH_INGEST_SECONDS_H_
#define ENGRAM_TOOLS_BENCH_INGEST_SECONDS_H_

#include <optional>
#include <vector>

#include "tools/bench/ingest_timeline.h"

namespace engram::bench {

struct IngestSecond {
  double at_s = 0;  // its middle, since the load began

  double accepted_per_s = 0;
  double indexed_per_s = 0;
  double refused_per_s = 0;

  // On average of what came so far in this second; nothing if nothing did.
  std::optional<double> acknowledged_ms;  // from the call
  std::optional<double> indexed_ms;

  double pending = 0;  // records, in its middle
};

// Second after second; the last one may be shorter, but is left out below half
// of one if there are others. Empty for less than two moments.
std::vector<IngestSecond> PerSecond(const std::vector<IngestMoment>& moments);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INGEST_SECONDS_H_
