#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "storage/base/errno_status.h"
#include "storage/base/unique_fd.h"
#include "storage/io/file_mode.h"
#include "storage/io/file_system.h"
#include "storage/io/posix_directory.h"

namespace engram::io {
namespace {

class PosixFileSystem final : public FileSystem {
 public:
  bool Exists(const std::string& path) const override {
    struct stat info;
    return ::lstat(path.c_str(), &info) == 0;
  }

  absl::StatusOr<bool> IsFolder(const std::string& path) const override {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) {
      return ErrnoStatus(errno, "open", path);
    }
    return S_ISDIR(info.st_mode);
  }

  absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory(
      const std::string& path, bool create) override {
    return OpenPosixDirectory(path, create);
  }

  absl::Status RemoveFolder(const std::string& path) override {
    if (::rmdir(path.c_str()) != 0) return ErrnoStatus(errno, "remove", path);
    return absl::OkStatus();
  }

  absl::StatusOr<DirectoryLock> Lock(const std::string& path) override {
    return DirectoryLock::Acquire(path);
  }

  absl::StatusOr<std::string> ReadSmallFile(
      const std::string& path) const override {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) return ErrnoStatus(errno, "open", path);
    std::string text(kSmallFileBytesMax, '\0');
    const ssize_t bytes = ::read(fd.get(), text.data(), text.size());
    if (bytes < 0) return ErrnoStatus(errno, "read", path);
    text.resize(static_cast<size_t>(bytes));
    return text;
  }

  absl::Status WriteSmallFile(const std::string& path,
                              absl::string_view text) override {
    return Write(path, O_TRUNC, text);
  }

  absl::Status AppendToFile(const std::string& path,
                            absl::string_view text) override {
    return Write(path, O_APPEND, text);
  }

 private:
  static absl::Status Write(const std::string& path, int flag,
                            absl::string_view text) {
    const UniqueFd fd(
        ::open(path.c_str(),
               O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flag,
               kFileMode));
    if (!fd.valid()) return ErrnoStatus(errno, "create", path);
    while (!text.empty()) {
      const ssize_t bytes = ::write(fd.get(), text.data(), text.size());
      if (bytes < 0 && errno == EINTR) continue;
      if (bytes <= 0) {
        return ErrnoStatus(bytes < 0 ? errno : ENOSPC, "write", path);
      }
      text.remove_prefix(static_cast<size_t>(bytes));
    }
    if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, "sync", path);
    return absl::OkStatus();
  }
};

}  // namespace

FileSystem* FileSystem::System() {
  static PosixFileSystem file_system;
  return &file_system;
}

}  // namespace engram::io
