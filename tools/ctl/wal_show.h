// Parts of the verbs of the log.

#ifndef ENGRAM_TOOLS_CTL_WAL_SHOW_H_
#define ENGRAM_TOOLS_CTL_WAL_SHOW_H_

#include <memory>

#include "absl/status/statusor.h"
#include "schema/wal_layout.h"
#include "storage/io/directory.h"
#include "tools/ctl/verbs.h"

namespace engram::ctl {

// "observe", "remove", "create-space", "drop-space", "idle", "close", "seal".
const char* RecordTypeName(schema::RecordType type);

// The folder of the log, which nobody need own; errors with their exit codes.
absl::StatusOr<std::unique_ptr<io::Directory>> OpenLogFolder(
    const Global& global);

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_WAL_SHOW_H_
