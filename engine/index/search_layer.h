// SearchLayer, Algorithm 2 of Malkov & Yashunin (arXiv:1603.09320): best-first
// search on one layer, in two forms.

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

// Compares the query with the links of `slot` that the walk has not seen yet,
// into scratch.hop.
inline void FollowLinks(const NodeStore& nodes, const SlotDistance& distance,
                        uint32_t slot, uint32_t layer, Scratch& scratch) {
  Hop& hop = scratch.hop;
  hop.count = 0;
  nodes.links(slot, layer).VisitDown([&](uint32_t id) {
    if (!scratch.visited.Insert(id)) return;
    distance.PrefetchWalk(id);
    hop.Add(id);
  });
  ++scratch.hops;
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
  for (uint32_t slot = beam.TakeNext(); slot != kNoSlot;
       slot = beam.TakeNext()) {
    FollowLinks(nodes, distance, slot, layer, scratch);
    const Hop& hop = scratch.hop;
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
  while (!candidates.empty() && candidates.front() <= results.bound()) {
    const uint32_t nearest = SlotOf(candidates.front());
    std::pop_heap(candidates.begin(), candidates.end(), kNearestFirst);
    candidates.pop_back();
    FollowLinks(nodes, distance, nearest, 0, scratch);
    for (size_t i = 0; i < scratch.hop.count; ++i) {
      const NeighborKey key = scratch.hop.key(i);
      if (key < results.bound()) push(key);
    }
  }
  results.SortAscending();
}

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_SEARCH_LAYER_H_
