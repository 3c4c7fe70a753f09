// The slots that a walk has seen: an open-addressing hash set.
//
// Its memory grows with the walk, not with the graph, so a searching thread
// needs no array over all slots of every space that it visits.

#ifndef ENGRAM_ENGINE_INDEX_VISITED_SET_H_
#define ENGRAM_ENGINE_INDEX_VISITED_SET_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/index/neighbor.h"

namespace engram::index {

class VisitedSet {
 public:
  // Empties the set and sizes it for about `expected` slots. Only that much is
  // cleared: one wide search does not slow down the narrow ones after it.
  void Reset(size_t expected) {
    Resize(std::bit_ceil(std::max(2 * expected, kTableSizeMin)));
  }

  // True if `slot` was not in the set.
  bool Insert(uint32_t slot) {
    if (!Place(slot)) return false;
    if (++count_ > (size_t{mask_} + 1) / 2) [[unlikely]] {
      Grow();
    }
    return true;
  }

 private:
  static constexpr size_t kTableSizeMin = 256;

  void Resize(size_t table_size) {
    if (table_.size() < table_size) table_.resize(table_size);
    std::fill_n(table_.begin(), table_size, kNoSlot);
    mask_ = static_cast<uint32_t>(table_size - 1);
    shift_ = 32 - std::countr_zero(table_size);
    count_ = 0;
  }

  bool Place(uint32_t slot) {
    // Fibonacci hashing: the top bits of the product are the well mixed ones.
    uint32_t i = (slot * 0x9E3779B1u) >> shift_;
    while (table_[i] != kNoSlot) {
      if (table_[i] == slot) return false;
      i = (i + 1) & mask_;
    }
    table_[i] = slot;
    return true;
  }

  void Grow() {
    const std::vector<uint32_t> old(table_.begin(),
                                    table_.begin() + size_t{mask_} + 1);
    const size_t count = count_;
    Resize(2 * old.size());
    for (uint32_t slot : old) {
      if (slot != kNoSlot) Place(slot);
    }
    count_ = count;
  }

  std::vector<uint32_t> table_;
  uint32_t mask_ = 0;
  int shift_ = 0;
  size_t count_ = 0;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_VISITED_SET_H_
