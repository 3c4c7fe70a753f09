#include "tools/demo/inspect.h"

#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/demo/child_process.h"

namespace engram::demo {

absl::Status Inspect(const std::string& ctl_path, const std::string& db_path,
                     const Screen& screen) {
  screen.Section("4. What engram-ctl says");
  for (const char* const verb : {"ls", "info", "verify"}) {
    ENGRAM_ASSIGN_OR_RETURN(
        ChildProcess ctl,
        ChildProcess::Start({ctl_path, "--db", db_path, verb}, STDOUT_FILENO));
    std::string output;
    while (true) {
      ENGRAM_ASSIGN_OR_RETURN(const bool more, ctl.Read(&output));
      if (!more) break;
    }
    ENGRAM_ASSIGN_OR_RETURN(const int result, ctl.Wait());
    screen.Quote(absl::StrCat("engram-ctl --db ", db_path, " ", verb), output);
    if (!WIFEXITED(result) || WEXITSTATUS(result) != 0) {
      return absl::InternalError(absl::StrCat(
          ctl_path, " ", verb, ": exit code ",
          WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result)));
    }
  }
  return absl::OkStatus();
}

}  // namespace engram::demo
