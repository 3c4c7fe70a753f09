#include "engine/index/select_neighbors.h"

#include <algorithm>
#include <cstdint>

#include "engine/index/neighbor.h"

namespace engram::index {
namespace {

// Most candidates are left out because of one of the first neighbors chosen,
// so the neighbors are compared a few at a time.
constexpr size_t kCompareCount = 4;

// True if a chosen neighbor is closer to `candidate` than the base is.
bool IsOccluded(const NodeStore& nodes, const VectorDistance& distance,
                const Neighbor& candidate, const Scratch& scratch) {
  const PreparedQuery query = {nodes.row(candidate.slot),
                               nodes.inverse_norm(candidate.slot)};
  float distances[kCompareCount];
  const size_t selected_count = scratch.selected.size();
  for (size_t i = 0; i < selected_count; i += kCompareCount) {
    const size_t count = std::min(kCompareCount, selected_count - i);
    distance.DistancesToRows(query, scratch.selected_rows.data() + i,
                             scratch.selected_inverse_norms.data() + i, count,
                             distances);
    for (size_t j = 0; j < count; ++j) {
      if (distances[j] < candidate.distance) return true;
    }
  }
  return false;
}

}  // namespace

void SelectNeighbors(const NodeStore& nodes, const VectorDistance& distance,
                     size_t limit, Scratch& scratch) {
  scratch.selected.clear();
  if (scratch.pool.size() < limit) {
    scratch.selected = scratch.pool;
    return;
  }
  scratch.selected_rows.clear();
  scratch.selected_inverse_norms.clear();
  for (const Neighbor& candidate : scratch.pool) {
    if (scratch.selected.size() == limit) return;
    if (IsOccluded(nodes, distance, candidate, scratch)) continue;
    scratch.selected.push_back(candidate);
    scratch.selected_rows.push_back(nodes.row(candidate.slot));
    scratch.selected_inverse_norms.push_back(
        nodes.inverse_norm(candidate.slot));
  }
}

}  // namespace engram::index
