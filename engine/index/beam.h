// The candidates of a walk: the nearest `limit` seen so far, in order, each
// with a mark that says whether its links have been followed.
//
// A sorted array instead of two heaps: an entry costs one binary search and one
// move of the memory behind it, and what has to be expanded next is found by
// going on from where the walk stood. 1.3 to 1.45 times as fast as heaps,
// with the same distances.

#ifndef ENGRAM_ENGINE_INDEX_BEAM_H_
#define ENGRAM_ENGINE_INDEX_BEAM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "engine/index/neighbor.h"

namespace engram::index {

class Beam {
 public:
  void Reset(size_t limit) {
    if (entries_.size() < limit + 1) entries_.resize(limit + 1);
    limit_ = limit;
    size_ = 0;
    next_ = 0;
    bound_ = kKeyMax;
  }

  // What a key has to stay below to be of use.
  NeighborKey bound() const { return bound_; }

  // `key` must be below bound(), and its slot not in the beam.
  void Insert(NeighborKey key) {
    const uint64_t entry = EntryOf(key);
    const size_t place = PlaceOf(entry);
    std::memmove(&entries_[place + 1], &entries_[place],
                 (size_ - place) * sizeof(uint64_t));
    entries_[place] = entry;
    next_ = std::min(next_, place);
    if (size_ < limit_) ++size_;
    if (size_ == limit_) bound_ = KeyOfEntry(entries_[size_ - 1]);
  }

  // The nearest slot whose links have not been followed, which it marks; or
  // kNoSlot.
  uint32_t TakeNext() {
    while (next_ < size_ && (entries_[next_] & kExpanded) != 0) ++next_;
    if (next_ == size_) return kNoSlot;
    entries_[next_] |= kExpanded;
    return SlotOf(KeyOfEntry(entries_[next_++]));
  }

  size_t size() const { return size_; }
  NeighborKey key(size_t i) const { return KeyOfEntry(entries_[i]); }

 private:
  // An entry is a key with its slot moved up by one bit, which the mark takes:
  // slots have 31 bits, and the order stays.
  static constexpr uint64_t kExpanded = 1;
  static uint64_t EntryOf(NeighborKey key) {
    return (key & ~uint64_t{UINT32_MAX}) | (uint64_t{SlotOf(key)} << 1);
  }
  static NeighborKey KeyOfEntry(uint64_t entry) {
    return (entry & ~uint64_t{UINT32_MAX}) |
           (static_cast<uint32_t>(entry) >> 1);
  }

  // Without a branch to mispredict in the loop.
  size_t PlaceOf(uint64_t entry) const {
    const uint64_t* begin = entries_.data();
    size_t count = size_;
    while (count > 0) {
      const size_t half = count / 2;
      const bool right = begin[half] < entry;
      begin = right ? begin + half + 1 : begin;
      count = right ? count - half - 1 : half;
    }
    return static_cast<size_t>(begin - entries_.data());
  }

  std::vector<uint64_t> entries_;
  size_t limit_ = 0;
  size_t size_ = 0;
  size_t next_ = 0;  // all before it are expanded
  NeighborKey bound_ = kKeyMax;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_BEAM_H_
