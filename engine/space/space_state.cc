#include "engine/space/space_state.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/ingest/batch_policy.h"
#include "engine/simd/kernels.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"

namespace engram::space {
namespace {

index::GraphOptions MakeGraphOptions(const schema::SpaceDescription& space) {
  index::GraphOptions options;
  options.dimension = space.dimension;
  options.metric = space.metric;
  options.M = space.M;
  options.ef_construction = space.ef_construction;
  options.seed = space.seed;
  return options;
}

}  // namespace

SpaceState::SpaceState(const schema::SpaceDescription& description,
                       Lsn created_lsn, const SpaceLimits& limits)
    : description_(description),
      created_lsn_(created_lsn),
      limits_(limits),
      gate_(absl::StrCat("space \"", description.name, "\""), limits.admission),
      graph_(MakeGraphOptions(description), simd::BestKernels()) {}

void SpaceState::Publish(const schema::RecordView& record,
                         const std::shared_ptr<const wal::Group>& group,
                         uint32_t admitted_bytes) {
  const bool observe = record.type == schema::RecordType::kObserve;
  const float inverse_norm =
      observe ? graph_.distance().InverseNorm(record.vector) : 0;
  MutexLock lock(mutex_);
  ENGRAM_CHECK(record.lsn > published_lsn_);
  published_lsn_ = record.lsn;
  if (first_unsaved_lsn_ == 0) first_unsaved_lsn_ = record.lsn;

  TailEntry& entry = tail_.Append();
  entry.record = record;
  entry.group = group;
  entry.inverse_norm = inverse_norm;
  entry.admitted_bytes = admitted_bytes;

  const auto it = current_.find(record.id);
  if (it != current_.end()) Supersede(it->second, record.lsn);
  if (observe) {
    entry.id = it != current_.end() ? it->first : id_arena_.Copy(record.id);
    current_[entry.id] = {record.lsn, &entry, 0};
  } else if (it != current_.end()) {
    current_.erase(it);
  }
}

void SpaceState::Supersede(const Version& version, Lsn lsn) {
  std::atomic<Lsn>& remove_lsn = version.entry != nullptr
                                     ? version.entry->remove_lsn
                                     : slots_[version.slot].remove_lsn;
  remove_lsn.store(lsn, std::memory_order_relaxed);
}

size_t SpaceState::Serve(size_t records_max) {
  TailPin pin;
  {
    MutexLock lock(mutex_);
    pin = tail_.Pin(records_max);
  }
  ENGRAM_CHECK(pin.count() > 0);
  const int64_t deadline =
      Clock::System().MonotonicMicros() + ingest::kBatchMicrosMax;
  std::vector<Processed> batch;
  uint64_t bytes = 0;
  {
    MutexLock link_lock(link_mutex_);
    for (TailEntry* const entry : pin.Entries()) {
      // A version that was replaced while it waited needs no node: whoever may
      // still see it has it pinned in the tail.
      const bool wanted =
          entry->record.type == schema::RecordType::kObserve &&
          entry->remove_lsn.load(std::memory_order_relaxed) == kNeverRemoved &&
          dropped_lsn() == 0;
      uint32_t slot = index::kNoSlot;
      if (wanted) {
        slot = AppendSlot(entry->record.lsn, entry->id, entry->record.vector,
                          kNeverRemoved);
        LinkSlot(slot);
      }
      batch.push_back({entry, slot});
      bytes += entry->admitted_bytes;
      if (Clock::System().MonotonicMicros() >= deadline) break;
    }
    BuildGraphIfLarge();
    if (observer_.on_indexed) observer_.on_indexed(batch.size());
    Retire(batch);
  }
  gate_.Release(batch.size(), bytes);
  if (observer_.on_progress) observer_.on_progress();
  return batch.size();
}

uint32_t SpaceState::AppendSlot(Lsn lsn, absl::string_view id,
                                absl::Span<const float> vector,
                                Lsn remove_lsn) {
  // The slot's description is published before the slot itself.
  const size_t slot = slots_.size();
  SlotInfo& info = slots_.Next();
  info.lsn = lsn;
  info.id = id;
  info.remove_lsn.store(remove_lsn, std::memory_order_relaxed);
  slots_.Publish();
  const uint32_t graph_slot = graph_.AppendSlot(vector);
  ENGRAM_CHECK(graph_slot == slot);
  return graph_slot;
}

void SpaceState::LinkSlot(uint32_t slot) {
  // Relaxed: written under link_mutex_, which is held.
  if (!graph_ready_.load(std::memory_order_relaxed)) return;
  graph_.Link(graph_.Plan(slot, link_scratch_));
}

void SpaceState::BuildGraphIfLarge() {
  if (graph_ready_.load(std::memory_order_relaxed)) return;
  const uint32_t count = graph_.slot_count();
  if (count <= limits_.flat_records_max) return;
  for (uint32_t slot = 0; slot < count; ++slot) {
    graph_.Link(graph_.Plan(slot, link_scratch_));
  }
  graph_ready_.store(true, std::memory_order_release);
}

void SpaceState::Retire(absl::Span<const Processed> batch) {
  MutexLock lock(mutex_);
  for (const Processed& processed : batch) {
    TailEntry& entry = *processed.entry;
    if (entry.record.type == schema::RecordType::kRemove) {
      removed_ids_.insert(std::string(entry.record.id));
      continue;
    }
    if (processed.slot == index::kNoSlot) continue;
    slots_[processed.slot].remove_lsn.store(
        entry.remove_lsn.load(std::memory_order_relaxed),
        std::memory_order_relaxed);
    const auto it = current_.find(entry.id);
    if (it != current_.end() && it->second.entry == &entry) {
      it->second.entry = nullptr;
      it->second.slot = processed.slot;
    }
    unsaved_[processed.slot] = {entry.record, entry.group};
    unsaved_bytes_ += entry.admitted_bytes;
    removed_ids_.erase(entry.id);
  }
  indexed_lsn_ = batch.back().entry->record.lsn;
  ENGRAM_CHECK(indexed_lsn_ <= published_lsn_);
  tail_.PopFront(batch.size());
  ENGRAM_CHECK(tail_.front() == nullptr ||
               tail_.front()->record.lsn > indexed_lsn_);
}

}  // namespace engram::space
