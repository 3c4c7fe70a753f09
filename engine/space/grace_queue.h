// Slots that wait until no reader is left who may still look at them.

#ifndef ENGRAM_ENGINE_SPACE_GRACE_QUEUE_H_
#define ENGRAM_ENGINE_SPACE_GRACE_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>

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
    if (waiting_.empty() || !epochs->HasPassed(waiting_.front().ticket)) {
      return false;
    }
    *slot = waiting_.front().slot;
    waiting_.pop_front();
    return true;
  }

  size_t size() const { return waiting_.size(); }

 private:
  struct Waiting {
    uint64_t ticket;
    uint32_t slot;
  };

  std::deque<Waiting> waiting_;
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_GRACE_QUEUE_H_
