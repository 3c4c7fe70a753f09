#include "tools/demo/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <utility>

#include "storage/base/errno_status.h"

namespace engram::demo {
namespace {

constexpr int kExecFailed = 127;

}  // namespace

absl::StatusOr<ChildProcess> ChildProcess::Start(
    const std::vector<std::string>& arguments, int fd) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return ErrnoStatus(errno, "pipe for", arguments[0]);
  }
  UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  // Between fork and exec no memory may be allocated.
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return ErrnoStatus(errno, "fork for", arguments[0]);
  if (pid == 0) {
    // dup2() clears close-on-exec, but not of a descriptor upon itself.
    const int result = write_end.get() == fd ? ::fcntl(fd, F_SETFD, 0)
                                             : ::dup2(write_end.get(), fd);
    if (result >= 0) ::execv(pointers[0], pointers.data());
    ::_exit(kExecFailed);
  }
  return ChildProcess(pid, std::move(read_end));
}

ChildProcess::ChildProcess(pid_t pid, UniqueFd read_end)
    : pid_(pid), read_end_(std::move(read_end)) {}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      read_end_(std::move(other.read_end_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

absl::StatusOr<bool> ChildProcess::Read(std::string* out) {
  char buffer[PIPE_BUF];
  ssize_t bytes;
  do {
    bytes = ::read(read_end_.get(), buffer, sizeof(buffer));
  } while (bytes < 0 && errno == EINTR);
  if (bytes < 0) return ErrnoStatus(errno, "read", "pipe");
  out->append(buffer, static_cast<size_t>(bytes));
  return bytes > 0;
}

absl::Status ChildProcess::Kill() {
  if (::kill(pid_, SIGKILL) != 0) return ErrnoStatus(errno, "kill", "child");
  return absl::OkStatus();
}

absl::StatusOr<int> ChildProcess::Wait() {
  int result = 0;
  pid_t pid;
  do {
    pid = ::waitpid(pid_, &result, 0);
  } while (pid < 0 && errno == EINTR);
  if (pid < 0) return ErrnoStatus(errno, "wait for", "child");
  pid_ = 0;
  return result;
}

absl::StatusOr<std::string> OwnPath() {
  std::string path(PATH_MAX, '\0');
  const ssize_t bytes = ::readlink("/proc/self/exe", path.data(), path.size());
  if (bytes < 0) return ErrnoStatus(errno, "read", "/proc/self/exe");
  path.resize(static_cast<size_t>(bytes));
  return path;
}

}  // namespace engram::demo
