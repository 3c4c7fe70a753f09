// Which spaces are checkpointed when, so that it takes the same small part of
// the machine all the time.
//
// A space is due when saving it would free `log_bytes_max` of log. Spaces that
// were once saved together, by Checkpoint() for instance, would under an even
// load be due together again and again: 20 of them held two workers up for two
// seconds. So from five eighths of that on, the ones that keep the most log are
// saved ahead of time: at seven tenths as many bytes as are being logged, where
// this settles, and up to six times as many. One that is too large for that is
// passed by smaller ones until it is due.

#ifndef ENGRAM_ENGINE_DB_CHECKPOINT_PACE_H_
#define ENGRAM_ENGINE_DB_CHECKPOINT_PACE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

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

  // From now on.
  void set_log_bytes_max(uint64_t log_bytes_max) {
    log_bytes_max_ = log_bytes_max;
  }

  // Which of `candidates`, which are sorted by falling log_bytes, to save now.
  // `logged_bytes` is what was logged since the last call.
  std::vector<size_t> Take(absl::Span<const Candidate> candidates,
                           uint64_t logged_bytes) {
    const double most =
        candidates.empty() ? 0 : static_cast<double>(candidates[0].log_bytes);
    const double ahead =
        most / static_cast<double>(log_bytes_max_) - kEarlyShare;
    if (ahead <= 0) {
      credit_bytes_ = 0;
      return {};
    }
    credit_bytes_ += kGain * ahead * static_cast<double>(logged_bytes);
    const auto limit = static_cast<double>(log_bytes_max_);
    double early_bytes = 0;
    std::vector<size_t> taken;
    for (size_t i = 0; i < candidates.size(); ++i) {
      const Candidate& candidate = candidates[i];
      if (static_cast<double>(candidate.log_bytes) <= kEarlyShare * limit) {
        break;
      }
      const double cost =
          static_cast<double>(candidate.unsaved_bytes) + kSpaceShare * limit;
      if (candidate.log_bytes < log_bytes_max_) {
        // What was saved up for a large one is not for many small ones at once.
        const bool is_too_many =
            early_bytes > 0 && early_bytes + cost > kCallShare * limit;
        if (cost > credit_bytes_ || is_too_many) continue;
        early_bytes += cost;
      }
      credit_bytes_ = std::max(0.0, credit_bytes_ - cost);
      taken.push_back(i);
    }
    credit_bytes_ = std::min(credit_bytes_, kCreditShare * limit);
    return taken;
  }

 private:
  // Found with the model in the test: earlier costs more checkpoints, a lower
  // gain leaves more for the end, a higher one goes up and down.
  static constexpr double kEarlyShare = 0.625;
  static constexpr double kGain = 16;

  // Of log_bytes_max: what a space costs beside its bytes, and the most that
  // one call saves ahead of time, but for a single space that is larger.
  static constexpr double kSpaceShare = 1.0 / 2048;
  static constexpr double kCallShare = 1.0 / 12;
  // What is saved up at most: a space that has more is saved when it is due.
  static constexpr double kCreditShare = 0.5;

  uint64_t log_bytes_max_;
  double credit_bytes_ = 0;  // to be saved ahead of time
};

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_CHECKPOINT_PACE_H_
