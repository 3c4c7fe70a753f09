// Time, as an argument, so that a test can stand still or jump.

#ifndef ENGRAM_STORAGE_BASE_CLOCK_H_
#define ENGRAM_STORAGE_BASE_CLOCK_H_

#include <cstdint>

namespace engram {

// Thread safety: all methods may be called concurrently.
class Clock {
 public:
  virtual ~Clock() = default;

  // Microseconds of a clock that never goes back; its zero means nothing.
  virtual int64_t MonotonicMicros() const = 0;

  // Microseconds since the Unix epoch; may jump.
  virtual int64_t UnixMicros() const = 0;

  // The system's clocks. Lives for ever.
  static const Clock& System();
};

// Of Clock::System().
int64_t MonotonicMicros();

// Microseconds of a processor that the calling thread has used. Grows neither
// while it waits nor while others run in its place.
int64_t ThreadCpuMicros();

// When a wait that begins now has taken `timeout_micros`, in MonotonicMicros();
// far away for one that is to take for ever.
int64_t DeadlineAfter(int64_t timeout_micros);

}  // namespace engram

#endif  // ENGRAM_STORAGE_BASE_CLOCK_H_
