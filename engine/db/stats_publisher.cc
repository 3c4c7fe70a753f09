#include "engine/db/stats_publisher.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "schema/stats_page.h"
#include "storage/base/clock.h"
#include "storage/base/thread_priority.h"

namespace engram::internal {
namespace {

// It rests for so many times as long as it worked.
constexpr int64_t kRestFactor = 100;

int64_t Now() { return Clock::System().MonotonicMicros(); }

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
    const int64_t start = Now();
    PublishOnce(path);
    const int64_t end = Now();
    lock.Lock();
    const int64_t again = end + std::max(absl::ToInt64Microseconds(interval),
                                         kRestFactor * (end - start));
    for (int64_t left = again - end; left > 0 && !stopping_;
         left = again - Now()) {
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
