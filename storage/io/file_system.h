// Where a database finds its folders: the real file system, or a simulated
// disk.

#ifndef ENGRAM_STORAGE_IO_FILE_SYSTEM_H_
#define ENGRAM_STORAGE_IO_FILE_SYSTEM_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/io/directory.h"
#include "storage/io/directory_lock.h"

namespace engram::io {

// What ReadSmallFile() reads of a file.
inline constexpr size_t kSmallFileBytesMax = 4096;

// Thread safety: all methods may be called concurrently.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Whether anything has that name, be it a symbolic link that leads nowhere.
  virtual bool Exists(const std::string& path) const = 0;

  // Whether `path`, or what it leads to, is a folder. NOT_FOUND.
  virtual absl::StatusOr<bool> IsFolder(const std::string& path) const = 0;

  // Opens the folder `path` and creates it (mode 0700) if `create`.
  virtual absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory(
      const std::string& path, bool create) = 0;

  // Removes an empty folder.
  virtual absl::Status RemoveFolder(const std::string& path) = 0;

  // Locks a folder; see DirectoryLock.
  virtual absl::StatusOr<DirectoryLock> Lock(const std::string& path) = 0;

  // The first kSmallFileBytesMax of a file.
  virtual absl::StatusOr<std::string> ReadSmallFile(
      const std::string& path) const = 0;

  // Writes a file, mode 0600, in place of one that is there, and syncs it; its
  // name is durable when its folder has been synced.
  virtual absl::Status WriteSmallFile(const std::string& path,
                                      absl::string_view text) = 0;

  // Appends to a file, which is made, mode 0600, if there is none, and syncs
  // it; its name as above.
  virtual absl::Status AppendToFile(const std::string& path,
                                    absl::string_view text) = 0;

  // The real one. Lives for ever.
  static FileSystem* System();
};

}  // namespace engram::io

#endif  // ENGRAM_STORAGE_IO_FILE_SYSTEM_H_
