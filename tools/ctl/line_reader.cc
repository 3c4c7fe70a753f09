#include "tools/ctl/line_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/errno_status.h"
#include "storage/base/status_macros.h"
#include "tools/ctl/interrupt.h"

namespace engram::ctl {
namespace {

constexpr size_t kReadBytes = size_t{256} << 10;

// A signal may reach any thread, so read() here may not notice it.
constexpr int kPollMillis = 100;

absl::Status WaitForInput(int fd, const std::string& path) {
  while (!Interrupted()) {
    pollfd waited = {fd, POLLIN, 0};
    const int ready = ::poll(&waited, 1, kPollMillis);
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return ErrnoStatus(errno, "poll", path);
  }
  return absl::CancelledError("interrupted");
}

}  // namespace

absl::StatusOr<LineReader> LineReader::Open(const std::string& path) {
  UniqueFd fd(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                          : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, "open", path);
  return LineReader(path, std::move(fd));
}

LineReader::LineReader(std::string path, UniqueFd fd)
    : path_(std::move(path)), fd_(std::move(fd)) {}

absl::StatusOr<bool> LineReader::Next(absl::string_view* line) {
  ++line_number_;
  size_t searched = begin_;
  while (true) {
    const size_t newline = buffer_.find('\n', searched);
    const size_t end = newline == std::string::npos ? buffer_.size() : newline;
    if (end - begin_ > kLineBytesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("line is longer than ", kLineBytesMax, " bytes"));
    }
    if (newline != std::string::npos || (at_end_ && end > begin_)) {
      *line = absl::string_view(buffer_.data() + begin_, end - begin_);
      begin_ = newline == std::string::npos ? end : end + 1;
      return true;
    }
    if (at_end_) return false;
    buffer_.erase(0, begin_);
    begin_ = 0;
    searched = buffer_.size();
    ENGRAM_ASSIGN_OR_RETURN(const bool more, Fill());
    at_end_ = !more;
  }
}

absl::StatusOr<bool> LineReader::Fill() {
  ENGRAM_RETURN_IF_ERROR(WaitForInput(fd_.get(), path_));
  const size_t kept = buffer_.size();
  buffer_.resize(kept + kReadBytes);
  ssize_t bytes;
  do {
    bytes = ::read(fd_.get(), buffer_.data() + kept, kReadBytes);
  } while (bytes < 0 && errno == EINTR);
  const int error = errno;
  buffer_.resize(kept + static_cast<size_t>(bytes > 0 ? bytes : 0));
  if (bytes < 0) return ErrnoStatus(error, "read", path_);
  return bytes > 0;
}

}  // namespace engram::ctl
