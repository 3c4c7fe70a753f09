#include "storage/io/posix_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "storage/base/aligned_buffer.h"
#include "storage/base/check.h"
#include "storage/base/errno_status.h"
#include "storage/base/status_macros.h"
#include "storage/base/unique_fd.h"
#include "storage/io/file_mode.h"

namespace engram::io {
namespace {

constexpr size_t kZeroFillBytes = size_t{1} << 20;
// EINTR, EAGAIN and writes of nothing are retried this often, then they are
// errors.
constexpr int kWriteFailuresMax = 3;

class PosixFile final : public File {
 public:
  PosixFile(std::string path, UniqueFd fd, bool direct)
      : File(std::move(path)), fd_(std::move(fd)), direct_(direct) {}

  int fd() const override { return fd_.get(); }
  bool direct() const override { return direct_; }

  absl::StatusOr<uint64_t> Size() const override {
    ENGRAM_ASSIGN_OR_RETURN(const struct stat info, Stat());
    return static_cast<uint64_t>(info.st_size);
  }

  absl::StatusOr<bool> HasHoles() const override {
    constexpr blkcnt_t kUnitBytes = 512;  // of st_blocks, everywhere
    ENGRAM_ASSIGN_OR_RETURN(const struct stat info, Stat());
    return info.st_blocks * kUnitBytes < info.st_size;
  }

  void HoldForReading() override {
    if (LocksAreHints()) (void)::flock(fd_.get(), LOCK_SH | LOCK_NB);
  }

  bool IsHeldForReading() override {
    return LocksAreHints() && ::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0 &&
           errno == EWOULDBLOCK;
  }

  absl::StatusOr<size_t> Read(uint64_t offset,
                              absl::Span<char> out) const override {
    size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = ::pread(fd_.get(), out.data() + done, out.size() - done,
                                static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoStatus(errno, "read", path());
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  absl::Status Write(uint64_t offset, absl::Span<const char> data) override {
    return WriteAll(offset, data, 0);
  }

  // Without O_DIRECT the page cache lies between, and one call for both gains
  // nothing.
  absl::Status WriteDurable(uint64_t offset,
                            absl::Span<const char> data) override {
    if (!direct_) return File::WriteDurable(offset, data);
    const absl::Status status = WriteAll(offset, data, RWF_DSYNC);
    // Not known to this file system; nothing was written.
    if (absl::IsUnimplemented(status)) {
      return File::WriteDurable(offset, data);
    }
    return status;
  }

  absl::Status Sync() override {
    if (::fsync(fd_.get()) != 0) return ErrnoStatus(errno, "sync", path());
    return absl::OkStatus();
  }

  absl::Status SyncData() override {
    if (::fdatasync(fd_.get()) != 0) return ErrnoStatus(errno, "sync", path());
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<struct stat> Stat() const {
    struct stat info;
    if (::fstat(fd_.get(), &info) == 0) return info;
    return ErrnoStatus(errno, "stat", path());
  }

  bool LocksAreHints() const {
    struct statfs info;
    return ::fstatfs(fd_.get(), &info) == 0 && LocksAreHintsOn(info.f_type);
  }

  // An interrupted call is made again, a short one continued: without O_DIRECT
  // where it stopped, with it from the block on that it stopped in.
  absl::Status WriteAll(uint64_t offset, absl::Span<const char> data,
                        int flags) {
    size_t done = 0;
    int failures = 0;
    while (done < data.size()) {
      const iovec rest = {const_cast<char*>(data.data()) + done,
                          data.size() - done};
      const ssize_t n = ::pwritev2(fd_.get(), &rest, 1,
                                   static_cast<off_t>(offset + done), flags);
      if (n < 0 && (errno == EINTR || errno == EAGAIN) &&
          failures++ < kWriteFailuresMax) {
        continue;
      }
      if (n < 0) return ErrnoStatus(errno, "write", path());
      size_t progress = static_cast<size_t>(n);
      if (direct_ && done + progress < data.size()) {
        progress -= progress % AlignedBuffer::kAlignment;
      }
      if (progress == 0 && failures++ == kWriteFailuresMax) {
        return ErrnoStatus(EIO, "write nothing to", path());
      }
      done += progress;
    }
    return absl::OkStatus();
  }

  const UniqueFd fd_;
  const bool direct_;
};

class PosixDirectory final : public Directory {
 public:
  PosixDirectory(std::string path, UniqueFd fd, bool allow_direct)
      : path_(std::move(path)),
        fd_(std::move(fd)),
        allow_direct_(allow_direct) {}

  const std::string& path() const override { return path_; }

  absl::StatusOr<std::vector<std::string>> List() const override {
    const int list_fd =
        ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (list_fd < 0) return ErrnoStatus(errno, "list", path_);
    DIR* stream = ::fdopendir(list_fd);
    if (stream == nullptr) {
      const int error = errno;
      ::close(list_fd);
      return ErrnoStatus(error, "list", path_);
    }
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream)) {
      const absl::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    const int error = errno;
    ::closedir(stream);
    if (error != 0) return ErrnoStatus(error, "list", path_);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::StatusOr<std::unique_ptr<File>> Open(absl::string_view name,
                                             OpenMode mode) override {
    if (mode == OpenMode::kRead) return OpenAt(name, O_RDONLY, false);
    return OpenDirect(name, mode == OpenMode::kReadDirect ? O_RDONLY : O_RDWR);
  }

  absl::StatusOr<std::unique_ptr<File>> CreateZeroed(absl::string_view name,
                                                     uint64_t bytes) override {
    ENGRAM_ASSIGN_OR_RETURN(std::unique_ptr<File> file,
                            OpenDirect(name, O_RDWR | O_CREAT | O_TRUNC));
    AlignedBuffer zeros(kZeroFillBytes);
    std::memset(zeros.data(), 0, zeros.size());
    for (uint64_t offset = 0; offset < bytes; offset += zeros.size()) {
      const size_t chunk = std::min<uint64_t>(zeros.size(), bytes - offset);
      ENGRAM_RETURN_IF_ERROR(
          file->Write(offset, absl::MakeConstSpan(zeros.data(), chunk)));
    }
    ENGRAM_RETURN_IF_ERROR(file->Sync());
    ENGRAM_RETURN_IF_ERROR(Sync());
    return file;
  }

  absl::Status Rename(absl::string_view from, absl::string_view to) override {
    if (::renameat(fd_.get(), std::string(from).c_str(), fd_.get(),
                   std::string(to).c_str()) != 0) {
      return ErrnoStatus(errno, "rename", PathOf(from));
    }
    return absl::OkStatus();
  }

  absl::Status Remove(absl::string_view name) override {
    if (::unlinkat(fd_.get(), std::string(name).c_str(), 0) != 0) {
      return ErrnoStatus(errno, "remove", PathOf(name));
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (::fsync(fd_.get()) != 0) return ErrnoStatus(errno, "sync", path_);
    return absl::OkStatus();
  }

 private:
  std::string PathOf(absl::string_view name) const {
    return absl::StrCat(path_, "/", name);
  }

  absl::StatusOr<std::unique_ptr<File>> OpenDirect(absl::string_view name,
                                                   int flags) {
    if (allow_direct_) {
      absl::StatusOr<std::unique_ptr<File>> file =
          OpenAt(name, flags | O_DIRECT, true);
      // Older tmpfs and some network file systems know no O_DIRECT.
      if (file.ok() || !absl::IsInvalidArgument(file.status())) return file;
    }
    return OpenAt(name, flags, false);
  }

  absl::StatusOr<std::unique_ptr<File>> OpenAt(absl::string_view name,
                                               int flags, bool direct) {
    const std::string path = PathOf(name);
    // O_NONBLOCK: opening a pipe would wait for its other end. O_TRUNC must
    // wait until it is known that the file is one of ours.
    UniqueFd fd(::openat(
        fd_.get(), std::string(name).c_str(),
        (flags & ~O_TRUNC) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, kFileMode));
    if (!fd.valid()) return ErrnoStatus(errno, "open", path);
    struct stat info;
    if (::fstat(fd.get(), &info) != 0) return ErrnoStatus(errno, "stat", path);
    if (!S_ISREG(info.st_mode) || info.st_nlink != 1) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": is no regular file with exactly one name"));
    }
    // A ring would answer EAGAIN where it should wait.
    if (::fcntl(fd.get(), F_SETFL, flags & O_DIRECT) != 0) {
      return ErrnoStatus(errno, "set the flags of", path);
    }
    if ((flags & O_TRUNC) != 0 && ::ftruncate(fd.get(), 0) != 0) {
      return ErrnoStatus(errno, "truncate", path);
    }
    return std::make_unique<PosixFile>(path, std::move(fd), direct);
  }

  const std::string path_;
  const UniqueFd fd_;
  const bool allow_direct_;
};

}  // namespace

bool LocksAreHintsOn(int64_t file_system_type) {
  const auto type = static_cast<uint32_t>(file_system_type);
  return type != SMB_SUPER_MAGIC && type != CIFS_SUPER_MAGIC &&
         type != SMB2_SUPER_MAGIC;
}

absl::StatusOr<std::unique_ptr<Directory>> OpenPosixDirectory(
    const std::string& path, bool create, bool allow_direct) {
  if (create && ::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, "create", path);
  }
  UniqueFd fd(
      ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, "open", path);
  return std::make_unique<PosixDirectory>(path, std::move(fd), allow_direct);
}

}  // namespace engram::io
