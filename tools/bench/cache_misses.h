// How often threads had to wait for memory, as the processor counts it.

#ifndef ENGRAM_TOOLS_BENCH_CACHE_MISSES_H_
#define ENGRAM_TOOLS_BENCH_CACHE_MISSES_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/unique_fd.h"

namespace engram::bench {

// Reads that the last-level cache did not have, in user mode. Not the kernel's
// generic "cache misses": these are of the second level on some processors, and
// a number that means something else on the next machine is worse than none.
class CacheMisses {
 public:
  // Counts for the calling thread and for those that it starts from now on,
  // and they start. An error names perf_event_open where the processor has no
  // such counter, or the kernel keeps it to itself, as in most virtual
  // machines.
  static absl::StatusOr<std::unique_ptr<CacheMisses>> Open();

  CacheMisses(const CacheMisses&) = delete;
  CacheMisses& operator=(const CacheMisses&) = delete;

  // Counting goes on, and rests, for all threads. Rests at first.
  absl::Status Start();
  absl::Status Stop();

  // So far. Scaled up if others wanted the counter meanwhile; UNAVAILABLE if
  // they had it all the time.
  absl::StatusOr<uint64_t> Read() const;

 private:
  explicit CacheMisses(UniqueFd event) : event_(std::move(event)) {}

  const UniqueFd event_;
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_CACHE_MISSES_H_
