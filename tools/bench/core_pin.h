// Measuring on one processor core.

#ifndef ENGRAM_TOOLS_BENCH_CORE_PIN_H_
#define ENGRAM_TOOLS_BENCH_CORE_PIN_H_

#include <sched.h>

#include "absl/status/statusor.h"

namespace engram::bench {

// Which cores the calling thread, and every thread that it then starts, may run
// on. A thread keeps the cores that it began with, so a database has to be
// opened on the right side of a switch. To be used by one thread.
class CorePin {
 public:
  // For one core; a negative number means the last one that the process may
  // use. INVALID_ARGUMENT if it may not use this one. Begins on all cores.
  static absl::StatusOr<CorePin> Of(int core);

  // Never leaves all cores: for measurements with several workers.
  static CorePin None();

  // The core; negative for None().
  int core() const { return core_; }

  void UseOneCore() const;
  void UseAllCores() const;

 private:
  CorePin() = default;

  int core_ = -1;
  cpu_set_t one_;
  cpu_set_t all_;
};

// All cores for the scope's duration: for work that is not measured.
class AllCores {
 public:
  explicit AllCores(const CorePin& pin) : pin_(pin) { pin_.UseAllCores(); }
  ~AllCores() { pin_.UseOneCore(); }
  AllCores(const AllCores&) = delete;
  AllCores& operator=(const AllCores&) = delete;

 private:
  const CorePin& pin_;
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_CORE_PIN_H_
