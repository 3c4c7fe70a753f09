// Keeps writers from filling memory faster than it is emptied.
//
// How much memory is in use is found by a check that looks at all spaces, saves
// and evicts. Between two checks only what was let in since is known, so only
// so much is let in until the next one has looked: a sixteenth of the budget,
// or a quarter of what the last one found free.

#ifndef ENGRAM_ENGINE_DB_MEMORY_GATE_H_
#define ENGRAM_ENGINE_DB_MEMORY_GATE_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "storage/base/mutex.h"

namespace engram::internal {

// Thread safety: all methods may be called concurrently; one check at a time.
class MemoryGate {
 public:
  // Without a budget (0) everything passes at once.
  explicit MemoryGate(uint64_t budget_bytes)
      : budget_bytes_(budget_bytes),
        unchecked_bytes_min_(
            std::max(budget_bytes / kUncheckedShare, kUncheckedBytesMin)) {
    EndCheck(0, 0);
  }

  bool is_limited() const { return budget_bytes_ != 0; }

  // Counts a write of `bytes`. Returns whether it is time for a check.
  bool Count(uint64_t bytes);

  // Waits until what was counted before the write is within what may pass
  // between two checks. RESOURCE_EXHAUSTED after `timeout_micros`,
  // FAILED_PRECONDITION after Close().
  absl::Status Wait(int64_t timeout_micros);

  // What was counted until BeginCheck() has been looked at by EndCheck(), with
  // `used_bytes` in use, whether or not that could free anything: a space may
  // be larger than the budget, and a disk full.
  uint64_t BeginCheck() const;
  void EndCheck(uint64_t begun, uint64_t used_bytes);

  void Close();

 private:
  static constexpr uint64_t kUncheckedShare = 16;
  static constexpr uint64_t kUncheckedBytesMin = uint64_t{64} << 10;

  // A record takes up to three times its bytes: in the log's group, in the
  // index, and once more while either grows.
  static constexpr uint64_t kFreeShare = 4;

  const uint64_t budget_bytes_;
  const uint64_t unchecked_bytes_min_;

  // Relaxed: a count.
  std::atomic<uint64_t> counted_bytes_{0};

  Mutex mutex_;
  CondVar changed_;
  uint64_t requested_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // at the last request
  // Written under mutex_. Relaxed: who sees it late waits for mutex_.
  std::atomic<uint64_t> checked_bytes_{0};
  std::atomic<uint64_t> unchecked_bytes_max_{0};
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_MEMORY_GATE_H_
