// Notices that RocksDB has stopped.

#ifndef ENGRAM_STORAGE_KV_STOP_LISTENER_H_
#define ENGRAM_STORAGE_KV_STOP_LISTENER_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "rocksdb/listener.h"
#include "storage/base/mutex.h"

namespace engram::kv {

// A failed write or sync of the manifest stops RocksDB. Release 7.8 says that
// it can be resumed, by Resume() or by its own thread once the disk has room,
// and forgets to clear one of its two flags: the next ingestion gets file
// number 0, which ends the process where assertions are on, as in Debian's
// build, and is written as 000000.sst elsewhere. So it stays stopped until it
// is opened again.
//
// Thread safety: all methods may be called concurrently.
class StopListener final : public rocksdb::EventListener {
 public:
  // OK, or why RocksDB has stopped.
  absl::Status status() const {
    MutexLock lock(mutex_);
    return status_;
  }

  void OnBackgroundError(rocksdb::BackgroundErrorReason,
                         rocksdb::Status* error) override {
    if (error->severity() < rocksdb::Status::Severity::kHardError) return;
    MutexLock lock(mutex_);
    if (!status_.ok()) return;
    status_ = absl::InternalError(absl::StrCat(
        "RocksDB has stopped, reopen the database: ", error->ToString()));
  }

  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  mutable Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::kv

#endif  // ENGRAM_STORAGE_KV_STOP_LISTENER_H_
