#include "tools/ctl/progress.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace engram::ctl {
namespace {

constexpr int64_t kFirstUs = 500'000;
constexpr int64_t kIntervalUs = 200'000;

std::string TimeText(double seconds) {
  constexpr double kSecondsMax = 99 * 3600;
  const auto whole =
      static_cast<int64_t>(seconds < kSecondsMax ? seconds + 0.5 : kSecondsMax);
  if (whole < 3600) return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
  return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60,
                         whole % 60);
}

}  // namespace

std::string ProgressText(absl::string_view verb, uint64_t done, uint64_t total,
                         double seconds) {
  const double rate = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  std::string text = absl::StrCat(verb, " ", done);
  if (total > 0) absl::StrAppend(&text, " of ", total);
  absl::StrAppendFormat(&text, ", %.0f/s", rate);
  if (done < total && rate > 0) {
    absl::StrAppend(&text, ", ",
                    TimeText(static_cast<double>(total - done) / rate),
                    " left");
  }
  return text;
}

Progress::Progress(std::string verb, uint64_t total, const Clock& clock)
    : verb_(std::move(verb)),
      total_(total),
      clock_(clock),
      enabled_(::isatty(STDERR_FILENO) == 1),
      start_us_(clock.MonotonicMicros()),
      next_us_(start_us_ + kFirstUs) {}

Progress::~Progress() {
  if (shown_) std::fputs("\r\033[K", stderr);
}

void Progress::Update(uint64_t done) {
  if (!enabled_) return;
  const int64_t now_us = clock_.MonotonicMicros();
  if (now_us < next_us_) return;
  next_us_ = now_us + kIntervalUs;
  shown_ = true;
  const double seconds = static_cast<double>(now_us - start_us_) / 1e6;
  std::fprintf(stderr, "\r%s\033[K",
               ProgressText(verb_, done, total_, seconds).c_str());
}

}  // namespace engram::ctl
