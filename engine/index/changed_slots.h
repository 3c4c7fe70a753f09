// The slots whose part of the graph has changed since someone last asked.

#ifndef ENGRAM_ENGINE_INDEX_CHANGED_SLOTS_H_
#define ENGRAM_ENGINE_INDEX_CHANGED_SLOTS_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace engram::index {

// A set of slots, one bit each: an insert marks some thirty, most of them
// again and again, and whoever takes the set wants them in ascending order.
//
// Not thread-safe.
class ChangedSlots {
 public:
  void Mark(uint32_t slot) {
    const size_t word = slot / kWordBits;
    if (word >= words_.size()) words_.resize(word + 1);
    const uint64_t bit = uint64_t{1} << (slot % kWordBits);
    count_ += (words_[word] & bit) == 0;
    words_[word] |= bit;
  }

  void MarkAll(const ChangedSlots& others) {
    others.ForEach([this](uint32_t slot) { Mark(slot); });
  }

  size_t count() const { return count_; }

  // In ascending order.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    for (size_t word = 0; word < words_.size(); ++word) {
      for (uint64_t bits = words_[word]; bits != 0; bits &= bits - 1) {
        visit(static_cast<uint32_t>(
            word * kWordBits + static_cast<size_t>(std::countr_zero(bits))));
      }
    }
  }

  uint64_t memory_bytes() const { return words_.capacity() * sizeof(uint64_t); }

 private:
  static constexpr size_t kWordBits = 64;

  std::vector<uint64_t> words_;
  size_t count_ = 0;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_CHANGED_SLOTS_H_
