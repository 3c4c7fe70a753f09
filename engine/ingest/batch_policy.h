// How many records a worker takes from a backlog at once.

#ifndef ENGRAM_ENGINE_INGEST_BATCH_POLICY_H_
#define ENGRAM_ENGINE_INGEST_BATCH_POLICY_H_

#include <cstddef>
#include <cstdint>

namespace engram::ingest {

// Small batches keep the latency of a trickle low; large ones spread the cost
// of a turn over more records when there is a queue anyway. The steps are the
// seed article's.
inline constexpr size_t kSmallBatch = 10;
inline constexpr size_t kMediumBatch = 100;
inline constexpr size_t kLargeBatch = 500;
inline constexpr size_t kMediumDepth = 100;
inline constexpr size_t kLargeDepth = 1000;

// A batch ends after this long whatever its size, so that no space waits
// longer for its turn behind another one.
inline constexpr int64_t kBatchMicrosMax = 10'000;

constexpr size_t BatchSize(size_t depth) {
  if (depth < kMediumDepth) return kSmallBatch;
  if (depth < kLargeDepth) return kMediumBatch;
  return kLargeBatch;
}

}  // namespace engram::ingest

#endif  // ENGRAM_ENGINE_INGEST_BATCH_POLICY_H_
