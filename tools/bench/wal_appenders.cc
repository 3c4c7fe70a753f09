#include <atomic>
#include <thread>
#include <utility>

#include "storage/base/mutex.h"
#include "tools/bench/stopwatch.h"
#include "tools/bench/wal_path.h"

namespace engram::bench {

absl::StatusOr<WalResult> RunAppenders(
    const WalSetting& setting, const std::function<absl::Status(int)>& append) {
  struct Shared {
    Mutex mutex;
    absl::Status status ABSL_GUARDED_BY(mutex);
    WalResult result ABSL_GUARDED_BY(mutex);
    // Relaxed: the threads are joined before anything else is looked at.
    std::atomic<bool> stop{false};
  } shared;
  const Stopwatch stopwatch;
  std::vector<std::thread> threads;
  for (int number = 0; number < setting.appenders; ++number) {
    threads.emplace_back([&, number] {
      std::vector<float> ack_us;
      absl::Status status;
      double before = SecondsOf(CLOCK_MONOTONIC);
      const double end = before + setting.seconds;
      while (before < end && !shared.stop.load(std::memory_order_relaxed)) {
        status = append(number);
        if (!status.ok()) break;
        const double now = SecondsOf(CLOCK_MONOTONIC);
        ack_us.push_back(static_cast<float>((now - before) * 1e6));
        before = now;
      }
      MutexLock lock(shared.mutex);
      shared.status.Update(status);
      if (!status.ok()) shared.stop.store(true, std::memory_order_relaxed);
      shared.result.records += ack_us.size();
      shared.result.ack_us.insert(shared.result.ack_us.end(), ack_us.begin(),
                                  ack_us.end());
    });
  }
  for (std::thread& thread : threads) thread.join();
  MutexLock lock(shared.mutex);
  if (!shared.status.ok()) return shared.status;
  shared.result.seconds = stopwatch.ReadWall();
  return std::move(shared.result);
}

}  // namespace engram::bench
