// Spaces and the workers that index them, without a database around them.

#ifndef ENGRAM_TOOLS_BENCH_LOCALITY_SPACES_H_
#define ENGRAM_TOOLS_BENCH_LOCALITY_SPACES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/index/epoch.h"
#include "engine/ingest/worker_pool.h"
#include "engine/space/space_state.h"
#include "tools/bench/cache_misses.h"
#include "tools/bench/ingest_options.h"
#include "tools/bench/noisy_rows.h"

namespace engram::bench {

// Who indexes a batch of a space.
enum class Placement {
  kHome,    // the space's home worker, as in a database
  kRandom,  // each batch any worker, by chance
};

// What the workers did for some batches.
struct Indexed {
  uint64_t records = 0;
  std::vector<uint64_t> by_worker;  // of the records
  double wall_s = 0;
  double cpu_s = 0;    // of the workers
  uint64_t moves = 0;  // backlogs that a worker took over from another one
  // Or why they were not counted.
  absl::StatusOr<uint64_t> cache_misses = 0;

  Indexed& operator+=(const Indexed& other);
  Indexed& operator-=(const Indexed& other);
};

// The spaces, the workers and their scheduler are those of a database; what is
// left out is the log, whose threads would want the same processors, and the
// public API, which gives a space a home and no other choice.
//
// Random placement needs no switch in the scheduler either: it takes a home
// from the key of a backlog, so a backlog of its own for each batch, under a
// random key, is a random home for each batch. All else is the same, stealing
// included.
//
// Not thread-safe.
class LocalitySpaces {
 public:
  // Empty ones. Borrows `rows`.
  LocalitySpaces(int count, uint32_t dimension, const IngestOptions& options,
                 NoisyRows* rows);

  LocalitySpaces(const LocalitySpaces&) = delete;
  LocalitySpaces& operator=(const LocalitySpaces&) = delete;

  // Gives each space as many new records as batches[space] says and has them
  // indexed, one batch after the other. Returns when all are; what comes before
  // the first one begins is not counted.
  absl::StatusOr<Indexed> IndexOneBatchEach(Placement placement,
                                            absl::Span<const size_t> batches);

  size_t count() const { return spaces_.size(); }
  size_t workers() const { return pool_.workers(); }

  // Observations in all spaces.
  uint64_t CountLive() const;

  // Memory of vectors, codes and links of all spaces.
  uint64_t MemoryBytes() const;

 private:
  struct Member {
    std::shared_ptr<space::SpaceState> state;
    ingest::BacklogPtr home;
  };

  absl::Status Publish(space::SpaceState* space, size_t batch);
  // What was done since the workers were made; `wall_s` is the clock.
  Indexed Done() const;

  NoisyRows& rows_;
  std::mt19937_64 random_;
  Lsn last_lsn_ = 0;
  index::EpochDomain epochs_;
  std::vector<Member> spaces_;
  // Before the threads that it counts for.
  const absl::StatusOr<std::unique_ptr<CacheMisses>> cache_misses_;
  ingest::WorkerPool pool_;  // last: its threads use the others
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_LOCALITY_SPACES_H_
