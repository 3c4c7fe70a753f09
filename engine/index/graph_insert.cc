// Algorithm 1 of the paper, in two phases.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/index/graph.h"
#include "engine/index/search_layer.h"
#include "engine/index/select_neighbors.h"
#include "storage/base/check.h"

namespace engram::index {

InsertPlan Graph::Plan(uint32_t slot, Scratch& scratch,
                       absl::Span<const uint32_t> unlinked) const {
  ENGRAM_CHECK(slot < slot_count());
  InsertPlan plan;
  plan.slot = slot;
  plan.top_layer = AssignTopLayer(options_.seed, slot, options_.M);
  plan.neighbors.resize(plan.top_layer + 1);

  const PreparedQuery query = PrepareSlot(slot);
  const EntryPoint entry = entry_point();
  NeighborKey nearest = kKeyMax;
  if (entry.exists) nearest = Descend(query, entry, plan.top_layer, scratch);
  for (uint32_t above = plan.top_layer + 1; above > 0; --above) {
    const uint32_t layer = above - 1;
    scratch.results.clear();
    if (entry.exists && layer <= entry.layer) {
      SearchLayer(nodes_, distance_, query, nearest, layer,
                  options_.ef_construction, AcceptAll(), scratch);
      nearest = scratch.results.front();
    }
    AddUnlinked(query, layer, unlinked, scratch);
    scratch.pool.clear();
    for (NeighborKey key : scratch.results) {
      scratch.pool.push_back(NeighborOf(key));
    }
    SelectNeighbors(nodes_, distance_, options_.M, scratch);
    plan.neighbors[layer] = scratch.selected;
  }
  return plan;
}

// Merges those of `unlinked` that will stand on `layer` into scratch.results.
void Graph::AddUnlinked(const PreparedQuery& query, uint32_t layer,
                        absl::Span<const uint32_t> unlinked,
                        Scratch& scratch) const {
  if (unlinked.empty()) return;
  scratch.hop.Clear();
  for (uint32_t slot : unlinked) {
    // What was linked since the caller looked is found by the walk.
    if (nodes_.is_node(slot)) continue;
    if (nodes_.row(slot) == query.vector) continue;  // the new node itself
    if (AssignTopLayer(options_.seed, slot, options_.M) < layer) continue;
    scratch.hop.Add(slot, nodes_.row(slot));
  }
  scratch.hop.Compute(distance_, query);
  std::vector<NeighborKey>& results = scratch.results;
  for (size_t i = 0; i < scratch.hop.size(); ++i) {
    results.push_back(scratch.hop.key(i));
  }
  std::sort(results.begin(), results.end());
  // A slot linked between the walk and the look at `unlinked` stands there
  // twice, with the same key.
  results.erase(std::unique(results.begin(), results.end()), results.end());
  results.resize(std::min<size_t>(results.size(), options_.ef_construction));
}

bool Graph::HasNeighborsWhereNeeded(const InsertPlan& plan,
                                    const EntryPoint& entry) const {
  if (!entry.exists) return true;
  const uint32_t shared_top = std::min(plan.top_layer, entry.layer);
  for (uint32_t layer = 0; layer <= shared_top; ++layer) {
    const std::vector<Neighbor>& neighbors = plan.neighbors[layer];
    if (std::none_of(neighbors.begin(), neighbors.end(),
                     [&](const Neighbor& neighbor) {
                       return StandsOn(neighbor.slot, layer);
                     })) {
      return false;
    }
  }
  return true;
}

void Graph::Link(const InsertPlan& plan) {
  const EntryPoint entry = entry_point();
  if (!HasNeighborsWhereNeeded(plan, entry)) {
    Link(Plan(plan.slot, link_scratch_));
    return;
  }
  nodes_.MakeNode(plan.slot, plan.top_layer);
  for (uint32_t layer = 0; layer <= plan.top_layer; ++layer) {
    link_ids_.clear();
    for (const Neighbor& neighbor : plan.neighbors[layer]) {
      if (StandsOn(neighbor.slot, layer)) {
        link_ids_.push_back(neighbor.slot);
      }
    }
    nodes_.links(plan.slot, layer).Assign(link_ids_);
  }
  for (uint32_t layer = 0; layer <= plan.top_layer; ++layer) {
    for (const Neighbor& neighbor : plan.neighbors[layer]) {
      if (StandsOn(neighbor.slot, layer)) {
        LinkBack(neighbor.slot, layer, plan.slot, neighbor.distance);
      }
    }
  }
  if (!entry.exists || plan.top_layer > entry.layer) {
    StoreEntryPoint(plan.slot, plan.top_layer);
  }
}

// Adds new_slot to the links of `neighbor`; a full list is selected anew from
// its links and the new one.
void Graph::LinkBack(uint32_t neighbor, uint32_t layer, uint32_t new_slot,
                     float distance) {
  LinkList links = nodes_.links(neighbor, layer);
  const uint32_t degree = links.degree();
  if (degree < links.capacity()) {
    links.Append(new_slot);
    return;
  }
  DistanceBatch& batch = link_scratch_.hop;
  batch.Clear();
  for (uint32_t i = 0; i < degree; ++i) {
    const uint32_t id = links.id(i);
    batch.Add(id, nodes_.row(id));
  }
  batch.Compute(distance_, PrepareSlot(neighbor));
  std::vector<NeighborKey>& keys = link_scratch_.results;
  keys.assign(1, KeyOf(distance, new_slot));
  for (size_t i = 0; i < batch.size(); ++i) keys.push_back(batch.key(i));
  std::sort(keys.begin(), keys.end());
  link_scratch_.pool.clear();
  for (NeighborKey key : keys) {
    link_scratch_.pool.push_back(NeighborOf(key));
  }
  SelectNeighbors(nodes_, distance_, links.capacity(), link_scratch_);
  std::vector<uint32_t>& ids = link_ids_;
  ids.clear();
  for (const Neighbor& selected : link_scratch_.selected) {
    ids.push_back(selected.slot);
  }
  links.Assign(ids);
}

}  // namespace engram::index
