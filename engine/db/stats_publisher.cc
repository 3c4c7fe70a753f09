#include "engine/db/stats_publisher.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "schema/stats_page.h"
#include "storage/base/clock.h"
#include "storage/base/thread_priority.h"

namespace engram::internal {
namespace {

// It rests for so many times as long as it used a processor. Time on the wall
// would make a page old just when the machine is busy, and one looks at it: a
// thread of low priority that waits half a second for its turn would then rest
// for 50 seconds.
constexpr int64_t kRestFactor = 100;

}  // namespace

void StatsPublisher::Start(const std::string& path, absl::Duration interval,
                           Source source) {
  source_ = std::move(source);
  thread_ = std::thread([this, path, interval] { Run(path, interval); });
}

void StatsPublisher::Stop() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  stop_.NotifyAll();
  thread_.join();
}

void StatsPublisher::Run(const std::string& path, absl::Duration interval) {
  LowerThreadPriority();
  MutexLock lock(mutex_);
  while (!stopping_) {
    lock.Unlock();
    const int64_t cpu_before = ThreadCpuMicros();
    PublishOnce(path);
    const int64_t cpu_micros = ThreadCpuMicros() - cpu_before;
    const int64_t again = DeadlineAfter(std::max(
        absl::ToInt64Microseconds(interval), kRestFactor * cpu_micros));
    lock.Lock();
    for (int64_t left = again - MonotonicMicros(); left > 0 && !stopping_;
         left = again - MonotonicMicros()) {
      stop_.WaitFor(mutex_, left);
    }
  }
  // A file that stays is overwritten by the next owner.
  if (file_.ok()) file_->Remove().IgnoreError();
}

void StatsPublisher::PublishOnce(const std::string& path) {
  const absl::StatusOr<Metrics> metrics = source_();
  if (!metrics.ok()) return;
  schema::StatsPage page;
  page.text = PrometheusText(*metrics);
  if (page.text == text_) return;
  if (!file_.ok()) file_ = io::PageFile::Open(path);
  if (!file_.ok()) return;
  page.pid = ::getpid();
  page.unix_micros = Clock::System().UnixMicros();
  if (file_->Overwrite(schema::EncodeStatsPage(page)).ok()) {
    text_ = std::move(page.text);
  }
}

}  // namespace engram::internal
