// SelectNeighbors, Algorithm 4 of Malkov & Yashunin (arXiv:1603.09320), without
// extendCandidates.

#ifndef ENGRAM_ENGINE_INDEX_SELECT_NEIGHBORS_H_
#define ENGRAM_ENGINE_INDEX_SELECT_NEIGHBORS_H_

#include <cstddef>

#include "engine/index/scratch.h"
#include "engine/index/slot_distance.h"

namespace engram::index {

// One of the levels of a SlotDistance.
using Comparison = void (SlotDistance::*)(const SlotQuery& query,
                                          const uint32_t* slots, size_t count,
                                          float* out) const;

// Chooses from scratch.pool (ascending by `comparison` to a base node) at most
// `limit` neighbors for that node into scratch.selected, ascending. A
// candidate that lies closer to a neighbor already chosen than to the base is
// left out: the base reaches it through that neighbor. Fewer than `limit`
// candidates are all taken.
//
// If fewer than `fill_to` are chosen that way, the nearest of those left out
// follow them, ascending as well (keepPrunedConnections). Returns how many were
// chosen and not filled in. Uses scratch.other.
size_t SelectNeighbors(const SlotDistance& distance, Comparison comparison,
                       size_t limit, size_t fill_to, Scratch& scratch);

// For a node that has lost a neighbor: leaves scratch.selected, the others, as
// they are and adds those of scratch.pool (both ascending by Fine() distance to
// the node) that lie closer to the node than to any of them, nearest first, up
// to `limit` in all. If there are fewer than `fill_to` then, the nearest of
// those left out follow. Uses scratch.other.
void ExtendNeighbors(const SlotDistance& distance, size_t limit, size_t fill_to,
                     Scratch& scratch);

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_SELECT_NEIGHBORS_H_
