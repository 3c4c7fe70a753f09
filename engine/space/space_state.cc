#include "engine/space/space_state.h"

#include "absl/strings/str_cat.h"
#include "engine/simd/kernels.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"

namespace engram::space {
namespace {

// Below, entries of a tail get no codes. With 16 dimensions codes save little
// of a scan and take twice the vector's memory; 256 vectors of 768 dimensions
// are compared in 15 us, and a tail that stays as short costs nothing to
// publish.
constexpr uint32_t kCodedDimensionMin = 32;
constexpr size_t kCodedTailMin = 256;

}  // namespace

SpaceState::SpaceState(const schema::SpaceDescription& description,
                       Lsn created_lsn, const SpaceLimits& limits,
                       index::EpochDomain* epochs)
    : description_(description),
      created_lsn_(created_lsn),
      limits_(limits),
      epochs_(epochs),
      distance_(description.metric, description.dimension, simd::BestKernels()),
      tail_codec_(distance_, simd::BestKernels()),
      gate_(absl::StrCat("space \"", description.name, "\""), limits.admission),
      quota_(absl::StrCat("space \"", description.name, "\"")),
      index_(nullptr),
      owned_index_(std::make_unique<SpaceIndex>(description, limits.slots_max)),
      versions_(&owned_index_->slots()) {
  index_.store(owned_index_.get(), std::memory_order_release);
}

void SpaceState::Publish(const schema::RecordView& record,
                         const std::shared_ptr<const wal::Group>& group,
                         uint32_t admitted_bytes) {
  const bool observe = record.type == schema::RecordType::kObserve;
  const int64_t now = Clock::System().MonotonicMicros();
  // Relaxed: any recent time will do.
  last_used_micros_.store(now, std::memory_order_relaxed);
  // Nobody sees the entry yet, so this needs no lock.
  const bool wants_codes = description_.dimension >= kCodedDimensionMin &&
                           last_tail_count_ >= kCodedTailMin;
  const TailPlace place =
      tail_places_.Next(wants_codes ? &tail_codec_.layout() : nullptr);
  TailEntry& entry = place.entry();
  entry.record = record;
  entry.group = group;
  entry.inverse_norm = observe ? distance_.InverseNorm(record.vector) : 0;
  entry.admitted_bytes = admitted_bytes;
  entry.published_micros = now;
  if (place.chunk->codes != nullptr) EncodeTail(place);
  MutexLock lock(mutex_);
  ENGRAM_CHECK(record.lsn > published_lsn_);
  published_lsn_ = record.lsn;
  if (first_unsaved_lsn_ == 0) first_unsaved_lsn_ = record.lsn;
  tail_.Append(place);
  last_tail_count_ = tail_.count();
  // What is replayed was written by another process.
  if (record.handed_in_micros != 0) {
    if (latencies_ == nullptr) latencies_ = std::make_unique<Latencies>();
    latencies_->to_durable.Add(now - record.handed_in_micros);
  }

  const std::optional<VersionRef> current = versions_.Find(record.id);
  if (current.has_value()) Supersede(*current, &entry);
  if (observe) {
    versions_.Put(record.id, VersionRef::InTail(&entry));
  } else if (current.has_value()) {
    versions_.Erase(record.id);
  }
}

void SpaceState::EncodeTail(const TailPlace& place) const {
  const TailEntry& entry = place.entry();
  index::ScanCodes* const codes = place.chunk->codes.get();
  if (entry.record.type == schema::RecordType::kObserve) {
    tail_codec_.Encode(entry.record.vector, entry.inverse_norm, place.row,
                       codes);
  } else {
    tail_codec_.EncodeNothing(place.row, codes);
  }
}

void SpaceState::Supersede(VersionRef version, TailEntry* by) {
  if (version.entry() != nullptr) {
    version.entry()->remove_lsn.store(by->record.lsn,
                                      std::memory_order_relaxed);
    version.entry()->successor = by;
    if (version.entry()->dead) {
      by->replaced_dead_lsn = version.entry()->record.lsn;
    }
  } else {
    index()[version.slot()].remove_lsn.store(by->record.lsn,
                                             std::memory_order_relaxed);
    by->replaced_slot = version.slot();
  }
}

uint64_t SpaceState::pending_records() const {
  MutexLock lock(mutex_);
  return tail_.count();
}

bool SpaceState::IsIndexed(Lsn lsn) const {
  MutexLock lock(mutex_);
  return tail_.front() == nullptr || tail_.front()->record.lsn > lsn;
}

bool SpaceState::IsCheckpointed(Lsn lsn) const {
  MutexLock lock(mutex_);
  return first_unsaved_lsn_ == 0 || first_unsaved_lsn_ > lsn;
}

}  // namespace engram::space
