// Offers observations to a database, by a schedule or as fast as it takes them.

#ifndef ENGRAM_TOOLS_BENCH_INGEST_DRIVER_H_
#define ENGRAM_TOOLS_BENCH_INGEST_DRIVER_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/bench/ingest_spaces.h"

namespace engram::bench {

struct IngestLoad {
  double seconds = 1;
  double per_s = 0;        // 0: as fast as there is room
  double first_share = 1;  // of the first space, where each other one has 1
  uint64_t seed = 1;
};

struct IngestOffered {
  uint64_t offered = 0;
  uint64_t accepted = 0;  // acknowledged
  uint64_t rejected = 0;  // of RESOURCE_EXHAUSTED; any other error ends a run
  // From when an observation was due until it was acknowledged.
  std::vector<float> ack_us;
  // By how much the driver was late with a call. With a schedule this much of a
  // latency that counts from the call on is hidden.
  std::vector<float> late_us;
};

// Offers what `load` says from the calling thread and returns when all that was
// accepted is acknowledged, not necessarily indexed.
absl::StatusOr<IngestOffered> Offer(const IngestLoad& load, NoisyRows* rows,
                                    IngestSpaces* spaces);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INGEST_DRIVER_H_
