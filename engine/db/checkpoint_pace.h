// Which spaces are checkpointed when, so that it takes the same small part of
// the machine all the time.
//
// A space is due when saving it would free `log_bytes_max` of log. Spaces that
// were once saved together, by Checkpoint() for instance, would under an even
// load be due together again and again: 20 of them held two workers up for two
// seconds. So from five eighths of that on, the ones that keep the most log are
// saved ahead of time: at seven tenths as many bytes as are being logged, where
// this settles, and up to four and a half times as many.

#ifndef ENGRAM_ENGINE_DB_CHECKPOINT_PACE_H_
#define ENGRAM_ENGINE_DB_CHECKPOINT_PACE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace engram::internal {

// Thread safety: none of its own.
class CheckpointPace {
 public:
  // A space that has something to save.
  struct Candidate {
    uint64_t log_bytes = 0;  // what saving it would free if it were alone
    uint64_t unsaved_bytes = 0;
  };

  explicit CheckpointPace(uint64_t log_bytes_max)
      : log_bytes_max_(log_bytes_max) {}

  // How many of the first of `candidates`, which are sorted by falling
  // log_bytes, to save now. `logged_bytes` is what was logged since the last
  // call.
  size_t Take(absl::Span<const Candidate> candidates, uint64_t logged_bytes) {
    const double most =
        candidates.empty() ? 0 : static_cast<double>(candidates[0].log_bytes);
    const double ahead =
        most / static_cast<double>(log_bytes_max_) - kEarlyShare;
    if (ahead <= 0) {
      credit_bytes_ = 0;
      return 0;
    }
    credit_bytes_ += kGain * ahead * static_cast<double>(logged_bytes);
    size_t count = 0;
    for (const Candidate& candidate : candidates) {
      const auto unsaved = static_cast<double>(candidate.unsaved_bytes);
      const bool is_due = candidate.log_bytes >= log_bytes_max_;
      const bool is_early =
          unsaved <= credit_bytes_ &&
          static_cast<double>(candidate.log_bytes) >
              kEarlyShare * static_cast<double>(log_bytes_max_);
      if (!is_due && !is_early) break;
      credit_bytes_ = std::max(0.0, credit_bytes_ - unsaved);
      ++count;
    }
    return count;
  }

 private:
  // Found with the model in the test: earlier costs more checkpoints, a lower
  // gain leaves more for the end, a higher one goes up and down.
  static constexpr double kEarlyShare = 0.625;
  static constexpr double kGain = 12;

  const uint64_t log_bytes_max_;
  double credit_bytes_ = 0;  // to be saved ahead of time
};

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_CHECKPOINT_PACE_H_
