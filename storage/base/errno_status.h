// System call errors as absl::Status.

#ifndef ENGRAM_STORAGE_BASE_ERRNO_STATUS_H_
#define ENGRAM_STORAGE_BASE_ERRNO_STATUS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace engram {

// Returns a status that names `operation`, `path` and the error's text, as in
// "open /db/wal/1.log: No space left on device". ENOSPC and EDQUOT become
// RESOURCE_EXHAUSTED, ENOENT NOT_FOUND, EACCES and EPERM PERMISSION_DENIED;
// anything else is what Abseil makes of the number.
absl::Status ErrnoStatus(int error, absl::string_view operation,
                         absl::string_view path);

}  // namespace engram

#endif  // ENGRAM_STORAGE_BASE_ERRNO_STATUS_H_
