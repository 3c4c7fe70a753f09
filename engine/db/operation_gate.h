// Lets calls in until it is closed, and then waits for those inside.

#ifndef ENGRAM_ENGINE_DB_OPERATION_GATE_H_
#define ENGRAM_ENGINE_DB_OPERATION_GATE_H_

#include <atomic>
#include <cstdint>

namespace engram::internal {

// Thread safety: all methods may be called concurrently.
class OperationGate {
 public:
  // False once Close() was called. Each true is paired with an Exit().
  bool Enter() {
    // Acquire: what was set up before the gate was opened is seen.
    const uint64_t before = state_.fetch_add(kOne, std::memory_order_acquire);
    if ((before & kClosed) == 0) return true;
    Exit();
    return false;
  }

  void Exit() {
    // Release: WaitEmpty() sees what was done inside.
    const uint64_t before = state_.fetch_sub(kOne, std::memory_order_release);
    if (before == (kOne | kClosed)) state_.notify_all();
  }

  // Lets nobody in any more. True for the first call.
  bool Close() {
    return (state_.fetch_or(kClosed, std::memory_order_acq_rel) & kClosed) == 0;
  }

  // Relaxed: a hint to those inside that they should hurry.
  bool closed() const {
    return (state_.load(std::memory_order_relaxed) & kClosed) != 0;
  }

  // Returns when nobody is inside any more. Close() was called.
  void WaitEmpty() {
    uint64_t state = state_.load(std::memory_order_acquire);
    while (state != kClosed) {
      state_.wait(state, std::memory_order_acquire);
      state = state_.load(std::memory_order_acquire);
    }
  }

 private:
  static constexpr uint64_t kClosed = 1;
  static constexpr uint64_t kOne = 2;

  std::atomic<uint64_t> state_{0};  // kClosed, and kOne for each call inside
};

// One call; see OperationGate::Enter().
class Operation {
 public:
  explicit Operation(OperationGate& gate)
      : gate_(gate), entered_(gate.Enter()) {}
  ~Operation() {
    if (entered_) gate_.Exit();
  }

  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  bool entered() const { return entered_; }

 private:
  OperationGate& gate_;
  const bool entered_;
};

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_OPERATION_GATE_H_
