#include "engine/ingest/admission_gate.h"

#include "absl/strings/str_cat.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"

namespace engram::ingest {

bool AdmissionGate::HasRoom(uint64_t records, uint64_t bytes) const {
  if (records_ == 0) return true;
  return records_ + records <= limits_.records_max &&
         bytes_ + bytes <= limits_.bytes_max;
}

absl::Status AdmissionGate::Admit(uint64_t records, uint64_t bytes,
                                  int64_t timeout_micros) {
  MutexLock lock(mutex_);
  if (!HasRoom(records, bytes)) {
    const int64_t deadline = Clock::System().MonotonicMicros() + timeout_micros;
    do {
      if (closed_) break;
      const int64_t left = deadline - Clock::System().MonotonicMicros();
      if (left <= 0) {
        return absl::ResourceExhaustedError(absl::StrCat(
            scope_, ": ", records_, " records (", bytes_,
            " bytes) are waiting to be indexed, allowed are ",
            limits_.records_max, " (", limits_.bytes_max, " bytes)"));
      }
      released_.WaitFor(mutex_, left);
    } while (!HasRoom(records, bytes));
  }
  if (closed_) {
    return absl::FailedPreconditionError(
        absl::StrCat(scope_, ": is being closed or dropped"));
  }
  records_ += records;
  bytes_ += bytes;
  return absl::OkStatus();
}

void AdmissionGate::Close() {
  {
    MutexLock lock(mutex_);
    closed_ = true;
  }
  released_.NotifyAll();
}

void AdmissionGate::Force(uint64_t records, uint64_t bytes) {
  MutexLock lock(mutex_);
  records_ += records;
  bytes_ += bytes;
}

void AdmissionGate::Release(uint64_t records, uint64_t bytes) {
  {
    MutexLock lock(mutex_);
    ENGRAM_CHECK(records <= records_ && bytes <= bytes_);
    records_ -= records;
    bytes_ -= bytes;
  }
  released_.NotifyAll();
}

uint64_t AdmissionGate::records() const {
  MutexLock lock(mutex_);
  return records_;
}

uint64_t AdmissionGate::bytes() const {
  MutexLock lock(mutex_);
  return bytes_;
}

}  // namespace engram::ingest
