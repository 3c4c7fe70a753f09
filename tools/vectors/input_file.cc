#include "tools/vectors/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/errno_status.h"
#include "storage/base/status_macros.h"

namespace engram {
namespace {

constexpr size_t kBufferBytes = size_t{256} << 10;

}  // namespace

absl::StatusOr<InputFile> InputFile::Open(const std::string& path) {
  // Without O_NONBLOCK the open of a FIFO would wait for a writer.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return ErrnoStatus(errno, "open", path);
  struct stat stat;
  if (::fstat(fd.get(), &stat) != 0) return ErrnoStatus(errno, "stat", path);
  if (!S_ISREG(stat.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": not a regular file"));
  }
  return InputFile(path, std::move(fd), static_cast<uint64_t>(stat.st_size));
}

InputFile::InputFile(std::string path, UniqueFd fd, uint64_t size)
    : path_(std::move(path)),
      fd_(std::move(fd)),
      size_(size),
      buffer_(kBufferBytes) {}

absl::Status InputFile::Read(absl::Span<char> out) {
  size_t filled = 0;
  while (filled < out.size()) {
    if (begin_ == end_) ENGRAM_RETURN_IF_ERROR(Refill());
    const size_t bytes = std::min(out.size() - filled, end_ - begin_);
    std::memcpy(out.data() + filled, buffer_.data() + begin_, bytes);
    begin_ += bytes;
    filled += bytes;
    offset_ += bytes;
  }
  return absl::OkStatus();
}

absl::Status InputFile::Refill() {
  ssize_t bytes;
  do {
    bytes = ::read(fd_.get(), buffer_.data(), buffer_.size());
  } while (bytes < 0 && errno == EINTR);
  if (bytes < 0) return ErrnoStatus(errno, "read", path_);
  if (bytes == 0) {
    return absl::DataLossError(absl::StrCat(path_, ": truncated: ends at byte ",
                                            offset_,
                                            ", in the middle of a value"));
  }
  begin_ = 0;
  end_ = static_cast<size_t>(bytes);
  return absl::OkStatus();
}

}  // namespace engram
