// The indexing part of SpaceState: from the tail into the index.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/ingest/batch_policy.h"
#include "engine/space/space_state.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"

namespace engram::space {
namespace {

// What the holder of the turn spends on removals after a batch, unless the
// batch itself replaced more versions than that is enough for.
constexpr int64_t kRemovalMicrosMax = 2'000;

// The weight of the past in the measured time of a plan: 7 of 8.
constexpr uint32_t kAverageShift = 3;

// Measures what planning takes, record by record on average.
class PlanTimer {
 public:
  explicit PlanTimer(std::atomic<uint32_t>* nanos_per_plan)
      : nanos_per_plan_(nanos_per_plan),
        start_(Clock::System().MonotonicMicros()) {}

  ~PlanTimer() {
    if (plans_ == 0) return;
    const int64_t micros = Clock::System().MonotonicMicros() - start_;
    const auto nanos = static_cast<uint32_t>(
        std::clamp<int64_t>(micros * 1000 / plans_, 1, 1'000'000'000));
    // Relaxed: two at a time lose one measurement, which does no harm.
    const uint32_t before = nanos_per_plan_->load(std::memory_order_relaxed);
    nanos_per_plan_->store(before == 0 ? nanos
                                       : before - (before >> kAverageShift) +
                                             (nanos >> kAverageShift),
                           std::memory_order_relaxed);
  }

  void Count() { ++plans_; }

  bool HasRunFor(int64_t micros) const {
    return Clock::System().MonotonicMicros() - start_ >= micros;
  }

 private:
  std::atomic<uint32_t>* const nanos_per_plan_;
  const int64_t start_;
  int64_t plans_ = 0;
};

}  // namespace

ingest::Served SpaceState::Serve(size_t records_max) {
  std::unique_ptr<IndexBatch> batch = TakeBatch(records_max);
  if (batch == nullptr) return {};
  FillBatch(batch.get());
  ingest::Served served;
  served.taken = batch->records.size();
  if (ring_.turn() != batch->ticket) {
    PlanAhead(batch.get());
    if (ring_.Park(&batch)) return served;
  }
  // The turn is ours.
  FinishBatch(batch.get());
  served.taken = batch->records.size();
  do {
    served.finished += batch->records.size();
    served.latencies.insert(served.latencies.end(), batch->latencies.begin(),
                            batch->latencies.end());
    batch = ring_.PassTurn();
    if (batch != nullptr) FinishBatch(batch.get());
  } while (batch != nullptr);
  // Relaxed: a hint; what it misses, the next batch or checkpoint does.
  served.untidy = untidy_.load(std::memory_order_relaxed);
  return served;
}

// How many records a batch takes. What others plan waits for it, so it is cut
// to the time that it may take rather than given back when that is over.
size_t SpaceState::BatchLimit(size_t records_max) const {
  const uint64_t nanos = nanos_per_plan_.load(std::memory_order_relaxed);
  if (index().graph() == nullptr || nanos == 0) return records_max;
  const auto fit = static_cast<size_t>(ingest::kBatchMicrosMax * 1000 / nanos);
  return std::min(records_max, std::max(fit, size_t{1}));
}

std::unique_ptr<IndexBatch> SpaceState::TakeBatch(size_t records_max) {
  auto batch = std::make_unique<IndexBatch>();
  // Before the ticket: whoever has a ticket must not wait for a place.
  batch->guard = epochs_->Enter();
  // Nothing waits, then.
  if (!is_resident()) return nullptr;
  // Alone while there is no graph: its builder must know all slots.
  ring_.Enter([this] {
    return index().graph() == nullptr ? size_t{1} : limits_.batches_max;
  });
  const size_t limit = BatchLimit(records_max);
  {
    MutexLock lock(mutex_);
    batch->pin = tail_.Pin(taken_, limit);
    if (batch->pin.count() > 0) {
      taken_ += batch->pin.count();
      batch->ticket = ring_.TakeTicket();
    }
  }
  if (batch->pin.count() == 0) {
    ring_.Leave();
    return nullptr;
  }
  for (TailEntry* const entry : batch->pin.Entries()) {
    batch->records.push_back({entry, index::kNoSlot, {}, {}});
  }
  return batch;
}

void SpaceState::FillBatch(IndexBatch* batch) {
  std::vector<IndexRecord*> wanted;
  std::vector<absl::string_view> ids;
  for (IndexRecord& record : batch->records) {
    // A version that was replaced while it waited needs no slot: whoever may
    // still see it has it pinned in the tail.
    const TailEntry& entry = *record.entry;
    if (entry.record.type != schema::RecordType::kObserve ||
        entry.remove_lsn.load(std::memory_order_relaxed) != kNeverRemoved ||
        dropped_lsn() != 0) {
      continue;
    }
    wanted.push_back(&record);
    ids.push_back(entry.record.id);
  }
  const std::vector<uint32_t> slots = index().Reserve(ids);
  for (size_t i = 0; i < slots.size(); ++i) {
    wanted[i]->slot = slots[i];
    index().Fill(slots[i], wanted[i]->entry->record.vector,
                 batch->guard.scratch());
  }
  for (size_t i = slots.size(); i < wanted.size(); ++i) {
    wanted[i]->failure = NoRoom();
  }
  ring_.AnnounceFilled(batch->ticket, slots);
}

absl::Status SpaceState::NoRoom() const {
  return absl::ResourceExhaustedError(absl::StrCat(
      "space \"", name(), "\": no room in the index, which holds ",
      index().slot_count(), " of at most ", limits_.slots_max,
      " versions: the system gives no more memory, or that is the limit"));
}

// Plans the next record of the batch. The caller sees to it that there is one,
// and a graph.
void SpaceState::PlanRecord(absl::Span<const uint32_t> unlinked,
                            IndexBatch* batch) {
  IndexRecord& record = batch->records[batch->planned++];
  if (record.slot == index::kNoSlot) return;
  if (record.entry->remove_lsn.load(std::memory_order_relaxed) !=
      kNeverRemoved) {
    // Replaced since it was filled: as above, but others know the slot by now.
    batch->abandoned.push_back(std::exchange(record.slot, index::kNoSlot));
    return;
  }
  record.plan =
      index().graph()->Plan(record.slot, batch->guard.scratch(), unlinked);
}

// Plans beside those who have the turn before us, until it is ours or all is
// planned.
void SpaceState::PlanAhead(IndexBatch* batch) {
  ring_.AwaitFilled(batch->ticket);
  PlanTimer timer(&nanos_per_plan_);
  std::vector<uint32_t> unlinked;
  std::vector<uint32_t> own;
  uint64_t collected_at = UINT64_MAX;
  while (batch->planned < batch->records.size()) {
    const uint64_t turn = ring_.turn();
    if (turn == batch->ticket) return;
    if (turn != collected_at) {
      collected_at = turn;
      ring_.CollectSlots(batch->ticket, &unlinked);
      unlinked.insert(unlinked.end(), own.begin(), own.end());
    }
    const IndexRecord& record = batch->records[batch->planned];
    PlanRecord(unlinked, batch);
    if (record.slot == index::kNoSlot) continue;
    timer.Count();
    own.push_back(record.slot);
    unlinked.push_back(record.slot);
  }
}

// Leaves what is not planned yet in the tail, if nobody has taken what comes
// behind it.
bool SpaceState::GiveBackRest(IndexBatch* batch) {
  std::vector<uint32_t> kept;
  std::vector<uint32_t> released;
  for (size_t i = 0; i < batch->records.size(); ++i) {
    const uint32_t slot = batch->records[i].slot;
    if (slot == index::kNoSlot) continue;
    (i < batch->planned ? kept : released).push_back(slot);
  }
  {
    MutexLock lock(mutex_);
    if (!ring_.Shorten(batch->ticket, kept)) return false;
    taken_ -= batch->records.size() - batch->planned;
  }
  // Nobody else has seen these.
  index().Release(released);
  batch->records.resize(batch->planned);
  return true;
}

void SpaceState::LinkBatch(IndexBatch* batch) {
  if (index().graph() == nullptr) return;
  for (size_t i = 0; i < batch->planned; ++i) {
    if (batch->records[i].slot != index::kNoSlot) {
      index().Link(batch->records[i].plan);
    }
  }
  PlanTimer timer(&nanos_per_plan_);
  while (batch->planned < batch->records.size()) {
    if (batch->planned > 0 && timer.HasRunFor(ingest::kBatchMicrosMax) &&
        GiveBackRest(batch)) {
      return;
    }
    const IndexRecord& record = batch->records[batch->planned];
    PlanRecord({}, batch);
    if (record.slot == index::kNoSlot) continue;
    timer.Count();
    index().Link(record.plan);
  }
}

void SpaceState::BuildGraphIfLarge(IndexBatch* batch) {
  if (index().graph() != nullptr) return;
  std::vector<uint32_t> slots;
  for (const IndexRecord& record : batch->records) {
    if (record.slot != index::kNoSlot) slots.push_back(record.slot);
  }
  // Relaxed: changed by the holder of the turn alone.
  const uint64_t published = published_slots_.load(std::memory_order_relaxed);
  if (published + slots.size() - replaced_.size() <= limits_.flat_records_max) {
    return;
  }
  // Also what was removed and is not unlinked yet: some search may see it.
  std::vector<uint32_t> live = slots;
  const uint32_t slot_count = index().slot_count();
  for (uint32_t slot = 0; slot < slot_count; ++slot) {
    // Relaxed: as above.
    if (index()[slot].lsn.load(std::memory_order_relaxed) == 0) continue;
    slots.push_back(slot);
    if (index()[slot].LiveAt(kNeverRemoved - 1)) live.push_back(slot);
  }
  // Ascending: as they came, but for those that were used before.
  std::sort(slots.begin(), slots.end());
  std::sort(live.begin(), live.end());
  left_flat_ = index().BuildGraph(slots, live, batch->guard.scratch());
  if (left_flat_ == nullptr) return;
  left_flat_ticket_ = epochs_->Retire();
  has_graph_.store(true, std::memory_order_relaxed);
}

// The end of an observation that got no slot. Returns whether it is a dead
// letter now.
bool SpaceState::RetireUnslotted(const IndexRecord& record) {
  const TailEntry& entry = *record.entry;
  const std::optional<VersionRef> current = versions_.Find(entry.record.id);
  // Else it was replaced: nobody misses it.
  if (!current.has_value() || current->entry() != &entry) return false;
  if (record.failure.ok()) {
    // Its space was dropped; nothing may refer to the entry any more.
    versions_.Erase(entry.record.id);
    return false;
  }
  TailEntry* const letter = dead_letters_.Add(entry.record, entry.inverse_norm,
                                              record.failure, /*saved=*/false);
  versions_.Put(entry.record.id, VersionRef::InTail(letter));
  // The record that an older version of the id may have on disk.
  removed_ids_.insert(std::string(entry.record.id));
  if (observer_.on_dead_letter) {
    observer_.on_dead_letter(letter->record, record.failure);
  }
  return true;
}

void SpaceState::RetireRecord(const IndexRecord& record,
                              std::vector<uint32_t>* replaced) {
  TailEntry& entry = *record.entry;
  if (entry.replaced_slot != index::kNoSlot) {
    replaced->push_back(entry.replaced_slot);
  }
  if (entry.replaced_dead_lsn != 0) dead_letters_.End(entry.replaced_dead_lsn);
  if (entry.record.type == schema::RecordType::kRemove) {
    removed_ids_.insert(std::string(entry.record.id));
    return;
  }
  if (record.slot == index::kNoSlot) return;
  const std::optional<VersionRef> current = versions_.Find(entry.record.id);
  const bool is_current = current.has_value() && current->entry() == &entry;
  SlotInfo& info = index()[record.slot];
  info.remove_lsn.store(entry.remove_lsn.load(std::memory_order_relaxed),
                        std::memory_order_relaxed);
  // Release: from here on searches look at the slot.
  info.lsn.store(entry.record.lsn, std::memory_order_release);
  published_slots_.fetch_add(1, std::memory_order_relaxed);
  if (is_current) {
    versions_.Put(entry.record.id, VersionRef::InSlot(record.slot));
  } else if (entry.successor != nullptr) {
    entry.successor->replaced_slot = record.slot;
  }
  UnsavedRecord& unsaved = unsaved_[entry.record.lsn];
  unsaved = {entry.record, entry.group, record.slot};
  unsaved_bytes_ += unsaved.memory_bytes();
  removed_ids_.erase(entry.record.id);
}

void SpaceState::CountIndexed(IndexBatch* batch) {
  if (latencies_ == nullptr) return;  // all of them were replayed
  const int64_t now = Clock::System().MonotonicMicros();
  for (const IndexRecord& record : batch->records) {
    const TailEntry& entry = *record.entry;
    if (entry.record.handed_in_micros == 0) continue;
    const ingest::RecordLatency latency = {now - entry.published_micros,
                                           now - entry.record.handed_in_micros};
    if (!latencies_frozen_) {
      latencies_->durable_to_indexed.Add(latency.durable_to_indexed_micros);
      latencies_->to_indexed.Add(latency.to_indexed_micros);
    }
    batch->latencies.push_back(latency);
  }
}

void SpaceState::RetireBatch(IndexBatch* batch) {
  // Before the ticket below: whoever has collected these slots by then has a
  // guard that is older, and nobody collects them later.
  ring_.ForgetSlots(batch->ticket);
  std::vector<uint32_t> replaced;
  batch->latencies.reserve(batch->records.size());
  {
    MutexLock lock(mutex_);
    CountIndexed(batch);
    size_t dead = 0;
    for (const IndexRecord& record : batch->records) {
      RetireRecord(record, &replaced);
      const bool slotless =
          record.slot == index::kNoSlot &&
          record.entry->record.type == schema::RecordType::kObserve;
      if (slotless && RetireUnslotted(record)) ++dead;
    }
    // Relaxed: a count.
    dead_letter_count_.store(dead_letters_.size(), std::memory_order_relaxed);
    if (observer_.on_indexed) observer_.on_indexed(batch->records.size(), dead);
    indexed_lsn_ = batch->records.back().entry->record.lsn;
    ENGRAM_CHECK(indexed_lsn_ <= published_lsn_);
    ENGRAM_CHECK(taken_ >= batch->records.size());
    taken_ -= batch->records.size();
    tail_.PopFront(batch->records.size());
    ENGRAM_CHECK(tail_.front() == nullptr ||
                 tail_.front()->record.lsn > indexed_lsn_);
  }
  for (const uint32_t slot : replaced) ended_slots_.Mark(slot);
  const uint64_t ticket = epochs_->Retire();
  replaced_.Push(replaced, ticket);
  unlinked_.Push(batch->abandoned, ticket);
  // All plans of this batch are carried out, so the removals below need not
  // wait for its own guard.
  batch->guard.Leave();
  // Twice as many as have come: a queue that a long search left behind gets
  // shorter although writes go on.
  WorkOffRemovals(2 * replaced.size(), kRemovalMicrosMax);
}

void SpaceState::FinishBatch(IndexBatch* batch) {
  {
    MutexLock turn_lock(turn_mutex_);
    LinkBatch(batch);
    BuildGraphIfLarge(batch);
    RetireBatch(batch);
  }
  uint64_t bytes = 0;
  for (const IndexRecord& record : batch->records) {
    bytes += record.entry->admitted_bytes;
  }
  gate_.Release(batch->records.size(), bytes);
  if (observer_.on_released) {
    observer_.on_released(batch->records.size(), bytes);
  }
  if (observer_.on_progress) observer_.on_progress();
}

}  // namespace engram::space
