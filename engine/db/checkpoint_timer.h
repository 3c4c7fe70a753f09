// Which records have waited so long that they are to be saved, and when to look
// for them.
//
// A look takes what is due before the next one may come, so that there are at
// most kLooks in an interval, however many spaces are written to and whenever
// that was. It is made only for records that are known to wait: a database to
// which nobody writes is looked at once more and then left alone.

#ifndef ENGRAM_ENGINE_DB_CHECKPOINT_TIMER_H_
#define ENGRAM_ENGINE_DB_CHECKPOINT_TIMER_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>

#include "absl/time/time.h"
#include "engram/options.h"
#include "storage/base/mutex.h"

namespace engram::internal {

// Times are those of one clock that never goes back, in microseconds.
//
// Thread safety: all methods may be called concurrently; one look at a time.
class CheckpointTimer {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  static constexpr int64_t kLooks = 16;

  // Infinite: nothing is ever due.
  explicit CheckpointTimer(absl::Duration interval)
      : interval_(std::min(absl::ToInt64Microseconds(interval), kLongest)),
        is_on_(interval != absl::InfiniteDuration()) {}

  // Records up to `last_lsn`, which rises from call to call, were logged.
  // Returns true if next_look() was never until now.
  bool Add(Lsn last_lsn, int64_t now) {
    if (!is_on_) return false;
    MutexLock lock(mutex_);
    if (marks_.empty() || now - marks_.back().micros >= interval_ / kMarks) {
      marks_.push_back({last_lsn_, now});
    }
    last_lsn_ = last_lsn;
    if (next_look_ != kNever) return false;
    next_look_ = now + interval_;
    return true;
  }

  int64_t next_look() const {
    MutexLock lock(mutex_);
    return next_look_;
  }

  // Before it is looked who waits: whoever comes later counts for the next one.
  void BeginLook() {
    MutexLock lock(mutex_);
    next_look_ = kNever;
  }

  // When the first record above `above` was logged, or up to a 64th of the
  // interval before that. Never if there is none.
  int64_t LoggedAt(Lsn above) const {
    MutexLock lock(mutex_);
    if (above >= last_lsn_) return kNever;
    auto mark = std::upper_bound(
        marks_.begin(), marks_.end(), above,
        [](Lsn value, const Mark& one) { return value < one.above; });
    // Lower LSNs than the first mark's are as old as what it stands for.
    if (mark != marks_.begin()) --mark;
    return mark->micros;
  }

  // Whether a record that was logged then is to be saved by a look at `now`.
  bool IsDue(int64_t logged_at, int64_t now) const {
    return is_on_ && now - logged_at >= interval_ - interval_ / kLooks;
  }

  // `oldest` is when the first of the records that still wait was logged.
  void EndLook(int64_t oldest, int64_t now) {
    if (oldest == kNever) return;
    MutexLock lock(mutex_);
    // What could not be saved now is not tried again at once.
    const int64_t next =
        std::max(oldest + interval_, now + interval_ / kLooks + 1);
    next_look_ = std::min(next_look_, next);
  }

  // Nobody will ask for a lower LSN any more.
  void Forget(Lsn lsn) {
    MutexLock lock(mutex_);
    while (marks_.size() > 1 && marks_[1].above <= lsn) marks_.pop_front();
  }

 private:
  // What was logged above an LSN was logged then or later.
  struct Mark {
    Lsn above;
    int64_t micros;
  };

  static constexpr int64_t kMarks = 64;  // in an interval
  // A century, so that sums do not overflow.
  static constexpr int64_t kLongest = int64_t{100} * 365 * 86400 * 1'000'000;

  const int64_t interval_;
  const bool is_on_;
  mutable Mutex mutex_;
  int64_t next_look_ ABSL_GUARDED_BY(mutex_) = kNever;
  Lsn last_lsn_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Mark> marks_ ABSL_GUARDED_BY(mutex_);  // by LSN
};

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_CHECKPOINT_TIMER_H_
