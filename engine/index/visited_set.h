// The slots that a walk has seen: a bit each, and a list of those that are set.
//
// A table of 4 bytes an entry would not stay in the first-level cache beside
// what the walk reads; the bits of 50,000 slots take 6 KiB. Emptying the set
// costs as much as the walk before it has seen, however large the graph is.

#ifndef ENGRAM_ENGINE_INDEX_VISITED_SET_H_
#define ENGRAM_ENGINE_INDEX_VISITED_SET_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace engram::index {

class VisitedSet {
 public:
  // Empties the set and makes room for the slots below `slot_count`.
  void Reset(uint32_t slot_count) {
    for (const uint32_t slot : slots_) words_[slot / kWordBits] = 0;
    slots_.clear();
    const size_t words = size_t{slot_count} / kWordBits + 1;
    if (words_.size() < words) words_.resize(words);
  }

  // True if `slot`, which may also be one that is newer than Reset(), was not
  // in the set.
  bool Insert(uint32_t slot) {
    const size_t word = slot / kWordBits;
    if (word >= words_.size()) [[unlikely]] {
      words_.resize(word + 1);
    }
    const uint64_t bit = uint64_t{1} << (slot % kWordBits);
    if ((words_[word] & bit) != 0) return false;
    words_[word] |= bit;
    slots_.push_back(slot);
    return true;
  }

 private:
  static constexpr uint32_t kWordBits = 64;

  std::vector<uint64_t> words_;
  std::vector<uint32_t> slots_;  // that are in the set
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_VISITED_SET_H_
