#include "storage/base/read_attempts.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace engram {
namespace {

// Doubles. What a reader meets is mostly over before it can look again, but for
// an owner that the system has put to sleep in the middle of it.
constexpr int64_t kRestMicrosMin = 1'000;
constexpr int kDoublingsMax = 10;

}  // namespace

bool ReadAttempts::StartOver(const absl::Status& status) {
  if (status.ok()) return false;
  ++attempts_;
  same_ = status == last_ ? same_ + 1 : 1;
  last_ = status;
  believed_ = !absl::IsAborted(status) && same_ >= kSameFindings;
  if (believed_ || attempts_ >= kAttemptsMax) return false;
  const int64_t rest = kRestMicrosMin << std::min(attempts_ - 1, kDoublingsMax);
  ::usleep(static_cast<useconds_t>(std::min(rest, rest_micros_max_)));
  return true;
}

absl::Status ReadAttempts::Verdict(absl::string_view path,
                                   absl::Status status) const {
  if (status.ok() || believed_) return status;
  return absl::UnavailableError(absl::StrCat(
      path, ": its owner changed it each of the ", attempts_,
      " times that it was read; the last time: ",
      absl::StatusCodeToString(status.code()), ": ", status.message()));
}

}  // namespace engram
