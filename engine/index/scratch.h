// The memory that one walk works in.

#ifndef ENGRAM_ENGINE_INDEX_SCRATCH_H_
#define ENGRAM_ENGINE_INDEX_SCRATCH_H_

#include <cstdint>
#include <vector>

#include "engine/index/beam.h"
#include "engine/index/neighbor.h"
#include "engine/index/slot_distance.h"
#include "engine/index/visited_set.h"
#include "storage/base/check.h"

namespace engram::index {

// Slots that are compared with a query together, one hop at a time.
struct Hop {
  size_t count = 0;
  uint32_t slots[kHopSlotsMax];
  float distances[kHopSlotsMax];

  void Add(uint32_t slot) {
    ENGRAM_DCHECK(count < kHopSlotsMax);
    slots[count++] = slot;
  }
  NeighborKey key(size_t i) const { return KeyOf(distances[i], slots[i]); }
};

// Owned by a caller, used by one call at a time; any graph will do. Nearly
// empty until first used, and worth keeping afterwards: what it allocated
// stays.
struct Scratch {
  SlotQuery query;  // what is inserted, or looked for
  SlotQuery other;  // what stands in for it in a comparison of neighbors
  Hop hop;
  VisitedSet visited;
  Beam beam;

  // Counted since the caller set them to 0.
  uint64_t distances = 0;
  uint64_t hops = 0;

  // A walk around refused nodes.
  std::vector<NeighborKey> candidates;  // min-heap of nodes to expand
  std::vector<NeighborKey> results;     // max-heap, then ascending

  // The selection of neighbors.
  std::vector<Neighbor> pool;
  std::vector<Neighbor> selected;
  std::vector<Neighbor> left;
  std::vector<Neighbor> occluded;
  std::vector<uint32_t> ids;
  std::vector<uint32_t> more_ids;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_SCRATCH_H_
