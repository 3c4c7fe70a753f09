#include "storage/io/sequential_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/errno_status.h"
#include "storage/base/status_macros.h"
#include "storage/io/file_mode.h"

namespace engram::io {
namespace {

absl::Status SyncFolderOf(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, "open", folder);
  if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, "sync", folder);
  return absl::OkStatus();
}

}  // namespace

NewFile::NewFile(std::string path, UniqueFd fd)
    : path_(std::move(path)), fd_(std::move(fd)) {}

NewFile::~NewFile() {
  if (!finished_) ::unlink(path_.c_str());
}

absl::StatusOr<std::unique_ptr<NewFile>> NewFile::Create(
    const std::string& path) {
  UniqueFd fd(::open(path.c_str(),
                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                     kFileMode));
  if (!fd.valid()) return ErrnoStatus(errno, "create", path);
  return std::unique_ptr<NewFile>(new NewFile(path, std::move(fd)));
}

absl::Status NewFile::Append(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, "write", path_);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status NewFile::Finish() {
  if (::fsync(fd_.get()) != 0) return ErrnoStatus(errno, "sync", path_);
  ENGRAM_RETURN_IF_ERROR(SyncFolderOf(path_));
  finished_ = true;
  return absl::OkStatus();
}

SequentialReader::SequentialReader(std::string path, UniqueFd fd)
    : path_(std::move(path)), fd_(std::move(fd)) {}

absl::StatusOr<SequentialReader> SequentialReader::Open(
    const std::string& path) {
  // O_NONBLOCK: opening a pipe would wait for its other end.
  UniqueFd fd(
      ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid() && errno != ELOOP) return ErrnoStatus(errno, "open", path);
  struct stat info = {};
  if (!fd.valid() || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is no regular file"));
  }
  return SequentialReader(path, std::move(fd));
}

absl::StatusOr<size_t> SequentialReader::Read(absl::Span<char> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t read =
        ::read(fd_.get(), out.data() + done, out.size() - done);
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) return ErrnoStatus(errno, "read", path_);
    if (read == 0) break;
    done += static_cast<size_t>(read);
  }
  return done;
}

}  // namespace engram::io
