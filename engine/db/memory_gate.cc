#include "engine/db/memory_gate.h"

#include "absl/strings/str_cat.h"
#include "storage/base/clock.h"

namespace engram::internal {

bool MemoryGate::Count(uint64_t bytes) {
  const uint64_t counted =
      counted_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  // Early enough that the check may be done before anybody has to wait for it.
  const uint64_t early = unchecked_bytes_min_ / 4;
  if (counted < checked_bytes_.load(std::memory_order_relaxed) + early) {
    return false;
  }
  MutexLock lock(mutex_);
  if (counted < requested_bytes_ + early) return false;
  requested_bytes_ = counted;
  return true;
}

absl::Status MemoryGate::Wait(int64_t timeout_micros) {
  const uint64_t counted = counted_bytes_.load(std::memory_order_relaxed);
  const auto may_pass = [this, counted] {
    return counted <= checked_bytes_.load(std::memory_order_relaxed) +
                          unchecked_bytes_max_.load(std::memory_order_relaxed);
  };
  if (may_pass()) return absl::OkStatus();
  const int64_t deadline = Clock::System().MonotonicMicros() + timeout_micros;
  MutexLock lock(mutex_);
  while (!may_pass()) {
    if (closed_) return absl::FailedPreconditionError("the database is closed");
    const int64_t left = deadline - Clock::System().MonotonicMicros();
    if (left <= 0) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "memory: ", counted - checked_bytes_.load(std::memory_order_relaxed),
          " bytes were written since memory_budget_bytes was looked after, the "
          "limit is ",
          unchecked_bytes_max_.load(std::memory_order_relaxed)));
    }
    changed_.WaitFor(mutex_, left);
  }
  return absl::OkStatus();
}

uint64_t MemoryGate::BeginCheck() const {
  return counted_bytes_.load(std::memory_order_relaxed);
}

void MemoryGate::EndCheck(uint64_t begun, uint64_t used_bytes) {
  const uint64_t free = budget_bytes_ - std::min(budget_bytes_, used_bytes);
  {
    MutexLock lock(mutex_);
    checked_bytes_.store(begun, std::memory_order_relaxed);
    unchecked_bytes_max_.store(
        std::max(unchecked_bytes_min_, free / kFreeShare),
        std::memory_order_relaxed);
  }
  changed_.NotifyAll();
}

void MemoryGate::Close() {
  {
    MutexLock lock(mutex_);
    closed_ = true;
  }
  changed_.NotifyAll();
}

}  // namespace engram::internal
