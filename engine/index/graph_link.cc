// Algorithm 1 of the paper, second phase: a planned node is linked.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/index/graph.h"
#include "engine/index/select_neighbors.h"
#include "storage/base/check.h"

namespace engram::index {

// Whether enough of what was planned is still there.
bool Graph::IsStillGood(const InsertPlan& plan) const {
  const EntryPoint entry = entry_point();
  if (!entry.exists) return true;
  const uint32_t shared_top = std::min(plan.top_layer, entry.layer);
  for (uint32_t layer = 0; layer <= shared_top; ++layer) {
    const std::vector<Neighbor>& neighbors = plan.neighbors[layer];
    const auto standing = std::count_if(
        neighbors.begin(), neighbors.end(), [&](const Neighbor& neighbor) {
          return nodes_.StandsOn(neighbor.slot, layer);
        });
    const auto planned = static_cast<ptrdiff_t>(neighbors.size());
    const auto enough =
        std::min(planned, static_cast<ptrdiff_t>(options_.M / 2));
    if (standing == 0 || standing < enough) return false;
  }
  return true;
}

bool Graph::LinkAsTwin(const InsertPlan& plan) {
  uint32_t head = plan.twin_of;
  if (nodes_.is_twin(head)) head = nodes_.head_of(head);
  if (!nodes_.is_node(head) || !compare_.AreTwins(plan.slot, head)) {
    return false;
  }
  nodes_.MakeTwin(plan.slot, head);
  twin_count_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void Graph::Link(const InsertPlan& plan) {
  if (plan.twin_of != kNoSlot) {
    if (!LinkAsTwin(plan)) Link(Plan(plan.slot, link_scratch_));
    return;
  }
  if (!IsStillGood(plan)) {
    Link(Plan(plan.slot, link_scratch_));
    return;
  }
  const EntryPoint entry = entry_point();
  nodes_.MakeNode(plan.slot, plan.top_layer);
  std::vector<uint32_t>& ids = link_scratch_.ids;
  for (uint32_t layer = 0; layer <= plan.top_layer; ++layer) {
    ids.clear();
    for (const Neighbor& neighbor : plan.neighbors[layer]) {
      if (nodes_.StandsOn(neighbor.slot, layer)) ids.push_back(neighbor.slot);
    }
    editor_.Assign(plan.slot, layer, ids);
  }
  for (uint32_t layer = 0; layer <= plan.top_layer; ++layer) {
    LinkOneLayer(plan, layer);
  }
  if (!entry.exists) {
    nodes_.set_parent(plan.slot, plan.slot);
    StoreEntryPoint(plan.slot, plan.top_layer);
    return;
  }
  const bool tree_is_whole =
      nodes_.parent(plan.slot) != kNoSlot || ForceInLink(plan.slot);
  if (plan.top_layer > entry.layer) {
    // The tree gets a new root, at which searches begin once it leads
    // everywhere; there are about log(N) / log(M) of them in the life of a
    // graph.
    ReattachAll(plan.slot, kNoSlot);
    StoreEntryPoint(plan.slot, plan.top_layer);
  } else if (!tree_is_whole) {
    ReattachAll(entry.slot, kNoSlot);
  }
}

// Links the neighbors of a new node back to it.
void Graph::LinkOneLayer(const InsertPlan& plan, uint32_t layer) {
  const std::vector<Neighbor>& neighbors = plan.neighbors[layer];
  bool refused_by_hub = false;
  for (size_t i = 0; i < neighbors.size(); ++i) {
    const uint32_t slot = neighbors[i].slot;
    if (!nodes_.StandsOn(slot, layer)) continue;
    const bool wanted =
        i < plan.chosen[layer] ||
        nodes_.links(slot, layer).degree() < DegreeWithRoom(layer);
    if (!wanted || !LinkBack(slot, layer, plan.slot, neighbors[i].distance)) {
      refused_by_hub |= editor_.IsHub(slot, layer);
      continue;
    }
    if (layer == 0 && nodes_.parent(plan.slot) == kNoSlot &&
        nodes_.parent(slot) != kNoSlot) {
      nodes_.set_parent(plan.slot, slot);
    }
  }
  if (refused_by_hub) LeaveHubs(plan.slot, layer);
}

// Neighbors that were filled in link back to a new node while they have fewer
// links than this. It spares choosing most lists anew: on raw GloVe linking
// took 19 us an insert without it, and 6 with it.
uint32_t Graph::DegreeWithRoom(uint32_t layer) const {
  return nodes_.LinkCapacity(layer) / 4 * 3;
}

// Takes the links to hubs that do not link back from a new node; the last one
// gives way to the nearest of the hub's own links.
void Graph::LeaveHubs(uint32_t slot, uint32_t layer) {
  std::vector<uint32_t>& ids = link_scratch_.ids;
  nodes_.links(slot, layer).CopyTo(&ids);
  uint32_t last_hub = kNoSlot;
  ids.erase(std::remove_if(ids.begin(), ids.end(),
                           [&](uint32_t id) {
                             if (!editor_.IsHub(id, layer) ||
                                 nodes_.links(id, layer).Contains(slot)) {
                               return false;
                             }
                             last_hub = id;
                             return true;
                           }),
            ids.end());
  if (ids.empty()) {
    Hop& hop = link_scratch_.hop;
    hop.count = 0;
    const LinkList links = nodes_.links(last_hub, layer);
    for (uint32_t i = 0; i < links.capacity(); ++i) {
      const uint32_t id = links.id(i);
      if (id == kNoSlot) break;
      if (!editor_.IsHub(id, layer)) hop.Add(id);
    }
    compare_.PrepareSlot(slot, &link_scratch_.other);
    compare_.Fine(link_scratch_.other, hop.slots, hop.count, hop.distances);
    NeighborKey nearest = kKeyMax;
    for (size_t i = 0; i < hop.count; ++i) {
      nearest = std::min(nearest, hop.key(i));
    }
    if (nearest != kKeyMax) ids.push_back(SlotOf(nearest));
  }
  editor_.Assign(slot, layer, ids);
}

// Adds new_slot to the links of `neighbor`; a full list is selected anew from
// its links and the new one. Returns whether new_slot is among them.
bool Graph::LinkBack(uint32_t neighbor, uint32_t layer, uint32_t new_slot,
                     float distance) {
  const LinkList links = nodes_.links(neighbor, layer);
  if (links.degree() < links.capacity()) {
    editor_.Add(neighbor, layer, new_slot);
    return true;
  }
  Scratch& scratch = link_scratch_;
  Hop& hop = scratch.hop;
  hop.count = 0;
  for (uint32_t i = 0; i < links.capacity(); ++i) hop.Add(links.id(i));
  compare_.PrepareSlot(neighbor, &scratch.query);
  compare_.Fine(scratch.query, hop.slots, hop.count, hop.distances);
  std::vector<NeighborKey>& keys = scratch.results;
  keys.assign(1, KeyOf(distance, new_slot));
  for (size_t i = 0; i < hop.count; ++i) keys.push_back(hop.key(i));
  std::sort(keys.begin(), keys.end());
  scratch.pool.clear();
  for (const NeighborKey key : keys) scratch.pool.push_back(NeighborOf(key));
  SelectNeighbors(compare_, &SlotDistance::Fine, links.capacity(), 0, scratch);
  std::vector<uint32_t>& ids = scratch.ids;
  ids.clear();
  for (const Neighbor& selected : scratch.selected) {
    ids.push_back(selected.slot);
  }
  if (layer == 0 && !KeepTreeLinks(neighbor, &ids)) return false;
  editor_.Assign(neighbor, layer, ids);
  return std::find(ids.begin(), ids.end(), new_slot) != ids.end();
}

}  // namespace engram::index
