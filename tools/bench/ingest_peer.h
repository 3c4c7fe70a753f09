// hnswlib under the load of engram-bench ingest.

#ifndef ENGRAM_TOOLS_BENCH_INGEST_PEER_H_
#define ENGRAM_TOOLS_BENCH_INGEST_PEER_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "tools/bench/ingest_options.h"
#include "tools/bench/noisy_rows.h"

namespace engram::bench {

struct PeerRate {
  double per_s = 0;       // of the wall
  double per_core_s = 0;  // per second of processor time of the process
};

// How fast an index in memory that holds options.preload vectors takes more, on
// `threads` threads that share one mutex; without it on one. Nothing is
// durable. UNIMPLEMENTED without hnswlib.
absl::StatusOr<PeerRate> MeasureHnswlibInserts(const IngestOptions& options,
                                               int threads, uint32_t dimension,
                                               NoisyRows* rows);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INGEST_PEER_H_
