// SearchLayer, Algorithm 2 of Malkov & Yashunin (arXiv:1603.09320): best-first
// search on one layer, in two forms.
//
// Unlike there, the links of several nodes are followed together, as DiskANN
// does it with reads from a disk (its "beamwidth"): what the second and third
// lead to comes from memory at the same time as what the first does. The
// nearest three are nearly always all followed sooner or later, so that a walk
// of width 100 compares half a percent more.

#ifndef ENGRAM_ENGINE_INDEX_SEARCH_LAYER_H_
#define ENGRAM_ENGINE_INDEX_SEARCH_LAYER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/index/neighbor.h"
#include "engine/index/node_store.h"
#include "engine/index/result_heap.h"
#include "engine/index/scratch.h"
#include "engine/index/slot_distance.h"

namespace engram::index {

// How many nodes are followed together. A graph of 20,000 vectors of 768
// dimensions that the caches do not hold takes 82 us for an insert (in batches
// of 10) with one, 72 with two and 70 with three or four.
inline constexpr size_t kNodesAtOnce = 3;

// Fewer where the lists are long: all of their links have a place in a hop.
inline size_t NodesAtOnce(const NodeStore& nodes, uint32_t layer) {
  return std::clamp(kHopSlotsMax / nodes.LinkCapacity(layer), size_t{1},
                    kNodesAtOnce);
}

// Puts the links of `slot` that the walk has not seen yet into scratch.hop,
// behind what is there.
inline void CollectLinks(const NodeStore& nodes, const SlotDistance& distance,
                         uint32_t slot, uint32_t layer, Scratch& scratch) {
  ++scratch.hops;
  nodes.links(slot, layer).VisitDown([&](uint32_t id) {
    if (!scratch.visited.Insert(id)) return;
    distance.PrefetchWalk(id);
    scratch.hop.Add(id);
  });
}

// Compares the query with scratch.hop.
inline void CompareHop(const SlotDistance& distance, Scratch& scratch) {
  Hop& hop = scratch.hop;
  scratch.distances += hop.count;
  distance.Walk(scratch.query, hop.slots, hop.count, hop.distances);
}

// Leaves in scratch.beam the (up to) `ef` nodes nearest to scratch.query that
// are found from `entry`, a node on `layer` with its Walk() distance, and from
// `second_entry` unless that is kKeyMax.
inline void SearchLayer(const NodeStore& nodes, const SlotDistance& distance,
                        NeighborKey entry, NeighborKey second_entry,
                        uint32_t layer, size_t ef, Scratch& scratch) {
  scratch.visited.Reset(nodes.slot_count());
  Beam& beam = scratch.beam;
  beam.Reset(ef);
  scratch.visited.Insert(SlotOf(entry));
  beam.Insert(entry);
  if (second_entry < beam.bound() &&
      scratch.visited.Insert(SlotOf(second_entry))) {
    beam.Insert(second_entry);
  }
  Hop& hop = scratch.hop;
  const size_t nodes_at_once = NodesAtOnce(nodes, layer);
  for (uint32_t slot = beam.TakeNext(); slot != kNoSlot;
       slot = beam.TakeNext()) {
    hop.count = 0;
    CollectLinks(nodes, distance, slot, layer, scratch);
    for (size_t i = 1; i < nodes_at_once; ++i) {
      slot = beam.TakeNext();
      if (slot == kNoSlot) break;
      CollectLinks(nodes, distance, slot, layer, scratch);
    }
    CompareHop(distance, scratch);
    for (size_t i = 0; i < hop.count; ++i) {
      const NeighborKey key = hop.key(i);
      if (key >= beam.bound()) continue;
      if (layer == 0) nodes.PrefetchLinks(SlotOf(key));
      beam.Insert(key);
    }
  }
}

// As SearchLayer() on layer 0, but leaves only nodes that `accept` accepts, in
// scratch.results, ascending. Those it refuses are walked through like any
// other but take no place among the results. `accept` is asked at most once
// about a node.
template <typename Accept>
void FilteredSearchLayer(const NodeStore& nodes, const SlotDistance& distance,
                         NeighborKey entry, NeighborKey second_entry, size_t ef,
                         const Accept& accept, Scratch& scratch) {
  constexpr std::greater<NeighborKey> kNearestFirst;
  scratch.visited.Reset(nodes.slot_count());
  std::vector<NeighborKey>& candidates = scratch.candidates;
  candidates.clear();
  ResultHeap results(&scratch.results, ef);
  const auto push = [&](NeighborKey key) {
    candidates.push_back(key);
    std::push_heap(candidates.begin(), candidates.end(), kNearestFirst);
    if (accept(SlotOf(key))) results.Push(key);
  };
  scratch.visited.Insert(SlotOf(entry));
  push(entry);
  if (second_entry < results.bound() &&
      scratch.visited.Insert(SlotOf(second_entry))) {
    push(second_entry);
  }
  Hop& hop = scratch.hop;
  const size_t nodes_at_once = NodesAtOnce(nodes, 0);
  while (!candidates.empty() && candidates.front() <= results.bound()) {
    hop.count = 0;
    for (size_t i = 0; i < nodes_at_once && !candidates.empty(); ++i) {
      const uint32_t nearest = SlotOf(candidates.front());
      if (candidates.front() > results.bound()) break;
      std::pop_heap(candidates.begin(), candidates.end(), kNearestFirst);
      candidates.pop_back();
      CollectLinks(nodes, distance, nearest, 0, scratch);
    }
    CompareHop(distance, scratch);
    for (size_t i = 0; i < hop.count; ++i) {
      if (hop.key(i) < results.bound()) push(hop.key(i));
    }
  }
  results.SortAscending();
}

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_SEARCH_LAYER_H_
