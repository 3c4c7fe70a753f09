// The saving half of SpaceState.

#include <algorithm>
#include <utility>

#include "engine/space/space_state.h"
#include "storage/base/check.h"

namespace engram::space {
namespace {

// What a checkpoint spends on removals while indexing waits for it.
constexpr int64_t kRemovalMicrosMax = 20'000;

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
  return indexed_lsn_ > head_.checkpoint_lsn;
}

Unsaved SpaceState::GetUnsaved(Lsn log_lsn) const {
  MutexLock lock(mutex_);
  if (first_unsaved_lsn_ == 0 || indexed_lsn_ <= head_.checkpoint_lsn) {
    return {};
  }
  const Lsn up_to =
      tail_.count() == 0 ? std::max(indexed_lsn_, log_lsn) : indexed_lsn_;
  return {first_unsaved_lsn_ - 1, up_to, unsaved_bytes_};
}

// Gives a row to each version that has none and needs one: what is live, and
// nodes that others still link to. Returns the slots of all rows, old and new.
std::vector<uint32_t> SpaceState::AssignRows(SpaceSnapshot* snapshot) {
  ENGRAM_CHECK(saving_rows_.empty() && saving_rowless_.empty());
  const index::Graph* const graph = index_.graph();
  std::vector<Lsn> lsns;
  for (const auto& [lsn, unsaved] : saving_) {
    const uint32_t slot = unsaved.slot;
    const bool is_linked_to = graph != nullptr && graph->is_node(slot) &&
                              graph->head_of(slot) == index::kNoSlot;
    const bool needs_row = is_linked_to || index_[slot].LiveAt(snapshot->lsn);
    (needs_row ? lsns : saving_rowless_).push_back(lsn);
  }
  std::sort(lsns.begin(), lsns.end());
  std::vector<uint32_t> slots = row_slots_;
  for (const Lsn lsn : lsns) {
    const UnsavedRecord& unsaved = saving_.find(lsn)->second;
    snapshot->rows.push_back({unsaved.record, unsaved.group,
                              index_[unsaved.slot].LiveAt(snapshot->lsn)});
    saving_rows_.push_back({unsaved.slot, lsn});
    slots.push_back(unsaved.slot);
  }
  return slots;
}

// The row of each slot, of those that have one. A removed node with live twins
// shares the row of the first of these, which stands in for it: a twin's head
// is never a removed row.
std::vector<uint32_t> SpaceState::RowsOfSlots(absl::Span<const uint32_t> slots,
                                              Lsn snapshot_lsn) const {
  const index::Graph* const graph = index_.graph();
  std::vector<uint32_t> rows(index_.slot_count(), kNoRow);
  for (uint32_t row = 0; row < slots.size(); ++row) {
    if (slots[row] != index::kNoSlot) rows[slots[row]] = row;
  }
  if (graph == nullptr) return rows;
  std::vector<bool> has_heir(rows.size());
  for (uint32_t row = 0; row < slots.size(); ++row) {
    const uint32_t slot = slots[row];
    if (slot == index::kNoSlot || !index_[slot].LiveAt(snapshot_lsn)) continue;
    const uint32_t head = graph->head_of(slot);
    if (head == index::kNoSlot || index_[head].LiveAt(snapshot_lsn) ||
        has_heir[head]) {
      continue;
    }
    has_heir[head] = true;
    rows[head] = row;
  }
  return rows;
}

// Sets `out` to the links of the chain of twins that `slot` is the head of.
void SpaceState::CopyLayers(uint32_t slot, absl::Span<const uint32_t> rows,
                            std::vector<std::vector<uint32_t>>* out) const {
  const index::Graph& graph = *index_.graph();
  out->resize(graph.top_layer(slot) + 1);
  for (uint32_t layer = 0; layer < out->size(); ++layer) {
    std::vector<uint32_t>& neighbors = (*out)[layer];
    graph.CopyLinks(slot, layer, &neighbors);
    for (uint32_t& neighbor : neighbors) {
      neighbor = rows[neighbor];
      ENGRAM_CHECK(neighbor != kNoRow);
    }
  }
}

// Sets the links of `node`, a row that stands in `slot`.
void SpaceState::CopyNode(uint32_t slot, absl::Span<const uint32_t> rows,
                          schema::NodeLinks* node) const {
  const uint32_t chain = index_.graph()->head_of(slot);
  const bool is_twin = chain != index::kNoSlot;
  const uint32_t head = is_twin ? chain : slot;
  // Nothing links to a twin, so a removed one leaves no trace, as long as it is
  // one.
  if (is_twin && node->removed) return;
  ENGRAM_CHECK(rows[head] != kNoRow);
  if (rows[head] == node->slot) {
    CopyLayers(head, rows, &node->layers);
  } else if (is_twin) {
    node->twin_of = rows[head];
  }
}

// Sets snapshot->links, where slots[row] is where a row stands.
void SpaceState::CopyNodes(absl::Span<const uint32_t> slots,
                           SpaceSnapshot* snapshot) {
  const index::Graph* const graph = index_.graph();
  const std::vector<uint32_t> rows = RowsOfSlots(slots, snapshot->lsn);
  for (uint32_t row = 0; row < slots.size(); ++row) {
    const uint32_t slot = slots[row];
    schema::NodeLinks node;
    node.slot = row;
    node.removed =
        slot == index::kNoSlot || !index_[slot].LiveAt(snapshot->lsn);
    if (!node.removed) ++snapshot->live_count;
    if (slot != index::kNoSlot && graph != nullptr) {
      ENGRAM_CHECK(graph->is_node(slot));
      CopyNode(slot, rows, &node);
    }
    snapshot->links.Add(node);
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

SpaceSnapshot SpaceState::BeginCheckpoint() {
  SpaceSnapshot snapshot;
  MutexLock turn_lock(turn_mutex_);
  WorkOffRemovals(0, kRemovalMicrosMax);
  const bool all_reached = Reattach() == 0;
  // Slots stand still while this is held, and the turn is.
  MutexLock link_lock(index_.link_mutex());
  if (all_reached) {
    unreachable_.store(0, std::memory_order_relaxed);
  } else {
    const auto is_live = [this](uint32_t slot) {
      return index_[slot].LiveAt(kNeverRemoved - 1);
    };
    unreachable_.store(index_.graph()->CountUnreachable(is_live),
                       std::memory_order_relaxed);
  }
  std::vector<uint32_t> slots;
  {
    MutexLock lock(mutex_);
    ENGRAM_CHECK(saving_.empty() && saving_removed_ids_.empty());
    snapshot.lsn = indexed_lsn_;
    snapshot.previous = head_;
    saving_ = std::move(unsaved_);
    unsaved_.clear();
    saving_bytes_ = std::exchange(unsaved_bytes_, 0);
    saving_removed_ids_ = std::move(removed_ids_);
    removed_ids_.clear();
    dead_letters_.BeginSave(&snapshot);
    slots = AssignRows(&snapshot);
    snapshot.removed_ids.assign(saving_removed_ids_.begin(),
                                saving_removed_ids_.end());
  }
  // Links and marks stand still: the turn is held, and a record that is
  // published meanwhile has an LSN above the snapshot's.
  snapshot.row_count = static_cast<uint32_t>(slots.size());
  CopyNodes(slots, &snapshot);
  std::sort(snapshot.removed_ids.begin(), snapshot.removed_ids.end());
  return snapshot;
}

uint64_t SpaceState::NextGeneration() {
  MutexLock lock(mutex_);
  return ++last_generation_;
}

void SpaceState::CommitCheckpoint(const schema::Head& head) {
  // Freed after the lock is released: it may be a quarter of a gigabyte.
  UnsavedMap saved;
  {
    MutexLock turn_lock(turn_mutex_);
    MutexLock lock(mutex_);
    head_ = head;
    for (const SlotVersion& version : std::exchange(saving_rows_, {})) {
      const auto row = static_cast<uint32_t>(row_slots_.size());
      SlotInfo& info = index_[version.slot];
      // It may be gone by now, and the slot another version's.
      const bool stands =
          info.lsn.load(std::memory_order_relaxed) == version.lsn;
      row_slots_.push_back(stands ? version.slot : index::kNoSlot);
      if (stands) info.row = row;
    }
    ENGRAM_CHECK(row_slots_.size() == head.slot_count);
    // A removed copy that has no row may yet become a node, in the place of its
    // head, and then needs one: its record stays until it leaves the index.
    for (const Lsn lsn : std::exchange(saving_rowless_, {})) {
      const auto it = saving_.find(lsn);
      if (index_[it->second.slot].lsn.load(std::memory_order_relaxed) != lsn) {
        continue;
      }
      unsaved_bytes_ += it->second.admitted_bytes;
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
  for (auto& [lsn, unsaved] : saving_) {
    // What left the index meanwhile needs no saving any more.
    if (index_[unsaved.slot].lsn.load(std::memory_order_relaxed) != lsn) {
      continue;
    }
    unsaved_bytes_ += unsaved.admitted_bytes;
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
