// Algorithm 1 of the paper, first phase: a new node's neighbors are chosen. It
// reads the graph like a search.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/index/graph.h"
#include "engine/index/search_layer.h"
#include "engine/index/select_neighbors.h"
#include "storage/base/check.h"

namespace engram::index {
namespace {

// So many nodes of a walk by coarse codes are compared again by finer ones,
// where lists are long twice as many as are chosen. All 100 would cost a fifth
// of the build rate for a point of recall (by 8-bit codes).
size_t RerankCount(uint32_t M) { return std::max(size_t{64}, size_t{2 * M}); }

// Where the heuristic chooses fewer neighbors, the nearest of the others are
// taken up to this number. In sets with hubs it often chooses one: on raw GloVe
// recall@10 at ef 128 is .88 with it and .82 without.
size_t FilledDegree(uint32_t M) { return M / 2; }

}  // namespace

InsertPlan Graph::Plan(uint32_t slot, Scratch& scratch,
                       absl::Span<const uint32_t> unlinked) const {
  ENGRAM_CHECK(slot < slot_count());
  InsertPlan plan;
  plan.slot = slot;
  plan.top_layer = AssignTopLayer(options_.seed, slot, options_.M);
  plan.neighbors.resize(plan.top_layer + 1);
  plan.chosen.resize(plan.top_layer + 1);

  compare_.PrepareSlot(slot, &scratch.query);
  const float own_distance = NeighborOf(WalkKey(slot, scratch)).distance;
  const EntryPoint entry = entry_point();
  NeighborKey nearest = kKeyMax;
  if (entry.exists) nearest = Descend(entry, plan.top_layer, scratch);
  for (uint32_t above = plan.top_layer + 1; above > 0; --above) {
    const uint32_t layer = above - 1;
    if (entry.exists && layer <= entry.layer) {
      SearchLayer(nodes_, compare_, nearest, kKeyMax, layer,
                  options_.ef_construction, scratch);
      nearest = scratch.beam.key(0);
    } else {
      scratch.visited.Reset(slot_count());
      scratch.beam.Reset(options_.ef_construction);
    }
    if (layer == 0) plan.twin_of = TwinInBeam(slot, own_distance, scratch);
    const uint32_t twin =
        MeetUnlinked(slot, layer, own_distance, unlinked, scratch);
    if (layer == 0) {
      if (plan.twin_of == kNoSlot) plan.twin_of = twin;
      if (plan.twin_of != kNoSlot) return plan;
    }
    PoolFromBeam(scratch);
    plan.chosen[layer] =
        SelectNeighbors(compare_, &SlotDistance::Middle, options_.M,
                        FilledDegree(options_.M), scratch);
    MakeSelectedFine(scratch);
    plan.neighbors[layer] = scratch.selected;
  }
  return plan;
}

// Sets scratch.pool to the best of scratch.beam, by Middle() distances.
void Graph::PoolFromBeam(Scratch& scratch) const {
  const Beam& beam = scratch.beam;
  std::vector<Neighbor>& pool = scratch.pool;
  pool.clear();
  if (!compare_.walk_is_coarse()) {
    for (size_t i = 0; i < beam.size(); ++i) {
      pool.push_back(NeighborOf(beam.key(i)));
    }
    return;
  }
  Hop& hop = scratch.hop;
  hop.count = 0;
  const size_t count = std::min(beam.size(), RerankCount(options_.M));
  for (size_t i = 0; i < count; ++i) hop.Add(SlotOf(beam.key(i)));
  compare_.Middle(scratch.query, hop.slots, hop.count, hop.distances);
  std::vector<NeighborKey>& keys = scratch.results;
  keys.clear();
  for (size_t i = 0; i < count; ++i) keys.push_back(hop.key(i));
  std::sort(keys.begin(), keys.end());
  for (const NeighborKey key : keys) pool.push_back(NeighborOf(key));
}

// Lets those of `unlinked` that will stand on `layer` take the places in
// scratch.beam that they would have if the walk had met them. Returns one that
// is a twin of `slot`, or kNoSlot.
uint32_t Graph::MeetUnlinked(uint32_t slot, uint32_t layer, float own_distance,
                             absl::Span<const uint32_t> unlinked,
                             Scratch& scratch) const {
  if (unlinked.empty()) return kNoSlot;
  uint32_t twin = kNoSlot;
  Hop& hop = scratch.hop;
  const auto compare = [&] {
    CompareHop(compare_, scratch);
    for (size_t i = 0; i < hop.count; ++i) {
      if (hop.key(i) < scratch.beam.bound()) scratch.beam.Insert(hop.key(i));
      if (IsTwin(slot, own_distance, {hop.distances[i], hop.slots[i]})) {
        twin = hop.slots[i];
      }
    }
    hop.count = 0;
  };
  hop.count = 0;
  scratch.visited.Insert(slot);  // is no neighbor of itself
  for (const uint32_t other : unlinked) {
    if (layer > 0 && AssignTopLayer(options_.seed, other, options_.M) < layer) {
      continue;
    }
    // Else it was linked in time for the walk to meet it.
    if (!scratch.visited.Insert(other)) continue;
    hop.Add(other);
    if (hop.count == kHopSlotsMax) compare();
  }
  compare();
  return twin;
}

// A twin is at the Walk() distance that the slot has from itself, neither more
// nor less (a zero of either sign is the same): it has the same codes. Few
// other nodes are, so few are compared code by code.
bool Graph::IsTwin(uint32_t slot, float own_distance,
                   const Neighbor& other) const {
  return other.distance == own_distance && compare_.AreTwins(slot, other.slot);
}

// Estimates of tiny distances are in no perfect order: a twin may stand behind
// many nodes that are not quite as near.
uint32_t Graph::TwinInBeam(uint32_t slot, float own_distance,
                           const Scratch& scratch) const {
  for (size_t i = 0; i < scratch.beam.size(); ++i) {
    const Neighbor candidate = NeighborOf(scratch.beam.key(i));
    if (IsTwin(slot, own_distance, candidate)) return candidate.slot;
  }
  return kNoSlot;
}

// Gives scratch.selected Fine() distances, with which lists are chosen anew.
// Most of their rows have just been read: the others were compared with them.
void Graph::MakeSelectedFine(Scratch& scratch) const {
  if (!compare_.middle_is_coarse()) return;
  Hop& hop = scratch.hop;
  hop.count = 0;
  for (const Neighbor& neighbor : scratch.selected) hop.Add(neighbor.slot);
  compare_.Fine(scratch.query, hop.slots, hop.count, hop.distances);
  for (size_t i = 0; i < hop.count; ++i) {
    scratch.selected[i].distance = hop.distances[i];
  }
}

}  // namespace engram::index
