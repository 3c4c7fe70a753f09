// Elapsed time, on the wall and on the processor.

#ifndef ENGRAM_TOOLS_BENCH_STOPWATCH_H_
#define ENGRAM_TOOLS_BENCH_STOPWATCH_H_

#include <time.h>

namespace engram::bench {

struct Elapsed {
  double wall_s = 0;
  double cpu_s = 0;  // of all threads of the process

  friend Elapsed operator+(const Elapsed& a, const Elapsed& b) {
    return {a.wall_s + b.wall_s, a.cpu_s + b.cpu_s};
  }
};

inline double SecondsOf(clockid_t clock) {
  timespec time = {};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_nsec) * 1e-9;
}

// Of the calling thread.
inline double ThreadCpuSeconds() { return SecondsOf(CLOCK_THREAD_CPUTIME_ID); }

// Runs from when it is made.
class Stopwatch {
 public:
  Elapsed Read() const {
    return {ReadWall(), SecondsOf(CLOCK_PROCESS_CPUTIME_ID) - cpu_s_};
  }

  // 20 ns; the process' time takes the kernel half a microsecond.
  double ReadWall() const { return SecondsOf(CLOCK_MONOTONIC) - wall_s_; }

 private:
  const double wall_s_ = SecondsOf(CLOCK_MONOTONIC);
  const double cpu_s_ = SecondsOf(CLOCK_PROCESS_CPUTIME_ID);
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_STOPWATCH_H_
