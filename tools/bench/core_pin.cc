#include "tools/bench/core_pin.h"

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "storage/base/errno_status.h"

namespace engram::bench {

absl::StatusOr<CorePin> CorePin::Of(int core) {
  CorePin pin;
  if (::sched_getaffinity(0, sizeof(pin.all_), &pin.all_) != 0) {
    return ErrnoStatus(errno, "read", "the cores of this process");
  }
  if (core < 0) {
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(static_cast<size_t>(i), &pin.all_)) core = i;
    }
  }
  if (core >= CPU_SETSIZE || !CPU_ISSET(static_cast<size_t>(core), &pin.all_)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--core ", core, ": this process may not use that core"));
  }
  CPU_ZERO(&pin.one_);
  CPU_SET(static_cast<size_t>(core), &pin.one_);
  pin.core_ = core;
  return pin;
}

CorePin CorePin::None() { return CorePin(); }

void CorePin::UseOneCore() const {
  if (core_ >= 0) ::sched_setaffinity(0, sizeof(one_), &one_);
}

void CorePin::UseAllCores() const {
  if (core_ >= 0) ::sched_setaffinity(0, sizeof(all_), &all_);
}

}  // namespace engram::bench
