// What engram-ctl's exit status says. Numbers are never reused.

#ifndef ENGRAM_TOOLS_CTL_EXIT_CODE_H_
#define ENGRAM_TOOLS_CTL_EXIT_CODE_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace engram::ctl {

enum class ExitCode : int {
  kOk = 0,
  kFailed = 1,         // bad input, a full disk, an unknown space or id
  kUsage = 2,          // the command line makes no sense
  kDamaged = 3,        // stored data is damaged
  kUnavailable = 4,    // locked by another process, not there, no database
  kNewerFormat = 5,    // written by a newer version of Engram
  kWarnings = 7,       // verify found warnings, and no damage
  kInterrupted = 130,  // ^C; what was acknowledged is in the database
};

// How a verb ends: with an exit code after printing what it found, or with an
// error that main() prints.
using VerbResult = absl::StatusOr<ExitCode>;

// Returns `status`, which is not OK, with the exit code that it is to end in.
absl::Status WithExitCode(absl::Status status, ExitCode code);

// The error of a command line that parses but makes no sense.
absl::Status UsageError(absl::string_view message);

// Returns the failure of Db::Open() with its exit code. There, unlike later,
// NOT_FOUND and FAILED_PRECONDITION speak of the database itself.
absl::Status OpenError(absl::Status status);

// The exit code given to `status`, else the one that its kind stands for.
ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_EXIT_CODE_H_
