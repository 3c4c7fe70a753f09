// When a worker without records helps another one, and how turns are weighed.

#ifndef ENGRAM_ENGINE_INGEST_STEAL_POLICY_H_
#define ENGRAM_ENGINE_INGEST_STEAL_POLICY_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace engram::ingest {

// A worker has a surplus beyond this many records, or what it does in this
// time: less is done before another one's caches are warm.
inline constexpr size_t kStealDepthMax = 1000;
inline constexpr int64_t kStealMicros = 10'000;

constexpr size_t StealDepth(int64_t nanos_per_record) {
  if (nanos_per_record <= 0) return kStealDepthMax;
  return std::min(kStealDepthMax,
                  static_cast<size_t>(kStealMicros * 1000 / nanos_per_record));
}

// A backlog stays with a worker for so long at least: twice a second it may
// leave warm caches behind.
inline constexpr int64_t kMoveMicrosMin = 500'000;

// An idle worker joins in serving another one's backlog from this depth on, and
// leaves it below half of that: what a worker does in a few batches is not
// worth another one's turn.
inline constexpr size_t kJoinDepth = 256;

// What a backlog may use of its worker's time between the turns of the others,
// by priority: low, normal, high.
inline constexpr std::array<int64_t, 3> kQuantumMicros = {2'500, 5'000, 10'000};

// Whoever has waited so long for a turn counts as urgent.
inline constexpr int64_t kAgeMicros = 100'000;

}  // namespace engram::ingest

#endif  // ENGRAM_ENGINE_INGEST_STEAL_POLICY_H_
