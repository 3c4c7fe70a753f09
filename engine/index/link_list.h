// One node's neighbor list on one layer: the ids of other slots, closed by
// kNoSlot unless the list is full. Without a count beside them, a walk touches
// nothing of a node but its ids (two cache lines at M = 16).
//
// Thread safety: one writer, any number of readers, no locks. The ids are
// accessed as atomics. A reader that runs beside the writer may see a mix of
// old and new ids, or one id twice; it never sees an id that was not a link of
// this node at some time. With VisitDown() it also sees every id that stays:
// such an id keeps its place or moves to a lower one, where it is stored before
// the place above is overwritten. Every id is stored with release and loaded
// with acquire, so that what stands behind it (codes, its own links) is visible
// through the id itself. On x86 these are plain moves.

#ifndef ENGRAM_ENGINE_INDEX_LINK_LIST_H_
#define ENGRAM_ENGINE_INDEX_LINK_LIST_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/index/neighbor.h"
#include "storage/base/check.h"

namespace engram::index {

// A view; the memory belongs to the NodeStore and never moves.
class LinkList {
 public:
  LinkList(uint32_t* ids, uint32_t capacity) : ids_(ids), capacity_(capacity) {}

  uint32_t capacity() const { return capacity_; }

  // The id at place `i` < capacity(); kNoSlot behind the last one.
  uint32_t id(uint32_t i) const {
    return std::atomic_ref<uint32_t>(ids_[i]).load(std::memory_order_acquire);
  }

  uint32_t degree() const {
    uint32_t count = 0;
    while (count < capacity_ && id(count) != kNoSlot) ++count;
    return count;
  }

  bool Contains(uint32_t slot) const {
    for (uint32_t i = 0; i < capacity_; ++i) {
      const uint32_t other = id(i);
      if (other == slot) return true;
      if (other == kNoSlot) return false;
    }
    return false;
  }

  // Calls `visit` with each id, beside the writer: from the last place down.
  template <typename Visit>
  void VisitDown(const Visit& visit) const {
    for (uint32_t i = capacity_; i-- > 0;) {
      const uint32_t other = id(i);
      if (other != kNoSlot) visit(other);
    }
  }

  // The rest is for the writer.

  // Before anybody can reach the node: the memory may hold anything.
  void Clear() {
    for (uint32_t i = 0; i < capacity_; ++i) Replace(i, kNoSlot);
  }

  void CopyTo(std::vector<uint32_t>* out) const {
    out->clear();
    for (uint32_t i = 0; i < capacity_; ++i) {
      const uint32_t other = id(i);
      if (other == kNoSlot) return;
      out->push_back(other);
    }
  }

  // Gives the ids to a list that is empty.
  void Fill(absl::Span<const uint32_t> ids) {
    for (uint32_t i = 0; i < ids.size(); ++i) Append(i, ids[i]);
  }

  // Takes out `gone`, which must be there, and puts in `come`, which must not.
  void Exchange(absl::Span<const uint32_t> gone,
                absl::Span<const uint32_t> come) {
    const size_t replaced = std::min(gone.size(), come.size());
    for (size_t i = 0; i < replaced; ++i) ReplaceId(gone[i], come[i]);
    for (const uint32_t id : gone.subspan(replaced)) Remove(id);
    uint32_t count = degree();
    for (const uint32_t id : come.subspan(replaced)) Append(count++, id);
  }

  // `degree` must be degree(), which the caller knows, and below capacity().
  void Append(uint32_t degree, uint32_t slot) {
    ENGRAM_CHECK(degree < capacity_);
    ENGRAM_DCHECK(id(degree) == kNoSlot);
    Replace(degree, slot);
  }

  void Replace(uint32_t i, uint32_t slot) {
    std::atomic_ref<uint32_t>(ids_[i]).store(slot, std::memory_order_release);
  }

  // Puts `new_slot` in the place of `old_slot`, which must be there.
  void ReplaceId(uint32_t old_slot, uint32_t new_slot) {
    for (uint32_t i = 0; i < capacity_; ++i) {
      if (id(i) == old_slot) return Replace(i, new_slot);
    }
    ENGRAM_CHECK(false);
  }

  // Takes out `slot`, which must be there. The last of the others moves to its
  // place.
  void Remove(uint32_t slot) {
    const uint32_t last = degree() - 1;
    if (id(last) != slot) ReplaceId(slot, id(last));
    Replace(last, kNoSlot);
  }

 private:
  uint32_t* ids_;
  uint32_t capacity_;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_LINK_LIST_H_
