// The third part: a process is killed while it observes.

#ifndef ENGRAM_TOOLS_DEMO_CRASH_H_
#define ENGRAM_TOOLS_DEMO_CRASH_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engram/db.h"
#include "tools/demo/screen.h"
#include "tools/demo/words.h"

namespace engram::demo {

// Descriptor to which the child reports.
inline constexpr int kReportFd = 3;

// What the child does: opens the database, observes all words from several
// threads, and reports each on kReportFd before and after it. Returns only on
// an error or when all are acknowledged.
absl::Status IngestAsChild(const std::string& db_path, const Words& words);

// Starts this program once more as such a child (`arguments`), kills it half
// way, opens the database and checks that what was acknowledged is there.
// Nobody may have the database open. Returns it open.
absl::StatusOr<std::unique_ptr<Db>> KillAndRecover(
    const std::string& db_path, const std::vector<std::string>& arguments,
    const Words& words, const Screen& screen);

}  // namespace engram::demo

#endif  // ENGRAM_TOOLS_DEMO_CRASH_H_
