#include "tests/support/child_process.h"

#include <sys/wait.h>
#include <unistd.h>

#include "storage/base/check.h"

namespace engram::testing {
namespace {

// A child that hangs is killed after this long.
constexpr unsigned kSecondsMax = 120;

}  // namespace

int RunInChild(const std::function<int()>& body) {
  const pid_t child = ::fork();
  ENGRAM_CHECK(child >= 0);
  if (child == 0) {
    ::alarm(kSecondsMax);
    ::_exit(body());
  }
  int status = 0;
  ENGRAM_CHECK(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace engram::testing
