// A temporary folder that does not outlive the program.

#ifndef ENGRAM_TOOLS_BENCH_SCRATCH_FOLDER_H_
#define ENGRAM_TOOLS_BENCH_SCRATCH_FOLDER_H_

#include <signal.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"

namespace engram::bench {

// Removed with all it holds when this is destroyed, and when SIGINT, SIGTERM or
// SIGHUP ends the program. For that these signals are blocked in the thread
// that calls Create() and in those it starts later, so that it must be called
// before any thread is started; a thread of its own waits for them. Signals
// that the parent ignores stay ignored. One at a time. Not thread-safe.
class ScratchFolder {
 public:
  static absl::StatusOr<std::unique_ptr<ScratchFolder>> Create();
  ~ScratchFolder();

  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::string& path() const { return path_; }

  // A path in the folder that nothing has, and that is never returned again.
  std::string Next();

 private:
  explicit ScratchFolder(std::string path);

  void WaitForSignals();

  const std::string path_;
  int next_ = 0;
  sigset_t signals_;
  sigset_t signals_before_;
  std::atomic<bool> stopping_{false};
  std::thread watcher_;
};

// For a child that inherits the mask above: signals end it again, and so does
// the end of its parent.
void EndWithParent();

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_SCRATCH_FOLDER_H_
