// The saving half of SpaceState.

#include <algorithm>
#include <utility>

#include "engine/space/space_state.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"

namespace engram::space {
namespace {

// What a checkpoint spends on removals while indexing waits for it.
constexpr int64_t kRemovalMicrosMax = 1'000;

// How many nodes of the graph have changed.
size_t CountChanged(SpaceIndex& index) {
  MutexLock link_lock(index.link_mutex());
  const index::Graph* const graph = index.graph();
  return graph == nullptr ? 0 : graph->changed_count();
}

// What the next nodes hold is fetched while one is copied.
constexpr size_t kSlotsAhead = 8;

}  // namespace

std::string SpaceState::family() const {
  MutexLock lock(mutex_);
  return family_;
}

void SpaceState::set_family(std::string family) {
  MutexLock lock(mutex_);
  family_ = std::move(family);
}

Lsn SpaceState::head_checkpoint_lsn() const {
  MutexLock lock(mutex_);
  return head_.checkpoint_lsn;
}

bool SpaceState::NeedsLog(Lsn* above) const {
  MutexLock lock(mutex_);
  if (first_unsaved_lsn_ == 0) return false;
  *above = first_unsaved_lsn_ - 1;
  return true;
}

bool SpaceState::HasUnsaved() const {
  MutexLock lock(mutex_);
  return indexed_lsn_ > head_.checkpoint_lsn || save_requested_;
}

void SpaceState::RequestSave() {
  MutexLock lock(mutex_);
  save_requested_ = true;
}

Unsaved SpaceState::GetUnsaved(Lsn log_lsn) const {
  MutexLock lock(mutex_);
  if (first_unsaved_lsn_ == 0 || indexed_lsn_ <= head_.checkpoint_lsn) {
    return {};
  }
  const Lsn up_to =
      tail_.count() == 0 ? std::max(indexed_lsn_, log_lsn) : indexed_lsn_;
  return {first_unsaved_lsn_ - 1, up_to, unsaved_bytes_, unsaved_.size()};
}

// Gives a row to each version that has none and needs one: what is live, and
// nodes that others still link to.
void SpaceState::AssignRows(SpaceSnapshot* snapshot) {
  ENGRAM_CHECK(saving_rows_.empty() && saving_rowless_.empty());
  const index::Graph* const graph = index().graph();
  std::vector<Lsn> lsns;
  for (const auto& [lsn, unsaved] : saving_) {
    const uint32_t slot = unsaved.slot;
    const bool is_linked_to = graph != nullptr && graph->is_node(slot) &&
                              graph->head_of(slot) == index::kNoSlot;
    const bool needs_row = is_linked_to || index()[slot].LiveAt(snapshot->lsn);
    (needs_row ? lsns : saving_rowless_).push_back(lsn);
  }
  std::sort(lsns.begin(), lsns.end());
  snapshot->rows.reserve(lsns.size());
  saving_rows_.reserve(lsns.size());
  for (const Lsn lsn : lsns) {
    const UnsavedRecord& unsaved = saving_.find(lsn)->second;
    snapshot->rows.push_back({unsaved.record, unsaved.group,
                              index()[unsaved.slot].LiveAt(snapshot->lsn)});
    saving_rows_.push_back({unsaved.slot, lsn});
  }
}

// Sets `rows` to the row of each slot, kNoRow where there is none.
void SpaceState::CopyRows(uint32_t row_count, RowsOfSlots* rows) const {
  const uint32_t slot_count = index().slot_count();
  rows->clear();
  for (uint32_t slot = 0; slot < slot_count; ++slot) {
    rows->push_back(index()[slot].row);
  }
  uint32_t row = row_count;
  for (const SlotVersion& version : saving_rows_) {
    (*rows)[version.slot] = row++;
  }
}

// Copies what a checkpoint says of the version in `slot`.
void SpaceState::CopySlot(uint32_t slot, uint32_t row,
                          SpaceSnapshot* snapshot) const {
  const index::Graph* const graph = index().graph();
  const bool removed = !index()[slot].LiveAt(snapshot->lsn);
  if (graph == nullptr) {
    snapshot->links.AddPlain(row, removed);
    return;
  }
  ENGRAM_CHECK(graph->is_node(slot));
  const uint32_t head = graph->head_of(slot);
  if (head == index::kNoSlot) {
    snapshot->links.AddNode(row, removed, *graph, slot);
  } else if (removed) {
    // Nothing links to a twin, so a removed one leaves no trace, as long as it
    // is one.
    snapshot->links.AddPlain(row, true);
  } else {
    snapshot->links.AddTwin(row, head);
  }
}

// Sets what the snapshot says of links and marks: those of `changed` slots.
void SpaceState::CopyLinks(const index::ChangedSlots& changed,
                           const RowsOfSlots& rows,
                           SpaceSnapshot* snapshot) const {
  std::vector<uint32_t> slots;
  slots.reserve(changed.count());
  changed.ForEach([&slots](uint32_t slot) { slots.push_back(slot); });
  const index::Graph* const graph = index().graph();
  for (size_t i = 0; i < slots.size(); ++i) {
    if (graph != nullptr && i + kSlotsAhead < slots.size()) {
      graph->PrefetchNode(slots[i + kSlotsAhead]);
    }
    const uint32_t slot = slots[i];
    if (rows[slot] != kNoRow) CopySlot(slot, rows[slot], snapshot);
  }
  for (const uint32_t row : saving_gone_rows_) {
    snapshot->links.AddPlain(row, true);
  }
  const index::EntryPoint entry =
      graph != nullptr ? graph->entry_point() : index::EntryPoint();
  // A graph without nodes is as good as none; its centre with it.
  snapshot->has_graph = entry.exists;
  if (!entry.exists) return;
  snapshot->entry_row = rows[entry.slot];
  ENGRAM_CHECK(snapshot->entry_row != kNoRow);
  snapshot->entry_layer = entry.layer;
  snapshot->centre.assign(graph->centre().begin(), graph->centre().end());
}

// The slots of which files do not say what they should, with those that no file
// knows yet.
index::ChangedSlots SpaceState::TakeChanged() {
  index::ChangedSlots changed = std::exchange(ended_slots_, {});
  if (index().graph() != nullptr)
    changed.MarkAll(index().graph()->TakeChanged());
  for (const SlotVersion& version : saving_rows_) changed.Mark(version.slot);
  return changed;
}

SpaceSnapshot SpaceState::BeginCheckpoint() {
  ENGRAM_CHECK(is_resident());
  SpaceSnapshot snapshot;
  RowsOfSlots rows;
  size_t copied = 0;
  {
    MutexLock turn_lock(turn_mutex_);
    MutexLock lock(mutex_);
    copied = unsaved_.size() + ended_slots_.count();
  }
  // So that no page of memory is touched for the first time while indexing
  // waits, though it goes on until then.
  const size_t slots = index().slot_count();
  copied += CountChanged(index()) * 9 / 8;
  snapshot.links.Reserve(std::min(slots, copied), description_.M);
  rows.resize(slots + slots / 8);
  MutexLock turn_lock(turn_mutex_);
  const int64_t pause_begin = Clock::System().MonotonicMicros();
  WorkOffRemovals(0, kRemovalMicrosMax);
  // Slots stand still while this is held, and the turn is.
  MutexLock link_lock(index().link_mutex());
  {
    MutexLock lock(mutex_);
    ENGRAM_CHECK(saving_.empty() && saving_removed_ids_.empty());
    snapshot.lsn = indexed_lsn_;
    snapshot.previous = head_;
    save_requested_ = false;
    saving_ = std::move(unsaved_);
    unsaved_.clear();
    saving_bytes_ = std::exchange(unsaved_bytes_, 0);
    saving_removed_ids_ = std::move(removed_ids_);
    removed_ids_.clear();
    dead_letters_.BeginSave(&snapshot);
    saving_gone_rows_ = std::exchange(gone_rows_, {});
    AssignRows(&snapshot);
    snapshot.removed_ids.assign(saving_removed_ids_.begin(),
                                saving_removed_ids_.end());
  }
  // Links and marks stand still: the turn is held, and a record that is
  // published meanwhile has an LSN above the snapshot's.
  saving_changed_ = TakeChanged();
  snapshot.row_count = snapshot.previous.slot_count +
                       static_cast<uint32_t>(snapshot.rows.size());
  // Relaxed: changed by the holder of the turn alone.
  snapshot.live_count = static_cast<uint32_t>(
      published_slots_.load(std::memory_order_relaxed) - replaced_.size());
  CopyRows(snapshot.previous.slot_count, &rows);
  CopyLinks(saving_changed_, rows, &snapshot);
  link_lock.Unlock();
  turn_lock.Unlock();
  checkpoint_pause_micros_.store(
      Clock::System().MonotonicMicros() - pause_begin,
      std::memory_order_relaxed);
  snapshot.links.Sort(std::move(rows));
  std::sort(snapshot.removed_ids.begin(), snapshot.removed_ids.end());
  return snapshot;
}

uint64_t SpaceState::NextGeneration() {
  MutexLock lock(mutex_);
  return ++last_generation_;
}

void SpaceState::CommitCheckpoint(const kv::Store* store,
                                  const schema::Head& head) {
  // Freed after the lock is released: it may be a quarter of a gigabyte.
  UnsavedMap saved;
  {
    MutexLock turn_lock(turn_mutex_);
    MutexLock lock(mutex_);
    uint32_t row = head_.slot_count;
    head_ = head;
    store_ = store;
    for (const SlotVersion& version : std::exchange(saving_rows_, {})) {
      SlotInfo& info = index()[version.slot];
      // It may be gone by now, and the slot another version's.
      if (info.lsn.load(std::memory_order_relaxed) == version.lsn) {
        info.row = row;
      } else {
        gone_rows_.push_back(row);
      }
      ++row;
    }
    ENGRAM_CHECK(row == head.slot_count);
    saving_changed_ = {};
    saving_gone_rows_.clear();
    // A removed copy that has no row may yet become a node, in the place of its
    // head, and then needs one: its record stays until it leaves the index.
    for (const Lsn lsn : std::exchange(saving_rowless_, {})) {
      const auto it = saving_.find(lsn);
      if (index()[it->second.slot].lsn.load(std::memory_order_relaxed) != lsn) {
        continue;
      }
      unsaved_bytes_ += it->second.memory_bytes();
      unsaved_.emplace(lsn, std::move(it->second));
    }
    saved = std::move(saving_);
    saving_.clear();
    saving_removed_ids_.clear();
    dead_letters_.CommitSave();
    saving_bytes_ = 0;
    // Records that were published since then may have any LSN above.
    first_unsaved_lsn_ =
        published_lsn_ > head.checkpoint_lsn ? head.checkpoint_lsn + 1 : 0;
    ENGRAM_CHECK(head_.checkpoint_lsn <= indexed_lsn_);
  }
  checkpoints_.fetch_add(1, std::memory_order_relaxed);
  if (observer_.on_progress) observer_.on_progress();
}

void SpaceState::AbortCheckpoint() {
  MutexLock turn_lock(turn_mutex_);
  MutexLock lock(mutex_);
  saving_rows_.clear();
  saving_rowless_.clear();
  // Some of these slots may be another version's by now, and are saved once too
  // often.
  ended_slots_.MarkAll(std::exchange(saving_changed_, {}));
  gone_rows_.insert(gone_rows_.end(), saving_gone_rows_.begin(),
                    saving_gone_rows_.end());
  saving_gone_rows_.clear();
  for (auto& [lsn, unsaved] : saving_) {
    // What left the index meanwhile needs no saving any more.
    if (index()[unsaved.slot].lsn.load(std::memory_order_relaxed) != lsn) {
      continue;
    }
    unsaved_bytes_ += unsaved.memory_bytes();
    unsaved_.emplace(lsn, std::move(unsaved));
  }
  for (const std::string& id : saving_removed_ids_) {
    const std::optional<VersionRef> current = versions_.Find(id);
    const bool observed_again =
        current.has_value() && current->entry() == nullptr;
    if (!observed_again) removed_ids_.insert(id);
  }
  dead_letters_.AbortSave();
  saving_bytes_ = 0;
  saving_.clear();
  saving_removed_ids_.clear();
}

}  // namespace engram::space
