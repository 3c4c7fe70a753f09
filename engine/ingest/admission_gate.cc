#include "engine/ingest/admission_gate.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"

namespace engram::ingest {
namespace {

// Rounded up: a small limit leaves each priority something. Limits may be near
// 2^64.
uint64_t Share(uint64_t limit, uint32_t percent) {
  return limit / 100 * percent + (limit % 100 * percent + 99) / 100;
}

uint64_t Excess(uint64_t wanted, uint64_t limit) {
  return wanted > limit ? wanted - limit : 0;
}

double Fill(uint64_t used, uint64_t limit) {
  return static_cast<double>(used) / static_cast<double>(limit);
}

}  // namespace

AdmissionLimits AdmissionGate::LimitsOf(Priority priority) const {
  const uint32_t percent = limits_.percent[static_cast<size_t>(priority)];
  AdmissionLimits limits;
  limits.records_max = Share(limits_.records_max, percent);
  limits.bytes_max = Share(limits_.bytes_max, percent);
  return limits;
}

bool AdmissionGate::HasRoom(const Demand& demand) const {
  if (records_ == 0) return true;
  const AdmissionLimits limits = LimitsOf(demand.priority);
  return records_ + demand.records <= limits.records_max &&
         bytes_ + demand.bytes <= limits.bytes_max;
}

Refusal AdmissionGate::Refuse(const Demand& demand) {
  const AdmissionLimits limits = LimitsOf(demand.priority);
  // What is more than the limit by itself is admitted once all else has gone.
  const uint64_t records =
      std::min(records_, Excess(records_ + demand.records, limits.records_max));
  const uint64_t bytes =
      std::min(bytes_, Excess(bytes_ + demand.bytes, limits.bytes_max));
  Refusal refusal;
  refusal.of_bytes = records == 0;
  refusal.retry_after_micros = drain_.Micros(records, bytes, MonotonicMicros());
  ++(refusal.of_bytes ? refused_of_bytes_ : refused_of_records_);
  return refusal;
}

absl::Status AdmissionGate::RefusedStatus(Priority priority) const {
  const AdmissionLimits limits = LimitsOf(priority);
  return absl::ResourceExhaustedError(absl::StrCat(
      scope_, ": ", records_, " records (", bytes_,
      " bytes) are waiting to be indexed, allowed are ", limits.records_max,
      " (", limits.bytes_max, " bytes)",
      limits.records_max < limits_.records_max ? " at this priority" : ""));
}

absl::Status AdmissionGate::Admit(const Demand& demand, int64_t timeout_micros,
                                  Refusal* refusal) {
  MutexLock lock(mutex_);
  if (!HasRoom(demand)) {
    const int64_t deadline = MonotonicMicros() + timeout_micros;
    do {
      if (closed_) break;
      const int64_t left = deadline - MonotonicMicros();
      if (left <= 0) {
        const Refusal refused = Refuse(demand);
        if (refusal != nullptr) *refusal = refused;
        return RefusedStatus(demand.priority);
      }
      released_.WaitFor(mutex_, left);
    } while (!HasRoom(demand));
  }
  if (closed_) {
    return absl::FailedPreconditionError(
        absl::StrCat(scope_, ": is being closed or dropped"));
  }
  records_ += demand.records;
  bytes_ += demand.bytes;
  return absl::OkStatus();
}

void AdmissionGate::Close() {
  {
    MutexLock lock(mutex_);
    closed_ = true;
  }
  released_.NotifyAll();
}

void AdmissionGate::GiveBack(uint64_t records, uint64_t bytes) {
  ENGRAM_CHECK(records + published_ <= records_ && bytes <= bytes_);
  records_ -= records;
  bytes_ -= bytes;
}

void AdmissionGate::Force(uint64_t records, uint64_t bytes) {
  MutexLock lock(mutex_);
  records_ += records;
  bytes_ += bytes;
}

void AdmissionGate::Publish(uint64_t records) {
  MutexLock lock(mutex_);
  ENGRAM_CHECK(records + published_ <= records_);
  if (published_ == 0) drain_.Resume(MonotonicMicros());
  published_ += records;
}

void AdmissionGate::Release(uint64_t records, uint64_t bytes) {
  {
    MutexLock lock(mutex_);
    ENGRAM_CHECK(records <= published_);
    published_ -= records;
    GiveBack(records, bytes);
    const int64_t now = MonotonicMicros();
    drain_.Add(records, bytes, now);
    if (published_ == 0) drain_.Pause(now);
  }
  released_.NotifyAll();
}

void AdmissionGate::Cancel(uint64_t records, uint64_t bytes) {
  {
    MutexLock lock(mutex_);
    GiveBack(records, bytes);
  }
  released_.NotifyAll();
}

AdmissionStats AdmissionGate::GetStats() const {
  MutexLock lock(mutex_);
  AdmissionStats stats;
  stats.records = records_;
  stats.bytes = bytes_;
  stats.pressure = std::max(Fill(records_, limits_.records_max),
                            Fill(bytes_, limits_.bytes_max));
  stats.refused_of_records = refused_of_records_;
  stats.refused_of_bytes = refused_of_bytes_;
  return stats;
}

std::optional<int64_t> AdmissionGate::MicrosToIndex(uint64_t records) const {
  MutexLock lock(mutex_);
  return drain_.Micros(records, 0, MonotonicMicros());
}

uint64_t AdmissionGate::records() const { return GetStats().records; }

uint64_t AdmissionGate::bytes() const { return GetStats().bytes; }

}  // namespace engram::ingest
