#include "engine/ingest/quota.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/base/clock.h"

namespace engram::ingest {

void Quota::Set(const QuotaLimits& limits) {
  {
    MutexLock lock(mutex_);
    records_.SetRate(limits.records_per_second);
    bytes_.SetRate(limits.bytes_per_second);
    ++generation_;
    limited_.store(
        limits.records_per_second != 0 || limits.bytes_per_second != 0,
        std::memory_order_relaxed);
  }
  changed_.NotifyAll();
}

QuotaLimits Quota::limits() const {
  MutexLock lock(mutex_);
  return {records_.rate(), bytes_.rate()};
}

absl::Status Quota::Refuse(int64_t wait, bool of_bytes, Refusal* refusal) {
  ++(of_bytes ? stats_.refused_of_bytes : stats_.refused_of_records);
  refusal->of_bytes = of_bytes;
  refusal->retry_after_micros = wait;
  return absl::ResourceExhaustedError(
      absl::StrCat(scope_, ": its quota of ",
                   of_bytes ? absl::StrCat(bytes_.rate(), " bytes")
                            : absl::StrCat(records_.rate(), " records"),
                   " a second is used up for ", wait / 1000, " ms"));
}

absl::Status Quota::Admit(const Demand& demand, int64_t timeout_micros,
                          Refusal* refusal) {
  MutexLock lock(mutex_);
  const int64_t deadline = MonotonicMicros() + timeout_micros;
  while (!closed_) {
    const int64_t now = MonotonicMicros();
    const int64_t of_records = records_.Wait(now);
    const int64_t of_bytes = bytes_.Wait(now);
    const int64_t wait = std::max(of_records, of_bytes);
    if (wait > 0 && now + wait > deadline) {
      return Refuse(wait, of_bytes > of_records, refusal);
    }
    const int64_t turn = now + wait;
    // From the turn on: what is saved up until then is this write's.
    records_.Take(demand.records, turn);
    bytes_.Take(demand.bytes, turn);
    const uint64_t generation = generation_;
    for (int64_t left = wait; left > 0; left = turn - MonotonicMicros()) {
      changed_.WaitFor(mutex_, left);
      if (closed_ || generation_ != generation) break;
    }
    if (!closed_ && generation_ == generation) return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat(scope_, ": is being closed or dropped"));
}

void Quota::GiveBack(const Demand& demand) {
  MutexLock lock(mutex_);
  records_.GiveBack(demand.records);
  bytes_.GiveBack(demand.bytes);
}

void Quota::Close() {
  {
    MutexLock lock(mutex_);
    closed_ = true;
  }
  changed_.NotifyAll();
}

QuotaStats Quota::GetStats() const {
  MutexLock lock(mutex_);
  return stats_;
}

}  // namespace engram::ingest
