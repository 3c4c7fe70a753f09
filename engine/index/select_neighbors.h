// SelectNeighbors, Algorithm 4 of Malkov & Yashunin (arXiv:1603.09320), without
// extendCandidates and without keepPrunedConnections.

#ifndef ENGRAM_ENGINE_INDEX_SELECT_NEIGHBORS_H_
#define ENGRAM_ENGINE_INDEX_SELECT_NEIGHBORS_H_

#include <cstddef>

#include "engine/index/node_store.h"
#include "engine/index/scratch.h"
#include "engine/index/vector_distance.h"

namespace engram::index {

// Chooses from scratch.pool (ascending by distance to a base node) at most
// `limit` neighbors for that node into scratch.selected. A candidate that lies
// closer to a neighbor already chosen than to the base is left out: the base
// reaches it through that neighbor. Fewer than `limit` candidates are all
// taken.
void SelectNeighbors(const NodeStore& nodes, const VectorDistance& distance,
                     size_t limit, Scratch& scratch);

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_SELECT_NEIGHBORS_H_
