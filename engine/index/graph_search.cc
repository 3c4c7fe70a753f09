// Algorithm 5 of the paper, and the exact scan.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/index/graph.h"
#include "engine/index/result_heap.h"
#include "engine/index/search_layer.h"
#include "storage/base/check.h"

namespace engram::index {
namespace {

// Candidates of a walk by codes that get their final distance: half of them,
// and never fewer than this.
constexpr size_t kRerankMin = 20;

constexpr size_t kScanBatchSize = 64;

// One in so many candidates may be refused before they are looked for anew.
constexpr size_t kRefusedShare = 8;

// The candidates of the two kinds of walk, nearest first.
struct BeamKeys {
  const Beam& beam;
  size_t size() const { return beam.size(); }
  NeighborKey operator[](size_t i) const { return beam.key(i); }
};

void CopyNearest(const std::vector<NeighborKey>& keys, size_t k,
                 std::vector<Neighbor>* out) {
  const size_t count = std::min(k, keys.size());
  out->resize(count);
  for (size_t i = 0; i < count; ++i) (*out)[i] = NeighborOf(keys[i]);
}

}  // namespace

void Graph::FinalDistances(const SlotQuery& query, const uint32_t* slots,
                           size_t count, float* out) const {
  if (options_.keep_rows) {
    compare_.Exact(query, slots, count, out);
  } else {
    compare_.Fine(query, slots, count, out);
  }
}

// Sets scratch.ids to the first count_max accepted slots behind `keys`, at most
// k of each chain of twins. Returns how many nodes stood for nothing accepted.
template <typename Keys>
size_t Graph::CollectAccepted(const Keys& keys, size_t k, size_t count_max,
                              SlotFilter accept, Scratch& scratch) const {
  std::vector<uint32_t>& ids = scratch.ids;
  ids.clear();
  size_t refused = 0;
  for (size_t i = 0; i < keys.size() && ids.size() < count_max; ++i) {
    const size_t before = ids.size();
    for (uint32_t slot = SlotOf(keys[i]); slot != kNoSlot;
         slot = nodes_.next_twin(slot)) {
      if (!accept(slot)) continue;
      ids.push_back(slot);
      if (ids.size() - before == k) break;
    }
    if (ids.size() == before) ++refused;
  }
  return refused;
}

// Sets `out` to the k nearest of scratch.ids.
void Graph::NearestCollected(size_t k, Scratch& scratch,
                             std::vector<Neighbor>* out) const {
  const std::vector<uint32_t>& ids = scratch.ids;
  std::vector<NeighborKey>& keys = scratch.results;
  keys.clear();
  for (size_t begin = 0; begin < ids.size(); begin += kHopSlotsMax) {
    const size_t count = std::min(kHopSlotsMax, ids.size() - begin);
    float* const distances = scratch.hop.distances;
    FinalDistances(scratch.query, ids.data() + begin, count, distances);
    for (size_t i = 0; i < count; ++i) {
      keys.push_back(KeyOf(distances[i], ids[begin + i]));
    }
  }
  // A node whose twin took its place during the walk may have been met in both
  // places.
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  CopyNearest(keys, k, out);
}

void Graph::Search(absl::Span<const float> query, size_t k, size_t ef,
                   SlotFilter accept, Scratch& scratch,
                   std::vector<Neighbor>* out, WalkStats* stats) const {
  out->clear();
  const EntryPoint entry = entry_point();
  if (!entry.exists || k == 0) return;
  scratch.distances = 0;
  scratch.hops = 0;
  compare_.PrepareVector(query, &scratch.query);
  const NeighborKey nearest = Descend(entry, 0, scratch);
  // From the entry point too: everything is reachable from there, while the
  // node that the upper layers lead to may lie in a group without a way out.
  const NeighborKey entry_key = WalkKey(entry.slot, scratch);
  // No walk finds more than there is, however large `ef` is.
  const size_t width = std::min<size_t>(std::max(ef, k), slot_count());
  const size_t rerank = std::max({k, kRerankMin, width / 2});
  SearchLayer(nodes_, compare_, nearest, entry_key, 0, width, scratch);
  const size_t refused =
      CollectAccepted(BeamKeys{scratch.beam}, k, rerank, accept, scratch);
  const bool filter = refused > 0 && (kRefusedShare * refused > width ||
                                      scratch.ids.size() < k);
  if (filter) {
    const auto accept_chain = [&](uint32_t slot) {
      for (; slot != kNoSlot; slot = nodes_.next_twin(slot)) {
        if (accept(slot)) return true;
      }
      return false;
    };
    FilteredSearchLayer(nodes_, compare_, nearest, entry_key, width,
                        accept_chain, scratch);
    CollectAccepted(scratch.results, k, rerank, accept, scratch);
  }
  NearestCollected(k, scratch, out);
  if (stats == nullptr) return;
  stats->distances = scratch.distances;
  stats->hops = scratch.hops;
  stats->filtered = filter;
}

void Graph::ScanExact(absl::Span<const float> query, uint32_t first_slot,
                      uint32_t last_slot, size_t k, SlotFilter accept,
                      Scratch& scratch, std::vector<Neighbor>* out) const {
  ENGRAM_CHECK(last_slot <= slot_count());
  out->clear();
  if (k == 0) return;
  compare_.PrepareVector(query, &scratch.query);
  ResultHeap results(&scratch.results, k);
  Hop& hop = scratch.hop;
  uint32_t slot = first_slot;
  while (slot < last_slot) {
    hop.count = 0;
    for (; slot < last_slot && hop.count < kScanBatchSize; ++slot) {
      if (accept(slot)) hop.Add(slot);
    }
    FinalDistances(scratch.query, hop.slots, hop.count, hop.distances);
    for (size_t i = 0; i < hop.count; ++i) {
      if (hop.key(i) < results.bound()) results.Push(hop.key(i));
    }
  }
  results.SortAscending();
  CopyNearest(scratch.results, k, out);
}

}  // namespace engram::index
