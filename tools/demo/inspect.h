// The fourth part: engram-ctl looks at the result.

#ifndef ENGRAM_TOOLS_DEMO_INSPECT_H_
#define ENGRAM_TOOLS_DEMO_INSPECT_H_

#include <string>

#include "absl/status/status.h"
#include "tools/demo/screen.h"

namespace engram::demo {

// Runs some verbs of the engram-ctl at `ctl_path` and prints their output. An
// exit code other than 0 is an error. Nobody may have the database open.
absl::Status Inspect(const std::string& ctl_path, const std::string& db_path,
                     const Screen& screen);

}  // namespace engram::demo

#endif  // ENGRAM_TOOLS_DEMO_INSPECT_H_
