// Offers observations to one space after the other, so many at a time.

#ifndef ENGRAM_TOOLS_BENCH_INGEST_TURNS_H_
#define ENGRAM_TOOLS_BENCH_INGEST_TURNS_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "tools/bench/ingest_driver.h"
#include "tools/bench/ingest_spaces.h"

namespace engram::bench {

// For `seconds`: writes `at_a_time` observations to a space, waits until they
// are indexed, goes on with the next space. A worker finds just these, and its
// caches what the spaces between have left.
absl::StatusOr<IngestOffered> OfferInTurns(double seconds, uint32_t at_a_time,
                                           NoisyRows* rows,
                                           IngestSpaces* spaces);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INGEST_TURNS_H_
