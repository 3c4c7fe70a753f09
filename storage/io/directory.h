// The folder of the log and the files in it, as an interface, so that a
// simulated disk can stand in for it.

#ifndef ENGRAM_STORAGE_IO_DIRECTORY_H_
#define ENGRAM_STORAGE_IO_DIRECTORY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/base/mutant.h"

namespace engram::io {

// An open file. Thread safety: reads may be concurrent; writes are the
// owner's business.
class File {
 public:
  explicit File(std::string path) : path_(std::move(path)) {}
  virtual ~File() = default;

  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // Where error messages say it is.
  const std::string& path() const { return path_; }

  // After the file was renamed, and before anybody else uses it.
  void set_path(std::string path) { path_ = std::move(path); }

  // The descriptor for an IoQueue; -1 if this file has none.
  virtual int fd() const = 0;

  // Whether writes pass the page cache by (O_DIRECT). Offsets, sizes and
  // addresses are then multiples of 4,096.
  virtual bool direct() const = 0;

  virtual absl::StatusOr<uint64_t> Size() const = 0;

  // Whether parts of it take no room on the disk yet, so that writing to them
  // may find that full.
  virtual absl::StatusOr<bool> HasHoles() const { return false; }

  // Tells the owner of the folder that the file is being read, until it is
  // closed here: what it holds is needed, and the file must not be used for
  // anything else. It may be removed. A hint: where there is no such message,
  // or the owner is just asking, nothing happens.
  virtual void HoldForReading() {}

  // Whether somebody has told so. If not, nobody can until this is closed,
  // unless the file system knows nothing of it.
  virtual bool IsHeldForReading() { return false; }

  // Fills out[0, n) from `offset` and returns n, which is less than
  // out.size() only at the end of the file.
  virtual absl::StatusOr<size_t> Read(uint64_t offset,
                                      absl::Span<char> out) const = 0;

  // Writes all of `data` at `offset`. Not durable before Sync().
  virtual absl::Status Write(uint64_t offset, absl::Span<const char> data) = 0;

  // fsync. An error is final: the kernel may have dropped the dirty pages, and
  // a second try could succeed without the data.
  virtual absl::Status Sync() = 0;

  // fdatasync: what was written is durable, times and the like may not be.
  // Enough for a file whose size does not change. An error is final as well.
  virtual absl::Status SyncData() = 0;

  // Writes all of `data` at `offset` and makes it durable, in one blocking call
  // where there is one for both. Enough for a file whose size does not change.
  // An error is final, as for SyncData(), whichever half it struck.
  virtual absl::Status WriteDurable(uint64_t offset,
                                    absl::Span<const char> data) {
    if constexpr (Mutant("ack_before_sync")) {
      (void)SyncData();  // of the writes before this one
      return Write(offset, data);
    }
    absl::Status status = Write(offset, data);
    if (status.ok() && !Mutant("skip_wal_sync")) status = SyncData();
    if (Mutant("retry_failed_sync") && !status.ok()) status = SyncData();
    return status;
  }

 private:
  std::string path_;
};

enum class OpenMode {
  kRead,        // through the page cache
  kReadDirect,  // past it where the file system allows: beside a writer that
                // does so, too, the cache may hold what was there before
  kWrite,       // past it where the file system allows
};

// A folder. Names are plain: no slashes. Symbolic links, and files with
// further hard links, are refused.
class Directory {
 public:
  virtual ~Directory() = default;

  virtual const std::string& path() const = 0;
  virtual absl::StatusOr<std::vector<std::string>> List() const = 0;
  virtual absl::StatusOr<std::unique_ptr<File>> Open(absl::string_view name,
                                                     OpenMode mode) = 0;

  // Creates a file (replacing one that is there) of `bytes` zero bytes, every
  // one of them written and synced: an extent that was only allocated costs a
  // journal commit at its first sync, and there is no room to run out of
  // later.
  virtual absl::StatusOr<std::unique_ptr<File>> CreateZeroed(
      absl::string_view name, uint64_t bytes) = 0;

  virtual absl::Status Rename(absl::string_view from, absl::string_view to) = 0;
  virtual absl::Status Remove(absl::string_view name) = 0;

  // Makes creations, renames and removals durable.
  virtual absl::Status Sync() = 0;
};

}  // namespace engram::io

#endif  // ENGRAM_STORAGE_IO_DIRECTORY_H_
