#include "storage/io/page_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "storage/base/errno_status.h"
#include "storage/io/file_mode.h"

namespace engram::io {

absl::StatusOr<PageFile> PageFile::Open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(),
                     O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                     kFileMode));
  if (!fd.valid()) return ErrnoStatus(errno, "create", path);
  return PageFile(path, std::move(fd));
}

absl::Status PageFile::Overwrite(absl::string_view bytes) {
  for (off_t offset = 0; !bytes.empty();) {
    const ssize_t written =
        ::pwrite(fd_.get(), bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      return ErrnoStatus(written < 0 ? errno : ENOSPC, "write", path_);
    }
    offset += written;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status PageFile::Remove() {
  if (::unlink(path_.c_str()) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, "remove", path_);
}

absl::StatusOr<std::string> ReadPageFile(const std::string& path,
                                         size_t bytes_max) {
  const UniqueFd fd(
      ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat info;
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0) {
    return ErrnoStatus(errno, "open", path);
  }
  std::string bytes(std::min(bytes_max, static_cast<size_t>(
                                            std::max<off_t>(info.st_size, 0))),
                    '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got =
        ::pread(fd.get(), bytes.data() + filled, bytes.size() - filled,
                static_cast<off_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, "read", path);
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

}  // namespace engram::io
