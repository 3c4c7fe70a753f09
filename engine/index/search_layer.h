// SearchLayer, Algorithm 2 of Malkov & Yashunin (arXiv:1603.09320): best-first
// search on one layer.

#ifndef ENGRAM_ENGINE_INDEX_SEARCH_LAYER_H_
#define ENGRAM_ENGINE_INDEX_SEARCH_LAYER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/index/neighbor.h"
#include "engine/index/node_store.h"
#include "engine/index/scratch.h"
#include "engine/index/vector_distance.h"

namespace engram::index {

// Slots seen per result wanted, measured at M = 16 (about 12); sets the visited
// set's first size.
inline constexpr size_t kVisitedPerResult = 16;

struct AcceptAll {
  bool operator()(uint32_t) const { return true; }
};

// The best `limit` keys so far, as a max-heap in borrowed memory.
class ResultHeap {
 public:
  ResultHeap(std::vector<NeighborKey>* keys, size_t limit)
      : keys_(*keys), limit_(limit) {
    keys_.clear();
  }

  // What a key has to stay below to be of use: the worst result once `limit`
  // results are held.
  NeighborKey bound() const { return bound_; }

  // `key` must be below bound().
  void Push(NeighborKey key) {
    if (keys_.size() == limit_) {
      std::pop_heap(keys_.begin(), keys_.end());
      keys_.back() = key;
    } else {
      keys_.push_back(key);
    }
    std::push_heap(keys_.begin(), keys_.end());
    if (keys_.size() == limit_) bound_ = keys_.front();
  }

  void SortAscending() { std::sort_heap(keys_.begin(), keys_.end()); }

 private:
  std::vector<NeighborKey>& keys_;
  const size_t limit_;
  NeighborKey bound_ = kKeyMax;
};

// Puts the links of `slot` that the walk has not seen yet into scratch.hop.
inline void GatherUnvisited(const NodeStore& nodes, uint32_t slot,
                            uint32_t layer, Scratch& scratch) {
  scratch.hop.Clear();
  const LinkList links = nodes.links(slot, layer);
  const uint32_t degree = links.degree();
  for (uint32_t i = 0; i < degree; ++i) {
    const uint32_t id = links.id(i);
    if (!scratch.visited.Insert(id)) continue;
    const float* row = nodes.row(id);
    __builtin_prefetch(row);
    scratch.hop.Add(id, row);
  }
}

// Leaves in scratch.results up to `ef` accepted nodes near `query`, ascending.
// Starts at `entry`, a node on `layer` with its distance, and also at
// `second_entry` unless that is kKeyMax. `accept` is asked
// once for each node that could be a result; a node that it refuses is walked
// through like any other but takes no place among the results.
template <typename Accept>
void SearchLayer(const NodeStore& nodes, const VectorDistance& distance,
                 const PreparedQuery& query, NeighborKey entry, uint32_t layer,
                 size_t ef, const Accept& accept, Scratch& scratch,
                 NeighborKey second_entry = kKeyMax) {
  constexpr std::greater<NeighborKey> kNearestFirst;
  // No walk sees more than all slots, however large `ef` is.
  scratch.visited.Reset(
      std::min<size_t>(ef, nodes.slot_count() / kVisitedPerResult + 1) *
      kVisitedPerResult);
  std::vector<NeighborKey>& candidates = scratch.candidates;
  candidates.assign(1, entry);
  ResultHeap results(&scratch.results, ef);
  scratch.visited.Insert(SlotOf(entry));
  if (accept(SlotOf(entry))) results.Push(entry);
  if (second_entry != kKeyMax && scratch.visited.Insert(SlotOf(second_entry))) {
    candidates.push_back(second_entry);
    std::push_heap(candidates.begin(), candidates.end(), kNearestFirst);
    if (second_entry < results.bound() && accept(SlotOf(second_entry))) {
      results.Push(second_entry);
    }
  }

  while (!candidates.empty() && candidates.front() <= results.bound()) {
    const uint32_t nearest = SlotOf(candidates.front());
    std::pop_heap(candidates.begin(), candidates.end(), kNearestFirst);
    candidates.pop_back();
    GatherUnvisited(nodes, nearest, layer, scratch);
    scratch.hop.Compute(distance, query);
    for (size_t i = 0; i < scratch.hop.size(); ++i) {
      const NeighborKey key = scratch.hop.key(i);
      if (key >= results.bound()) continue;
      if (layer == 0) nodes.PrefetchLinks(SlotOf(key));
      candidates.push_back(key);
      std::push_heap(candidates.begin(), candidates.end(), kNearestFirst);
      if (accept(SlotOf(key))) results.Push(key);
    }
  }
  results.SortAscending();
}

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_SEARCH_LAYER_H_
