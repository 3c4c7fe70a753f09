#include "tools/bench/cache_misses.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "storage/base/errno_status.h"

namespace engram::bench {
namespace {

constexpr char kWhat[] = "misses of the last-level cache";

}  // namespace

absl::StatusOr<std::unique_ptr<CacheMisses>> CacheMisses::Open() {
  perf_event_attr attributes = {};
  attributes.size = sizeof(attributes);
  attributes.type = PERF_TYPE_HW_CACHE;
  attributes.config = PERF_COUNT_HW_CACHE_LL |
                      (PERF_COUNT_HW_CACHE_OP_READ << 8) |
                      (PERF_COUNT_HW_CACHE_RESULT_MISS << 16);
  attributes.read_format =
      PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  attributes.disabled = 1;
  attributes.inherit = 1;
  // More needs privileges on most systems.
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  const long fd = ::syscall(SYS_perf_event_open, &attributes, /*pid=*/0,
                            /*cpu=*/-1, /*group_fd=*/-1, PERF_FLAG_FD_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, "perf_event_open", kWhat);
  return std::unique_ptr<CacheMisses>(
      new CacheMisses(UniqueFd(static_cast<int>(fd))));
}

absl::Status CacheMisses::Start() {
  if (::ioctl(event_.get(), PERF_EVENT_IOC_ENABLE, 0) == 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus(errno, "PERF_EVENT_IOC_ENABLE", kWhat);
}

absl::Status CacheMisses::Stop() {
  if (::ioctl(event_.get(), PERF_EVENT_IOC_DISABLE, 0) == 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus(errno, "PERF_EVENT_IOC_DISABLE", kWhat);
}

absl::StatusOr<uint64_t> CacheMisses::Read() const {
  std::array<uint64_t, 3> read = {};  // as attributes.read_format says
  if (::read(event_.get(), read.data(), sizeof(read)) !=
      static_cast<ssize_t>(sizeof(read))) {
    return ErrnoStatus(errno, "read of perf_event", kWhat);
  }
  const auto [misses, enabled_ns, running_ns] = read;
  if (enabled_ns == running_ns) return misses;
  if (running_ns == 0) {
    return absl::UnavailableError("perf_event: others have the counter");
  }
  return static_cast<uint64_t>(static_cast<double>(misses) *
                               static_cast<double>(enabled_ns) /
                               static_cast<double>(running_ns));
}

}  // namespace engram::bench
