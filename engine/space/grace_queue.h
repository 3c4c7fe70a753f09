// Slots that wait until no reader is left who may still look at them.

#ifndef ENGRAM_ENGINE_SPACE_GRACE_QUEUE_H_
#define ENGRAM_ENGINE_SPACE_GRACE_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/index/epoch.h"

namespace engram::space {

// Not thread-safe.
class GraceQueue {
 public:
  // `ticket` is one of EpochDomain::Retire(), not below that of an earlier
  // call.
  void Push(absl::Span<const uint32_t> slots, uint64_t ticket) {
    for (const uint32_t slot : slots) waiting_.push_back({ticket, slot});
  }

  // Takes the first slot if its ticket has passed.
  bool Pop(index::EpochDomain* epochs, uint32_t* slot) {
    if (size() == 0 || !epochs->HasPassed(waiting_[first_].ticket)) {
      return false;
    }
    *slot = waiting_[first_++].slot;
    // What was taken goes when it is half of all, so that each element is moved
    // once on average.
    if (2 * first_ >= waiting_.size()) {
      waiting_.erase(waiting_.begin(),
                     waiting_.begin() + static_cast<ptrdiff_t>(first_));
      first_ = 0;
    }
    return true;
  }

  size_t size() const { return waiting_.size() - first_; }

 private:
  struct Waiting {
    uint64_t ticket;
    uint32_t slot;
  };

  // No std::deque: that takes 576 bytes before the first element, in each of
  // ten thousand spaces.
  std::vector<Waiting> waiting_;
  size_t first_ = 0;  // those before it were taken
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_GRACE_QUEUE_H_
