// How much a space may hold that is accepted but not yet indexed.

#ifndef ENGRAM_ENGINE_INGEST_ADMISSION_GATE_H_
#define ENGRAM_ENGINE_INGEST_ADMISSION_GATE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "storage/base/mutex.h"

namespace engram::ingest {

struct AdmissionLimits {
  uint64_t records_max = 0;
  uint64_t bytes_max = 0;
};

// Counts records from before they are logged until they are indexed.
//
// Thread safety: all methods may be called concurrently.
class AdmissionGate {
 public:
  // `scope` names the space in error messages.
  AdmissionGate(absl::string_view scope, const AdmissionLimits& limits)
      : scope_(scope), limits_(limits) {}

  // Admits `records` of `bytes` in all, at once or as soon as there is room.
  // RESOURCE_EXHAUSTED after `timeout_micros`: nothing was admitted, and the
  // message names what is pending and the limit. More than the limit is
  // admitted when nothing else is pending.
  absl::Status Admit(uint64_t records, uint64_t bytes, int64_t timeout_micros);

  // Whoever waits, or comes later, is refused with FAILED_PRECONDITION.
  void Close();

  // Admits without a limit: what recovery reads from the log was accepted
  // before.
  void Force(uint64_t records, uint64_t bytes);

  // Takes back what was admitted: it is indexed, or was not logged after all.
  void Release(uint64_t records, uint64_t bytes);

  uint64_t records() const;
  uint64_t bytes() const;

 private:
  bool HasRoom(uint64_t records, uint64_t bytes) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string scope_;
  const AdmissionLimits limits_;

  mutable Mutex mutex_;
  CondVar released_;
  uint64_t records_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace engram::ingest

#endif  // ENGRAM_ENGINE_INGEST_ADMISSION_GATE_H_
