// Directory on the real file system.

#ifndef ENGRAM_STORAGE_IO_POSIX_DIRECTORY_H_
#define ENGRAM_STORAGE_IO_POSIX_DIRECTORY_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "storage/io/directory.h"

namespace engram::io {

// Opens the folder `path` and creates it (mode 0700) if `create`. With
// allow_direct = false files are opened as on a file system without O_DIRECT.
absl::StatusOr<std::unique_ptr<Directory>> OpenPosixDirectory(
    const std::string& path, bool create, bool allow_direct = true);

// Whether flock() on a file system of this type, as statfs() calls it, is only
// a hint: with SMB it makes the writes of everybody else fail.
bool LocksAreHintsOn(int64_t file_system_type);

}  // namespace engram::io

#endif  // ENGRAM_STORAGE_IO_POSIX_DIRECTORY_H_
