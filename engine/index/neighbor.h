// A slot with its distance, and the 64-bit key under which the walk orders
// such pairs.

#ifndef ENGRAM_ENGINE_INDEX_NEIGHBOR_H_
#define ENGRAM_ENGINE_INDEX_NEIGHBOR_H_

#include <bit>
#include <cstdint>

namespace engram::index {

// No slot. Slots count from 0 and never reach this number.
inline constexpr uint32_t kNoSlot = UINT32_MAX;

struct Neighbor {
  float distance;
  uint32_t slot;

  friend bool operator==(const Neighbor&, const Neighbor&) = default;
};

// Orders pairs by (distance, slot) with one integer comparison. The order is
// total, so a walk's result does not depend on the order of ids in a link
// list: a graph that was saved and loaded answers as before.
using NeighborKey = uint64_t;

// Above the key of every neighbor whose slot is not kNoSlot.
inline constexpr NeighborKey kKeyMax = UINT64_MAX;

inline NeighborKey KeyOf(float distance, uint32_t slot) {
  // Flips the sign bit of a positive number and all bits of a negative one,
  // which makes the bits ascend with the value. Adding 0 folds -0 into +0.
  const uint32_t bits = std::bit_cast<uint32_t>(distance + 0.0f);
  const uint32_t flip =
      static_cast<uint32_t>(static_cast<int32_t>(bits) >> 31) | 0x80000000u;
  return (static_cast<uint64_t>(bits ^ flip) << 32) | slot;
}

inline uint32_t SlotOf(NeighborKey key) { return static_cast<uint32_t>(key); }

inline Neighbor NeighborOf(NeighborKey key) {
  const uint32_t ordered = static_cast<uint32_t>(key >> 32);
  const uint32_t flip =
      static_cast<uint32_t>(static_cast<int32_t>(~ordered) >> 31) | 0x80000000u;
  return {std::bit_cast<float>(ordered ^ flip), SlotOf(key)};
}

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_NEIGHBOR_H_
