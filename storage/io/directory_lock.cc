#include "storage/io/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "storage/base/errno_status.h"

namespace engram::io {
namespace {

constexpr int kAttempts = 51;
constexpr useconds_t kPauseMicros = 5'000;

}  // namespace

absl::StatusOr<DirectoryLock> DirectoryLock::Acquire(const std::string& path) {
  UniqueFd fd(
      ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, "open", path);
  for (int attempt = 1;; ++attempt) {
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
      return DirectoryLock(std::move(fd));
    }
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return ErrnoStatus(errno, "lock", path);
    }
    if (attempt == kAttempts) {
      return absl::UnavailableError(absl::StrCat(path, " is locked"));
    }
    ::usleep(kPauseMicros);
  }
}

absl::StatusOr<bool> DirectoryLock::IsHeld(const std::string& path) {
  const UniqueFd fd(
      ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, "open", path);
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return false;
  if (errno == EWOULDBLOCK) return true;
  return ErrnoStatus(errno, "lock", path);
}

void DirectoryLock::Release() {
  // Closing lets go too, if a little later.
  if (fd_.valid()) (void)::flock(fd_.get(), LOCK_UN);
  fd_ = UniqueFd();
}

}  // namespace engram::io
