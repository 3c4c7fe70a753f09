// One process at a time owns a folder.

#ifndef ENGRAM_STORAGE_IO_DIRECTORY_LOCK_H_
#define ENGRAM_STORAGE_IO_DIRECTORY_LOCK_H_

#include <string>

#include "absl/status/statusor.h"
#include "storage/base/unique_fd.h"

namespace engram::io {

// Holds flock() on a folder until it is destroyed. The descriptor is also
// registered with the log's ring: a killed process then keeps the lock until
// the kernel has finished that ring's last write, which could otherwise land
// after a successor has opened the log.
class DirectoryLock {
 public:
  // UNAVAILABLE if another descriptor holds the lock. Tries for 250 ms: the
  // ring of a process that was killed lets go a little later than the process.
  static absl::StatusOr<DirectoryLock> Acquire(const std::string& path);

  // Holds nothing; fd() is -1. For whoever only reads, and for a disk that no
  // other process can see.
  static DirectoryLock None() { return DirectoryLock(UniqueFd()); }

  // Whether somebody holds the lock. Asking takes it, shared with all others
  // who ask, for a moment in which Acquire() has to try again.
  static absl::StatusOr<bool> IsHeld(const std::string& path);

  int fd() const { return fd_.get(); }

  // Lets go before the object is destroyed, and for all who share the
  // descriptor: a ring that the kernel has not taken apart yet, or the child of
  // a fork. The caller's writes have all completed.
  void Release();

 private:
  explicit DirectoryLock(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace engram::io

#endif  // ENGRAM_STORAGE_IO_DIRECTORY_LOCK_H_
