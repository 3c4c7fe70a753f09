// Algorithm 1 of the paper, in two phases.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
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
  parents_.resize(slot_count(), kNoSlot);
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
      if (!StandsOn(neighbor.slot, layer)) continue;
      const bool accepted =
          LinkBack(neighbor.slot, layer, plan.slot, neighbor.distance);
      if (accepted && layer == 0 && parents_[plan.slot] == kNoSlot &&
          parents_[neighbor.slot] != kNoSlot) {
        parents_[plan.slot] = neighbor.slot;
      }
    }
  }
  if (!entry.exists) {
    parents_[plan.slot] = plan.slot;
  } else if (parents_[plan.slot] == kNoSlot) {
    ForceInLink(plan.slot);
  }
  if (!entry.exists || plan.top_layer > entry.layer) {
    StoreEntryPoint(plan.slot, plan.top_layer);
    // The tree gets a new root; there are about log(N) / log(M) of them in the
    // life of a graph.
    if (entry.exists) ReattachAll();
  }
}

// Adds new_slot to the links of `neighbor`; a full list is selected anew from
// its links and the new one. Returns whether new_slot is among them.
bool Graph::LinkBack(uint32_t neighbor, uint32_t layer, uint32_t new_slot,
                     float distance) {
  LinkList links = nodes_.links(neighbor, layer);
  const uint32_t degree = links.degree();
  if (degree < links.capacity()) {
    links.Append(new_slot);
    return true;
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
  if (layer == 0 && !KeepTreeLinks(neighbor, &ids)) return false;
  links.Assign(ids);
  return std::find(ids.begin(), ids.end(), new_slot) != ids.end();
}

// --- The tree of layer 0: see graph.h, invariant (4).

// Makes `ids`, the nearest-first selection that is to replace the links of
// `host`, keep the tree whole: a child that was not selected gets another
// parent, or else its link back, at the cost of the farthest other one. False
// if there is no other: then the list must stay as it is.
bool Graph::KeepTreeLinks(uint32_t host, std::vector<uint32_t>* ids) {
  const LinkList links = nodes_.links(host, 0);
  for (uint32_t i = 0; i < links.degree(); ++i) {
    const uint32_t child = links.id(i);
    if (parents_[child] != host ||
        std::find(ids->begin(), ids->end(), child) != ids->end() ||
        FindOtherParent(child)) {
      continue;
    }
    if (ids->size() == links.capacity()) {
      const auto spare =
          std::find_if(ids->rbegin(), ids->rend(),
                       [&](uint32_t other) { return parents_[other] != host; });
      if (spare == ids->rend()) return false;
      ids->erase(std::next(spare).base());
    }
    ids->push_back(child);
  }
  return true;
}

// Gives `child` another parent: a neighbor that links back to it and does not
// hang below it itself.
bool Graph::FindOtherParent(uint32_t child) {
  const LinkList links = nodes_.links(child, 0);
  for (uint32_t i = 0; i < links.degree(); ++i) {
    const uint32_t candidate = links.id(i);
    if (candidate == parents_[child]) continue;
    const LinkList back = nodes_.links(candidate, 0);
    bool links_back = false;
    for (uint32_t j = 0; j < back.degree(); ++j) {
      links_back |= back.id(j) == child;
    }
    if (links_back && IsOutsideSubtree(candidate, child)) {
      parents_[child] = candidate;
      return true;
    }
  }
  return false;
}

// Whether the way up from `slot` surely does not pass `root_of_subtree`. The
// tree may be deep (vectors along a line make a chain), so the way is followed
// for a bounded number of steps only.
bool Graph::IsOutsideSubtree(uint32_t slot, uint32_t root_of_subtree) const {
  constexpr int kStepsMax = 100;
  for (int step = 0; step < kStepsMax; ++step) {
    if (slot == root_of_subtree || slot == kNoSlot) return false;
    if (parents_[slot] == slot) return true;
    slot = parents_[slot];
  }
  return false;
}

// None of its neighbors took the new node in. Its nearest one does, in place
// of its farthest link, which the new node takes over.
void Graph::ForceInLink(uint32_t new_slot) {
  LinkList own = nodes_.links(new_slot, 0);
  const uint32_t host = own.id(0);
  LinkList links = nodes_.links(host, 0);
  DistanceBatch& batch = link_scratch_.hop;
  batch.Clear();
  for (uint32_t i = 0; i < links.degree(); ++i) {
    batch.Add(links.id(i), nodes_.row(links.id(i)));
  }
  batch.Compute(distance_, PrepareSlot(host));
  uint32_t farthest = 0;
  for (uint32_t i = 1; i < links.degree(); ++i) {
    if (batch.key(i) > batch.key(farthest)) farthest = i;
  }
  const uint32_t evicted = links.id(farthest);
  bool linked = false;
  for (uint32_t i = 0; i < own.degree(); ++i) linked |= own.id(i) == evicted;
  // The new node has at most M links so far, and room for 2 M.
  if (!linked) own.Append(evicted);
  links.Replace(farthest, new_slot);
  parents_[new_slot] = host;
  if (parents_[evicted] == host) parents_[evicted] = new_slot;
}

}  // namespace engram::index
