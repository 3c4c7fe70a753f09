// Algorithm 5 of the paper, and the exact scan.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/index/graph.h"
#include "engine/index/search_layer.h"
#include "storage/base/check.h"

namespace engram::index {
namespace {

constexpr size_t kScanBatchSize = 64;

void CopyNearest(const std::vector<NeighborKey>& keys, size_t k,
                 std::vector<Neighbor>* out) {
  const size_t count = std::min(k, keys.size());
  out->resize(count);
  for (size_t i = 0; i < count; ++i) (*out)[i] = NeighborOf(keys[i]);
}

}  // namespace

NeighborKey Graph::Descend(const PreparedQuery& query, const EntryPoint& entry,
                           uint32_t layer, Scratch& scratch) const {
  NeighborKey nearest = KeyOfSlot(query, entry.slot);
  for (uint32_t upper = entry.layer; upper > layer; --upper) {
    NeighborKey before;
    do {
      before = nearest;
      const LinkList links = nodes_.links(SlotOf(nearest), upper);
      const uint32_t degree = links.degree();
      scratch.hop.Clear();
      for (uint32_t i = 0; i < degree; ++i) {
        const uint32_t id = links.id(i);
        scratch.hop.Add(id, nodes_.row(id));
      }
      scratch.hop.Compute(distance_, query);
      for (size_t i = 0; i < scratch.hop.size(); ++i) {
        nearest = std::min(nearest, scratch.hop.key(i));
      }
    } while (nearest != before);
  }
  return nearest;
}

void Graph::Search(absl::Span<const float> query, size_t k, size_t ef,
                   SlotFilter accept, Scratch& scratch,
                   std::vector<Neighbor>* out) const {
  out->clear();
  const EntryPoint entry = entry_point();
  if (!entry.exists || k == 0) return;
  const PreparedQuery prepared = distance_.Prepare(query);
  const NeighborKey nearest = Descend(prepared, entry, 0, scratch);
  // From the entry point too: everything is reachable from there, while the
  // node that the upper layers lead to may lie in a group without a way out,
  // say among copies of one vector.
  SearchLayer(nodes_, distance_, prepared, nearest, 0, std::max(ef, k), accept,
              scratch, KeyOfSlot(prepared, entry.slot));
  CopyNearest(scratch.results, k, out);
}

void Graph::ScanExact(absl::Span<const float> query, uint32_t first_slot,
                      uint32_t last_slot, size_t k, SlotFilter accept,
                      std::vector<Neighbor>* out) const {
  ENGRAM_CHECK(last_slot <= slot_count());
  out->clear();
  if (k == 0) return;
  const PreparedQuery prepared = distance_.Prepare(query);
  std::vector<NeighborKey> keys;
  ResultHeap results(&keys, k);
  DistanceBatch batch;
  uint32_t slot = first_slot;
  while (slot < last_slot) {
    batch.Clear();
    for (; slot < last_slot && batch.size() < kScanBatchSize; ++slot) {
      if (accept(slot)) batch.Add(slot, nodes_.row(slot));
    }
    batch.Compute(distance_, prepared);
    for (size_t i = 0; i < batch.size(); ++i) {
      if (batch.key(i) < results.bound()) results.Push(batch.key(i));
    }
  }
  results.SortAscending();
  CopyNearest(keys, k, out);
}

}  // namespace engram::index
