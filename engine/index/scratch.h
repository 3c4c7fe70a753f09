// The memory that one walk works in.

#ifndef ENGRAM_ENGINE_INDEX_SCRATCH_H_
#define ENGRAM_ENGINE_INDEX_SCRATCH_H_

#include <vector>

#include "engine/index/distance_batch.h"
#include "engine/index/neighbor.h"
#include "engine/index/visited_set.h"

namespace engram::index {

// Owned by a caller, used by one call at a time; any graph will do. Empty until
// first used, and worth keeping afterwards: what it allocated stays.
struct Scratch {
  VisitedSet visited;
  std::vector<NeighborKey> candidates;  // min-heap of nodes to expand
  std::vector<NeighborKey> results;     // max-heap, then ascending
  DistanceBatch hop;

  // For the selection of neighbors.
  std::vector<Neighbor> pool;
  std::vector<Neighbor> selected;
  std::vector<const float*> selected_rows;
  std::vector<float> selected_inverse_norms;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_SCRATCH_H_
