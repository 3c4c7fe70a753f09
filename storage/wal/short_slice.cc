#include "storage/wal/short_slice.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace engram::wal {
namespace {

// As in linux/sched/types.h, version 0; glibc has neither it nor the calls.
struct SchedulingAttributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;  // nanoseconds; of SCHED_OTHER, the slice
  uint64_t deadline;
  uint64_t period;
};
static_assert(sizeof(SchedulingAttributes) == 48);

bool GetAttributes(SchedulingAttributes* attributes) {
  *attributes = {};
  return ::syscall(SYS_sched_getattr, 0, attributes, sizeof(*attributes), 0) ==
         0;
}

}  // namespace

bool RequestShortSlice(int64_t micros) {
  SchedulingAttributes attributes;
  if (!GetAttributes(&attributes)) return false;
  // An application that runs its threads under another policy knows better.
  if (attributes.policy != SCHED_OTHER) return false;
  const auto nanos = static_cast<uint64_t>(micros) * 1000;
  attributes.size = sizeof(attributes);
  attributes.runtime = nanos;
  if (::syscall(SYS_sched_setattr, 0, &attributes, 0) != 0) return false;
  return GetAttributes(&attributes) && attributes.runtime == nanos;
}

}  // namespace engram::wal
