// The part of verify that looks for an id which should be nowhere.

#ifndef ENGRAM_TOOLS_CTL_VERIFY_ABSENT_H_
#define ENGRAM_TOOLS_CTL_VERIFY_ABSENT_H_

#include <string>

#include "absl/status/status.h"
#include "tools/ctl/verify.h"

namespace engram::ctl {

// Adds a warning to `report` for each place of the database in the directory
// `path` that holds the id, as a space's or just its bytes: also where it was
// removed, replaced, or logged once, and where that cannot be excluded.
absl::Status VerifyAbsent(const std::string& path, const AbsentId& absent,
                          VerifyReport* report);

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_VERIFY_ABSENT_H_
