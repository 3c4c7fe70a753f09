// A disk in memory that can fail, stop, and lose what was not synced. The
// folder of the log and the files of RocksDB stand on the same one, so that a
// whole database runs on it.
//
//   SimDisk disk;
//   disk.SetPlan({.stop_after = 117});   // the power fails before the 118th
//   ... run a database on it ...
//   SimDisk later(disk.AfterCrash(seed));  // what the next machine finds

#ifndef ENGRAM_STORAGE_IO_SIM_DISK_H_
#define ENGRAM_STORAGE_IO_SIM_DISK_H_

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/base/mutex.h"
#include "storage/io/sim_state.h"

namespace engram::io {

// An operation that fails. Only one kind is counted, so that "the third sync"
// means something.
struct SimFault {
  enum class Target : uint8_t {
    kNone,
    kWrites,  // of bytes: writes and truncations
    kSyncs,   // of files and of folders
    kNames,   // creations, renames, links and removals
  };
  enum class Effect : uint8_t {
    kShortWrite,  // half of the bytes; another target fails with EIO
    kIoError,     // EIO; a write may have stored a part of its bytes
    kNoSpace,     // ENOSPC; the same
  };

  Target target = Target::kNone;
  Effect effect = Effect::kIoError;
  uint64_t nth = 1;  // 1: the first operation of the target that comes
  bool for_ever = false;
  // Counted are only operations on paths that begin so. A rename or a link is
  // one on both of its paths.
  std::string path_prefix = {};
};

struct SimPlan {
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  // The power fails when so many operations have been made since the disk was
  // made: each later one, and each read, fails and changes nothing.
  uint64_t stop_after = kNever;
  SimFault fault;
};

// Every change of the disk is an operation and has a number, from 1: creations,
// renames, links and removals of names, writes, truncations and syncs. An
// operation that fails counts, too.
//
// Thread safety: all methods may be called concurrently.
class SimDisk {
 public:
  explicit SimDisk(SimState state = SimState()) : state_(std::move(state)) {}

  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  // Counts the operations of the fault's target from now on.
  void SetPlan(const SimPlan& plan);

  // As if the power failed now.
  void Stop();

  uint64_t operations() const;

  // Whether the fault of the plan has struck, and whether it made the sync of
  // a file fail in whose name at that time `part` stands.
  bool fault_struck() const;
  bool sync_failed(absl::string_view part) const;

  SimState state() const;
  SimState AfterCrash(uint64_t seed) const;

  // Keeps every operation from now on: with state() of this moment, and
  // SimState::Apply(), each state that the disk was in can be had again.
  void KeepJournal();
  std::vector<SimOperation> TakeJournal();

  // Copies all that a running machine sees under `path` to a real folder.
  absl::Status Export(absl::string_view path, const std::string& folder) const;

  // --- What Directory, File and RocksDB's file system are made of. A path is
  // absolute. Errors are those of the system calls of these names.
  enum class Creation { kTruncate, kMustBeNew };  // O_TRUNC, O_EXCL
  absl::StatusOr<SimNode> CreateFile(absl::string_view path, Creation creation);
  absl::StatusOr<SimNode> OpenFile(absl::string_view path) const;
  absl::StatusOr<SimNode> OpenFolder(absl::string_view path) const;
  absl::Status CreateFolder(absl::string_view path);
  bool Exists(absl::string_view path) const;
  bool IsFolder(absl::string_view path) const;
  absl::StatusOr<std::vector<std::string>> List(absl::string_view path) const;
  absl::Status Rename(absl::string_view from, absl::string_view to);
  absl::Status Link(absl::string_view from, absl::string_view to);
  absl::Status Remove(absl::string_view path);
  absl::Status RemoveFolder(absl::string_view path);
  absl::Status SyncFolder(absl::string_view path);
  absl::StatusOr<uint64_t> CountNames(absl::string_view path) const;

  absl::StatusOr<uint64_t> Size(SimNode file) const;
  absl::StatusOr<size_t> Read(SimNode file, uint64_t offset,
                              absl::Span<char> out) const;
  // Returns how many bytes were written, at least one; the rest is the
  // caller's business, as with pwrite().
  absl::StatusOr<size_t> Write(SimNode file, absl::string_view path,
                               uint64_t offset, absl::string_view data);
  // Goes on until all is written.
  absl::Status WriteAll(SimNode file, absl::string_view path, uint64_t offset,
                        absl::string_view data);
  absl::Status Truncate(SimNode file, absl::string_view path, uint64_t bytes);
  absl::Status Sync(SimNode file, absl::string_view path);

  // A lock of one process; false if it is taken.
  bool Lock(absl::string_view path);
  void Unlock(absl::string_view path);

 private:
  struct Verdict {
    absl::Status status;
    bool short_write = false;
  };

  absl::Status CheckPower() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Verdict Count(SimFault::Target target, absl::string_view operation,
                absl::string_view path, absl::string_view other_path = "")
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Apply(SimOperation operation) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<SimEntry> EntryOf(absl::string_view operation,
                                   absl::string_view path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<SimNode> FindNode(absl::string_view operation,
                                   absl::string_view path, bool folder) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  SimState state_ ABSL_GUARDED_BY(mutex_);
  SimPlan plan_ ABSL_GUARDED_BY(mutex_);
  uint64_t operations_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t of_target_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool fault_struck_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::string> failed_syncs_ ABSL_GUARDED_BY(mutex_);
  bool keeps_journal_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<SimOperation> journal_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> locks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::io

#endif  // ENGRAM_STORAGE_IO_SIM_DISK_H_
