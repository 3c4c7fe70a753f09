// How much a space, or all of them, may hold that is accepted but not yet
// indexed.

#ifndef ENGRAM_ENGINE_INGEST_ADMISSION_GATE_H_
#define ENGRAM_ENGINE_INGEST_ADMISSION_GATE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "engine/ingest/drain_meter.h"
#include "engine/ingest/priority.h"
#include "storage/base/mutex.h"

namespace engram::ingest {

struct AdmissionLimits {
  uint64_t records_max = 0;
  uint64_t bytes_max = 0;
  // How much of both each priority may fill.
  std::array<uint32_t, kPriorities> percent = {100, 100, 100};
};

// What somebody asks to be admitted.
struct Demand {
  uint64_t records = 0;
  uint64_t bytes = 0;
  Priority priority = Priority::kNormal;
};

// Why something was not admitted for want of room.
struct Refusal {
  bool of_bytes = false;  // it was bytes, not records, that were too many
  // When there would be room, if things go on as they went; nothing if nothing
  // was indexed yet.
  std::optional<int64_t> retry_after_micros;
};

struct AdmissionStats {
  uint64_t records = 0;
  uint64_t bytes = 0;
  // How full it is: the larger share of the two limits.
  double pressure = 0;
  // Demands that were refused since it was made.
  uint64_t refused_of_records = 0;
  uint64_t refused_of_bytes = 0;
};

// Counts records from before they are logged until they are indexed.
//
// Thread safety: all methods may be called concurrently.
class AdmissionGate {
 public:
  // `scope` names in error messages whose gate it is.
  AdmissionGate(absl::string_view scope, const AdmissionLimits& limits)
      : scope_(scope), limits_(limits) {}

  // Admits what is demanded, at once or as soon as there is room for its
  // priority. RESOURCE_EXHAUSTED after `timeout_micros`: nothing was admitted,
  // the message names what is pending and the limit, and `refusal`, if given,
  // says more.
  // More than the limit is admitted when nothing else is pending.
  absl::Status Admit(const Demand& demand, int64_t timeout_micros,
                     Refusal* refusal = nullptr);

  // Whoever waits, or comes later, is refused with FAILED_PRECONDITION.
  void Close();

  // Admits without a limit: what recovery reads from the log was accepted
  // before.
  void Force(uint64_t records, uint64_t bytes);

  // So many records of what was admitted are logged, and wait to be indexed.
  void Publish(uint64_t records);

  // Takes back what was admitted, published and is indexed.
  void Release(uint64_t records, uint64_t bytes);

  // Takes back what was admitted and was not logged after all.
  void Cancel(uint64_t records, uint64_t bytes);

  AdmissionStats GetStats() const;

  // How long it takes to index so many records, as fast as it went lately;
  // nothing while that is not known.
  std::optional<int64_t> MicrosToIndex(uint64_t records) const;

  uint64_t records() const;
  uint64_t bytes() const;

 private:
  // What a priority may fill.
  AdmissionLimits LimitsOf(Priority priority) const;
  bool HasRoom(const Demand& demand) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Refusal Refuse(const Demand& demand) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status RefusedStatus(Priority priority) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveBack(uint64_t records, uint64_t bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string scope_;
  const AdmissionLimits limits_;

  mutable Mutex mutex_;
  CondVar released_;
  uint64_t records_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t published_ ABSL_GUARDED_BY(mutex_) = 0;  // of records_
  uint64_t refused_of_records_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t refused_of_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  DrainMeter drain_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace engram::ingest

#endif  // ENGRAM_ENGINE_INGEST_ADMISSION_GATE_H_
