// Other programs, and this one once more.

#ifndef ENGRAM_TOOLS_DEMO_CHILD_PROCESS_H_
#define ENGRAM_TOOLS_DEMO_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/base/unique_fd.h"

namespace engram::demo {

// A program that writes to a pipe. Killed, and waited for, when it is
// destroyed. Move-only.
class ChildProcess {
 public:
  // Starts arguments[0] with these arguments. Its descriptor `fd` is the
  // pipe's end to write to, e.g. 1 for its output.
  static absl::StatusOr<ChildProcess> Start(
      const std::vector<std::string>& arguments, int fd);

  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;

  pid_t pid() const { return pid_; }

  // Reads what there is, at least a byte; appends it to `*out` and returns
  // true. False once the program has ended and all was read.
  absl::StatusOr<bool> Read(std::string* out);

  // SIGKILL.
  absl::Status Kill();

  // Waits for its end and returns what waitpid() says.
  absl::StatusOr<int> Wait();

 private:
  ChildProcess(pid_t pid, UniqueFd read_end);

  pid_t pid_;  // 0: waited for
  UniqueFd read_end_;
};

// The path of the running program.
absl::StatusOr<std::string> OwnPath();

}  // namespace engram::demo

#endif  // ENGRAM_TOOLS_DEMO_CHILD_PROCESS_H_
