// Lets other processes see what only the owner's memory holds.

#ifndef ENGRAM_ENGINE_DB_STATS_PUBLISHER_H_
#define ENGRAM_ENGINE_DB_STATS_PUBLISHER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engram/metrics.h"
#include "storage/base/mutex.h"
#include "storage/io/page_file.h"

namespace engram::internal {

// A thread that writes the metrics of a database to its STATS file (see
// schema/stats_page.h), where they have changed. It rests for a hundred times
// as long as that kept a processor busy, if that is more than its interval:
// with very many spaces it costs 1 % of a processor and no more.
//
// What it cannot write it leaves out, and tries again: nobody's data is in it.
//
// Thread safety: Start() and Stop() by one thread.
class StatsPublisher {
 public:
  using Source = std::function<absl::StatusOr<Metrics>()>;

  ~StatsPublisher() { Stop(); }

  // `source` is called on the thread until Stop() returns.
  void Start(const std::string& path, absl::Duration interval, Source source);

  // Ends the thread and takes the file away.
  void Stop();

 private:
  void Run(const std::string& path, absl::Duration interval);
  void PublishOnce(const std::string& path);

  Source source_;
  std::thread thread_;

  // Of the thread.
  absl::StatusOr<io::PageFile> file_ = absl::UnknownError("not opened yet");
  std::string text_;  // that was published last

  Mutex mutex_;
  CondVar stop_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_STATS_PUBLISHER_H_
