#include "storage/base/clock.h"

#include <time.h>

#include <algorithm>
#include <chrono>

#include "storage/base/check.h"

namespace engram {
namespace {

class SystemClock final : public Clock {
 public:
  int64_t MonotonicMicros() const override {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  int64_t UnixMicros() const override {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace

const Clock& Clock::System() {
  static const SystemClock clock;
  return clock;
}

int64_t MonotonicMicros() { return Clock::System().MonotonicMicros(); }

int64_t ThreadCpuMicros() {
  timespec time = {};
  ENGRAM_CHECK(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
  return int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1'000;
}

int64_t DeadlineAfter(int64_t timeout_micros) {
  constexpr int64_t kFarMicros = int64_t{1} << 60;  // its sum does not overflow
  return MonotonicMicros() + std::min(timeout_micros, kFarMicros);
}

}  // namespace engram
