// How many bytes of log lie between two LSNs.

#ifndef ENGRAM_ENGINE_DB_LOG_METER_H_
#define ENGRAM_ENGINE_DB_LOG_METER_H_

#include <algorithm>
#include <cstdint>
#include <deque>

#include "engram/options.h"
#include "storage/base/mutex.h"

namespace engram::internal {

// Knows what was logged since it was made, to `step_bytes`.
//
// Thread safety: all methods may be called concurrently.
class LogMeter {
 public:
  explicit LogMeter(uint64_t step_bytes)
      : step_bytes_(std::max<uint64_t>(step_bytes, 1)) {}

  // `bytes` were logged, up to `last_lsn`, which rises from call to call.
  // Returns true once for each step.
  bool Add(Lsn last_lsn, uint64_t bytes) {
    MutexLock lock(mutex_);
    total_bytes_ += bytes;
    if (total_bytes_ - marks_.back().total_bytes < step_bytes_) return false;
    marks_.push_back({last_lsn, total_bytes_});
    return true;
  }

  // What was logged for records above `above`, up to `up_to`, which is not
  // lower. Wrong by less than a step and a group.
  uint64_t BytesBetween(Lsn above, Lsn up_to) const {
    MutexLock lock(mutex_);
    return BytesUpTo(up_to) - BytesUpTo(above);
  }

  uint64_t total_bytes() const {
    MutexLock lock(mutex_);
    return total_bytes_;
  }

  // Nobody will ask for a lower LSN any more.
  void Forget(Lsn lsn) {
    MutexLock lock(mutex_);
    while (marks_.size() > 1 && marks_[1].last_lsn <= lsn) marks_.pop_front();
  }

 private:
  struct Mark {
    Lsn last_lsn;
    uint64_t total_bytes;  // up to it
  };

  // Rounded down to a mark.
  uint64_t BytesUpTo(Lsn lsn) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    auto mark = std::upper_bound(
        marks_.begin(), marks_.end(), lsn,
        [](Lsn value, const Mark& one) { return value < one.last_lsn; });
    if (mark != marks_.begin()) --mark;
    return mark->total_bytes;
  }

  const uint64_t step_bytes_;
  mutable Mutex mutex_;
  uint64_t total_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Mark> marks_ ABSL_GUARDED_BY(mutex_) = {{0, 0}};  // by LSN
};

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_LOG_METER_H_
