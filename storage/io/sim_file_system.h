// Folders, files and locks on a simulated disk.

#ifndef ENGRAM_STORAGE_IO_SIM_FILE_SYSTEM_H_
#define ENGRAM_STORAGE_IO_SIM_FILE_SYSTEM_H_

#include <memory>
#include <string>

#include "storage/io/file_system.h"
#include "storage/io/sim_disk.h"

namespace engram::io {

// `disk` outlives the object and whatever it opens.
class SimFileSystem final : public FileSystem {
 public:
  explicit SimFileSystem(SimDisk* disk) : disk_(disk) {}

  bool Exists(const std::string& path) const override;
  absl::StatusOr<bool> IsFolder(const std::string& path) const override;
  absl::StatusOr<std::unique_ptr<Directory>> OpenDirectory(
      const std::string& path, bool create) override;
  absl::Status RemoveFolder(const std::string& path) override;
  // Locks nothing: a disk has one machine, and a test knows who runs on it.
  absl::StatusOr<DirectoryLock> Lock(const std::string& path) override;
  absl::StatusOr<std::string> ReadSmallFile(
      const std::string& path) const override;
  absl::Status WriteSmallFile(const std::string& path,
                              absl::string_view text) override;
  absl::Status AppendToFile(const std::string& path,
                            absl::string_view text) override;

 private:
  SimDisk* const disk_;
};

}  // namespace engram::io

#endif  // ENGRAM_STORAGE_IO_SIM_FILE_SYSTEM_H_
