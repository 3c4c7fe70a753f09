// Gives out slots.

#ifndef ENGRAM_ENGINE_SPACE_SLOT_POOL_H_
#define ENGRAM_ENGINE_SPACE_SLOT_POOL_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace engram::space {

// Slots that came back first, the last one foremost: its memory is the one most
// likely in cache. Not thread-safe.
class SlotPool {
 public:
  uint32_t Take() {
    if (free_.empty()) return slot_count_++;
    const uint32_t slot = free_.back();
    free_.pop_back();
    return slot;
  }

  void Give(uint32_t slot) { free_.push_back(slot); }

  // Slots that Take() gives out again before it makes new ones.
  size_t free_count() const { return free_.size(); }

  // All slots ever given out are below.
  uint32_t slot_count() const { return slot_count_; }

  uint64_t memory_bytes() const { return free_.capacity() * sizeof(uint32_t); }

 private:
  uint32_t slot_count_ = 0;
  std::vector<uint32_t> free_;
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_SLOT_POOL_H_
