// A line on stderr that says how far a long verb has come.

#ifndef ENGRAM_TOOLS_CTL_PROGRESS_H_
#define ENGRAM_TOOLS_CTL_PROGRESS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "storage/base/clock.h"

namespace engram::ctl {

// Returns "loaded 1500 of 6000, 3000/s, 0:02 left"; without a total (0) only
// the count and the rate.
std::string ProgressText(absl::string_view verb, uint64_t done, uint64_t total,
                         double seconds);

// Rewrites its line five times a second, and only if stderr is a terminal and
// the work takes longer than half a second. Not thread-safe.
class Progress {
 public:
  // `verb` is as in "loaded". `clock` must outlive the object.
  Progress(std::string verb, uint64_t total, const Clock& clock);

  // Wipes the line.
  ~Progress();

  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Update(uint64_t done);

 private:
  const std::string verb_;
  const uint64_t total_;
  const Clock& clock_;
  const bool enabled_;
  const int64_t start_us_;
  int64_t next_us_;
  bool shown_ = false;
};

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_PROGRESS_H_
