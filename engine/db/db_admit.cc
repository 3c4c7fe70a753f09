// Who is let in: quotas, and the room of spaces and of all, before a write is
// logged; and what becomes of that room afterwards.

#include <map>
#include <optional>
#include <utility>

#include "engine/db/admission_limits.h"
#include "engine/db/db_impl.h"
#include "engine/db/write_steps.h"
#include "storage/base/status_macros.h"

namespace engram::internal {

void DbImpl::CountRefusal(const absl::Status& status) {
  const std::optional<Refusal> refusal = RefusalOf(status);
  if (!refusal.has_value()) return;
  refused_writes_[static_cast<size_t>(refusal->cause)].fetch_add(
      1, std::memory_order_relaxed);
  events_.PushRefusal(*refusal, status);
}

absl::StatusOr<DbImpl::Admission> DbImpl::Admit(
    absl::Span<const schema::RecordDraft> drafts,
    absl::Span<const SpacePtr> spaces, int64_t deadline) {
  // By id, and all spaces before the total: two batches that wait for the same
  // room do so in the same order.
  std::map<uint64_t, Share> shares;
  for (size_t i = 0; i < drafts.size(); ++i) {
    ENGRAM_RETURN_IF_ERROR(CheckDeadLetters(*spaces[i], drafts[i]));
    Share& share = shares[spaces[i]->id()];
    share.space = spaces[i];
    share.demand.priority = static_cast<ingest::Priority>(drafts[i].priority);
    ++share.demand.records;
    share.demand.bytes += AdmittedBytes(drafts[i]);
  }
  Admission admission;
  for (auto& [id, share] : shares) admission.push_back(std::move(share));
  // Memory and the quotas first: who waits for one takes no room meanwhile.
  absl::Status status = AwaitMemory(deadline);
  for (Share& share : admission) {
    if (status.ok()) status = AdmitByQuota(&share, deadline);
  }
  for (Share& share : admission) {
    if (status.ok()) status = AdmitToSpace(&share, deadline);
  }
  if (status.ok()) status = AdmitToTotal(admission, deadline);
  if (status.ok()) {
    // Only now: whoever is refused takes no memory.
    CountMemory(admission);
    return admission;
  }
  for (const Share& share : admission) CancelShare(share);
  return status;
}

absl::Status DbImpl::AwaitMemory(int64_t deadline) {
  if (!memory_gate_.is_limited()) return absl::OkStatus();
  return Refused(memory_gate_.Wait(MicrosLeft(deadline)),
                 RefusalCause::kMemory);
}

void DbImpl::CountMemory(const Admission& admission) {
  if (!memory_gate_.is_limited()) return;
  uint64_t bytes = 0;
  for (const Share& share : admission) bytes += share.demand.bytes;
  if (memory_gate_.Count(bytes)) RequestMemoryCheck();
}

absl::Status DbImpl::AdmitByQuota(Share* share, int64_t deadline) {
  ingest::Quota& quota = share->space->quota();
  if (!quota.is_limited()) return absl::OkStatus();
  ingest::Refusal refusal;
  const absl::Status status =
      quota.Admit(share->demand, MicrosLeft(deadline), &refusal);
  share->metered = status.ok();
  return Refused(status,
                 refusal.of_bytes ? RefusalCause::kSpaceByteRate
                                  : RefusalCause::kSpaceRecordRate,
                 refusal.retry_after_micros);
}

absl::Status DbImpl::AdmitToSpace(Share* share, int64_t deadline) {
  ingest::Refusal refusal;
  const absl::Status status =
      share->space->gate().Admit(share->demand, MicrosLeft(deadline), &refusal);
  share->admitted = status.ok();
  return Refused(status,
                 refusal.of_bytes ? RefusalCause::kSpaceBytes
                                  : RefusalCause::kSpaceRecords,
                 refusal.retry_after_micros);
}

// Gives back what a write had that is not logged after all.
void DbImpl::CancelShare(const Share& share) {
  const ingest::Demand& demand = share.demand;
  if (share.admitted) share.space->gate().Cancel(demand.records, demand.bytes);
  if (share.metered) share.space->quota().GiveBack(demand);
}

absl::Status DbImpl::AdmitToTotal(const Admission& admission,
                                  int64_t deadline) {
  ingest::Demand total;
  for (const Share& share : admission) {
    total.records += share.demand.records;
    total.bytes += share.demand.bytes;
    total.priority = share.demand.priority;
  }
  ingest::Refusal refusal;
  const absl::Status status =
      total_gate_.Admit(total, MicrosLeft(deadline), &refusal);
  if (status.ok()) events_.NotePressure();
  return Refused(status,
                 refusal.of_bytes ? RefusalCause::kTotalBytes
                                  : RefusalCause::kTotalRecords,
                 refusal.retry_after_micros);
}

// What the caller is told of a write. `logged` is what the log says of it, and
// `lsn` its LSN, 0 if it got none. Gives the room back unless that is for
// whoever indexes it.
absl::StatusOr<Lsn> DbImpl::Settle(const Admission& admission, Lsn lsn,
                                   const absl::Status& logged) {
  // If the log has failed, it may have been published all the same: because of
  // a write behind it that did not wait for its sync.
  const bool published =
      lsn != 0 && lsn <= publishing_lsn_.load(std::memory_order_acquire);
  absl::Status status = logged;
  for (const Share& share : admission) {
    const Lsn dropped = share.space->dropped_lsn();
    // Dropped between its admission and its publication, which did not take
    // place then.
    const bool unseen = dropped != 0 && (lsn == 0 || dropped <= lsn);
    if (!published || unseen) {
      CancelShare(share);
      total_gate_.Cancel(share.demand.records, share.demand.bytes);
      events_.NotePressure();
    }
    if (logged.ok() && unseen) status.Update(Dropped(*share.space));
  }
  if (!status.ok()) return status;
  return lsn;
}

}  // namespace engram::internal
