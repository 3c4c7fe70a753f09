// How many records a worker takes from a backlog at once.

#ifndef ENGRAM_ENGINE_INGEST_BATCH_POLICY_H_
#define ENGRAM_ENGINE_INGEST_BATCH_POLICY_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace engram::ingest {

// A worker by itself takes what waits: a trickle makes small batches of its own
// accord, and what queues spreads the cost of a turn over all of it. Where
// several share a backlog, the seed article's steps leave each its part.
inline constexpr size_t kSmallBatch = 10;
inline constexpr size_t kMediumBatch = 100;
inline constexpr size_t kLargeBatch = 500;
inline constexpr size_t kMediumDepth = 100;
inline constexpr size_t kLargeDepth = 1000;

// A batch ends after this long whatever its size, so that no space waits
// longer for its turn behind another one.
inline constexpr int64_t kBatchMicrosMax = 10'000;

// What several workers take from one backlog at once, in all: each waits for
// those before it to be linked, so together they hold no more than a few
// batches.
inline constexpr size_t kSharedBatch = 1000;

// For one of `servers` workers that serve a backlog with `depth` records.
constexpr size_t BatchSize(size_t depth, size_t servers = 1) {
  if (servers <= 1) return std::clamp(depth, kSmallBatch, kLargeBatch);
  if (depth < kMediumDepth) return kSmallBatch;
  if (depth < kLargeDepth) return kMediumBatch;
  return std::min(kLargeBatch, kSharedBatch / servers);
}

}  // namespace engram::ingest

#endif  // ENGRAM_ENGINE_INGEST_BATCH_POLICY_H_
