// How much may be written to one space in a second.

#ifndef ENGRAM_ENGINE_INGEST_QUOTA_H_
#define ENGRAM_ENGINE_INGEST_QUOTA_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "engine/ingest/admission_gate.h"
#include "engine/ingest/rate_meter.h"
#include "storage/base/mutex.h"

namespace engram::ingest {

// 0: no limit.
struct QuotaLimits {
  uint64_t records_per_second = 0;
  uint64_t bytes_per_second = 0;
};

struct QuotaStats {
  uint64_t refused_of_records = 0;  // writes, since it was made
  uint64_t refused_of_bytes = 0;
};

// A write that comes too early takes its turn at once and waits for it, so
// those who wait pass in the order in which they came, large or small; one
// whose turn would come after its deadline takes none and is refused.
//
// Thread safety: all methods may be called concurrently.
class Quota {
 public:
  // `scope` names in error messages whose quota it is.
  explicit Quota(absl::string_view scope) : scope_(scope) {}

  // Who waits does so by the new limits from now on.
  void Set(const QuotaLimits& limits);
  QuotaLimits limits() const;

  // Without a limit Admit() need not be called: it would take a lock.
  // Relaxed: who races with Set() may pass under the old limits.
  bool is_limited() const { return limited_.load(std::memory_order_relaxed); }

  // Lets a write pass, at once or when it may. RESOURCE_EXHAUSTED, without
  // waiting, if that is not within `timeout_micros`: the message names the
  // limit, and `refusal` says which one and when. FAILED_PRECONDITION after
  // Close().
  absl::Status Admit(const Demand& demand, int64_t timeout_micros,
                     Refusal* refusal);

  // What was let pass was not written after all.
  void GiveBack(const Demand& demand);

  // Whoever waits, or comes later, is refused.
  void Close();

  QuotaStats GetStats() const;

 private:
  absl::Status Refuse(int64_t wait, bool of_bytes, Refusal* refusal)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string scope_;
  std::atomic<bool> limited_{false};

  mutable Mutex mutex_;
  CondVar changed_;  // other limits, or closed
  RateMeter records_ ABSL_GUARDED_BY(mutex_);
  RateMeter bytes_ ABSL_GUARDED_BY(mutex_);
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;  // of the limits
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  QuotaStats stats_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::ingest

#endif  // ENGRAM_ENGINE_INGEST_QUOTA_H_
