// The saving half of SpaceState.

#include <algorithm>
#include <utility>

#include "engine/space/space_state.h"
#include "storage/base/check.h"

namespace engram::space {

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

SpaceSnapshot SpaceState::BeginCheckpoint() {
  SpaceSnapshot snapshot;
  MutexLock link_lock(link_mutex_);
  snapshot.has_graph = graph_ready_.load(std::memory_order_relaxed);
  if (snapshot.has_graph) {
    const auto never_removed = [this](uint32_t slot) {
      return slots_[slot].VisibleAt(kNeverRemoved - 1);
    };
    reattached_.fetch_add(graph_.Reattach(never_removed, link_scratch_),
                          std::memory_order_relaxed);
    snapshot.entry_point = graph_.entry_point();
  }
  snapshot.slot_count = graph_.slot_count();
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
    for (const auto& [slot, unsaved] : saving_) {
      if (!slots_[slot].VisibleAt(snapshot.lsn)) continue;
      snapshot.records.push_back(
          {slots_[slot].id, slot, unsaved.record, unsaved.group});
    }
    snapshot.removed_ids.assign(saving_removed_ids_.begin(),
                                saving_removed_ids_.end());
  }
  // Links and marks stand still: link_mutex_ is held, and a record that is
  // published meanwhile has an LSN above the snapshot's.
  snapshot.nodes.resize(snapshot.slot_count);
  for (uint32_t slot = 0; slot < snapshot.slot_count; ++slot) {
    schema::NodeLinks& node = snapshot.nodes[slot];
    node.slot = slot;
    node.removed = !slots_[slot].VisibleAt(snapshot.lsn);
    if (!node.removed) ++snapshot.live_count;
    if (!snapshot.has_graph) continue;
    node.layers.resize(graph_.top_layer(slot) + 1);
    for (uint32_t layer = 0; layer < node.layers.size(); ++layer) {
      graph_.CopyLinks(slot, layer, &node.layers[layer]);
    }
  }
  std::sort(snapshot.records.begin(), snapshot.records.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
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
    MutexLock lock(mutex_);
    head_ = head;
    saved = std::move(saving_);
    saving_.clear();
    saving_removed_ids_.clear();
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
  MutexLock lock(mutex_);
  // What came later is newer.
  for (auto& [slot, unsaved] : saving_) unsaved_.try_emplace(slot, unsaved);
  for (const std::string& id : saving_removed_ids_) {
    const auto it = current_.find(id);
    const bool observed_again =
        it != current_.end() && it->second.entry == nullptr;
    if (!observed_again) removed_ids_.insert(id);
  }
  unsaved_bytes_ += std::exchange(saving_bytes_, 0);
  saving_.clear();
  saving_removed_ids_.clear();
}

schema::VectorRow SpaceState::Row(uint32_t slot) const {
  return {slots_[slot].lsn, slots_[slot].id, graph_.row(slot)};
}

}  // namespace engram::space
