// The part of SpaceState that takes versions out of files for good.

#include <utility>

#include "engine/space/space_state.h"
#include "storage/base/check.h"

namespace engram::space {

bool SpaceState::HoldsEnded(const IdSet& ids, Lsn up_to) {
  MutexLock turn_lock(turn_mutex_);
  if (!is_resident()) return false;
  const uint32_t slots = index().slot_count();
  for (uint32_t slot = 0; slot < slots; ++slot) {
    const SlotInfo& info = index()[slot];
    // Relaxed: what ends by `up_to` has ended by now.
    const Lsn removed = info.remove_lsn.load(std::memory_order_relaxed);
    if (removed > up_to) continue;
    // Acquire: the id was there before. 0: it has left the index.
    if (info.lsn.load(std::memory_order_acquire) == 0) continue;
    if (ids.contains(info.id())) return true;
  }
  return false;
}

absl::StatusOr<ErasedRows> SpaceState::Erase(kv::Store* store, const IdSet& ids,
                                             Lsn up_to) {
  // Nobody reads files that are about to go.
  MutexLock load_lock(load_mutex_);
  schema::Head head;
  std::string family;
  {
    MutexLock lock(mutex_);
    ENGRAM_CHECK(saving_.empty());
    head = head_;
    family = family_;
    if (head.generation == 0) return ErasedRows();
    rewriting_ = true;
  }
  absl::StatusOr<ErasedRows> erased =
      EraseRows(store, family, head, NextGeneration(), ids, up_to);
  MutexLock lock(mutex_);
  rewriting_ = false;
  if (erased.ok()) head_ = erased->head;
  return erased;
}

}  // namespace engram::space
