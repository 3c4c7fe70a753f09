// A disk in memory: faults on demand, and what a loss of power leaves behind.

#ifndef ENGRAM_TESTS_SUPPORT_MEMORY_DIRECTORY_H_
#define ENGRAM_TESTS_SUPPORT_MEMORY_DIRECTORY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/base/mutex.h"
#include "storage/io/directory.h"

namespace engram::testing {

// One call that changes the disk.
struct DiskOperation {
  enum class Kind { kCreate, kWrite, kSync, kRename, kRemove, kDirectorySync };
  Kind kind = Kind::kWrite;
  std::string name;
  uint64_t offset = 0;  // kWrite
  uint64_t bytes = 0;   // kWrite
};

// Names are durable at once, bytes when their file is synced. There are no
// descriptors: only the pwrite queue can write to these files.
//
// Thread safety: all methods may be called concurrently.
class MemoryDirectory final : public io::Directory {
 public:
  // Asked before each operation. A failed status makes that operation fail
  // without effect, except that a write first stores `*bytes_kept` of its
  // bytes.
  using Fault = std::function<absl::Status(const DiskOperation& operation,
                                           uint64_t* bytes_kept)>;

  MemoryDirectory();
  ~MemoryDirectory() override;

  void SetFault(Fault fault);

  // What files that are opened from now on say of O_DIRECT: no by default.
  void set_direct(bool direct) {
    MutexLock lock(mutex_);
    direct_ = direct;
  }

  // What was not synced is gone. Files that are open see it, too.
  void LosePower();

  // The bytes of a file as a reader sees them; they count as synced when they
  // are set.
  std::string Contents(absl::string_view name) const;
  void SetContents(absl::string_view name, std::string bytes);

  const std::string& path() const override { return path_; }
  absl::StatusOr<std::vector<std::string>> List() const override;
  absl::StatusOr<std::unique_ptr<io::File>> Open(absl::string_view name,
                                                 io::OpenMode mode) override;
  absl::StatusOr<std::unique_ptr<io::File>> CreateZeroed(
      absl::string_view name, uint64_t bytes) override;
  absl::Status Rename(absl::string_view from, absl::string_view to) override;
  absl::Status Remove(absl::string_view name) override;
  absl::Status Sync() override;

 private:
  class MemoryFile;

  struct Bytes {
    std::string name;  // as it is now
    std::string current;
    std::string durable;
  };

  absl::Status Ask(const DiskOperation& operation, uint64_t* bytes_kept) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_ = "memory";

  mutable Mutex mutex_;
  Fault fault_ ABSL_GUARDED_BY(mutex_);
  bool direct_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, std::shared_ptr<Bytes>, std::less<>> files_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_SUPPORT_MEMORY_DIRECTORY_H_
