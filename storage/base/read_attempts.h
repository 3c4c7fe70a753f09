// How often a reader starts over that reads what an owner may be changing.
//
//   ReadAttempts attempts;
//   while (true) {
//     absl::Status status = Read();
//     if (status.ok() || !attempts.StartOver(status)) {
//       return attempts.Verdict(path, std::move(status));
//     }
//   }
//
// What the owner does meanwhile never looks the same twice: names and numbers
// of files, and LSNs, rise. So a finding that comes again and again is real,
// and everything else is a race, whether or not anybody knows of an owner.

#ifndef ENGRAM_STORAGE_BASE_READ_ATTEMPTS_H_
#define ENGRAM_STORAGE_BASE_READ_ATTEMPTS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace engram {

// Not thread-safe.
class ReadAttempts {
 public:
  // Two would do; the third is for the reader of this who does not believe it.
  static constexpr int kSameFindings = 3;

  static constexpr int kAttemptsMax = 100;

  // Rests between two attempts for at most so long.
  explicit ReadAttempts(int64_t rest_micros_max = 64'000)
      : rest_micros_max_(rest_micros_max) {}

  // Whether the attempt that ended in `status` is to be made again, after a
  // rest that this call takes: not if this is the kSameFindings-th in a row
  // that ended so, nor after kAttemptsMax of them. ABORTED says that the reader
  // itself has seen the owner move on, and is never believed.
  bool StartOver(const absl::Status& status);

  // What to say of the last attempt to read `path`, which ended in `status`:
  // that, or UNAVAILABLE with it if it was not believed.
  absl::Status Verdict(absl::string_view path, absl::Status status) const;

 private:
  const int64_t rest_micros_max_;
  absl::Status last_;
  int same_ = 0;  // how often in a row
  int attempts_ = 0;
  bool believed_ = true;
};

}  // namespace engram

#endif  // ENGRAM_STORAGE_BASE_READ_ATTEMPTS_H_
