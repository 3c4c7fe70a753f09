// The tree of layer 0: see graph.h, invariant (4).

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

#include "engine/index/graph.h"
#include "storage/base/check.h"

namespace engram::index {

// Makes `ids`, the nearest-first selection that is to replace the links of
// `host`, keep the tree whole: a child that was not selected gets another
// parent, or else its link back, at the cost of the farthest other one. False
// if there is no other: then the list must stay as it is.
bool Graph::KeepTreeLinks(uint32_t host, std::vector<uint32_t>* ids) {
  const LinkList links = nodes_.links(host, 0);
  for (uint32_t i = 0; i < links.capacity(); ++i) {
    const uint32_t child = links.id(i);
    if (child == kNoSlot) break;
    if (std::find(ids->begin(), ids->end(), child) != ids->end()) continue;
    if (nodes_.parent(child) != host || FindOtherParent(child)) {
      if (nodes_.in_degree(child) <= kInDegreeMin && nodes_.is_node(child) &&
          nodes_.parent(child) != kNoSlot && ids->size() < links.capacity()) {
        ids->push_back(child);
      }
      continue;
    }
    if (ids->size() == links.capacity()) {
      const auto spare = std::find_if(
          ids->rbegin(), ids->rend(),
          [&](uint32_t other) { return nodes_.parent(other) != host; });
      if (spare == ids->rend()) return false;
      ids->erase(std::next(spare).base());
    }
    ids->push_back(child);
  }
  return true;
}

// Gives `child` another parent: a neighbor that links back to it and does not
// hang below it itself. Not any in-neighbor: one that is no neighbor of the
// child may be far away, and a walk that looks for the child does not come
// there (0.3 % of a churned set were not found by their own vectors).
bool Graph::FindOtherParent(uint32_t child) {
  const LinkList links = nodes_.links(child, 0);
  for (uint32_t i = 0; i < links.capacity(); ++i) {
    const uint32_t candidate = links.id(i);
    if (candidate == kNoSlot) break;
    if (candidate == nodes_.parent(child) ||
        !nodes_.links(candidate, 0).Contains(child) ||
        !IsOutsideSubtree(candidate, child)) {
      continue;
    }
    nodes_.set_parent(child, candidate);
    return true;
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
    const uint32_t parent = nodes_.parent(slot);
    if (parent == slot) return true;
    slot = parent;
  }
  return false;
}

// None of its neighbors that are in the tree took the new node in. The nearest
// of them does: in a free place, or in that of its farthest link, which the new
// node takes over. False if no neighbor is in the tree.
bool Graph::ForceInLink(uint32_t new_slot) {
  std::vector<uint32_t>& hosts = link_scratch_.more_ids;
  nodes_.links(new_slot, 0).CopyTo(&hosts);
  const auto in_tree =
      std::find_if(hosts.begin(), hosts.end(),
                   [&](uint32_t id) { return nodes_.parent(id) != kNoSlot; });
  if (in_tree == hosts.end()) return false;
  const uint32_t host = *in_tree;
  if (AdoptChild(host, new_slot, link_scratch_)) return true;
  // No link of the host is to spare: one of them goes on from the new node.
  const uint32_t place = FarthestPlace(host, link_scratch_);
  const uint32_t evicted = nodes_.links(host, 0).id(place);
  // The new node has at most M links so far, and room for 2 M.
  if (!nodes_.links(new_slot, 0).Contains(evicted)) {
    editor_.Add(new_slot, 0, evicted);
  }
  nodes_.set_parent(new_slot, host);
  if (nodes_.parent(evicted) == host) nodes_.set_parent(evicted, new_slot);
  editor_.Replace(host, 0, place, new_slot);
  return true;
}

// The place of the farthest link of `host` on layer 0 that `may_go`; kNoSlot if
// there is none.
template <typename MayGo>
uint32_t Graph::FarthestPlaceThat(const MayGo& may_go, uint32_t host,
                                  Scratch& scratch) const {
  const LinkList links = nodes_.links(host, 0);
  Hop& hop = scratch.hop;
  hop.count = 0;
  uint32_t places[kHopSlotsMax];
  for (uint32_t i = 0; i < links.capacity(); ++i) {
    const uint32_t id = links.id(i);
    if (id == kNoSlot) break;
    if (!may_go(id)) continue;
    places[hop.count] = i;
    hop.Add(id);
  }
  if (hop.count == 0) return kNoSlot;
  compare_.PrepareSlot(host, &scratch.other);
  compare_.Fine(scratch.other, hop.slots, hop.count, hop.distances);
  size_t farthest = 0;
  for (size_t i = 1; i < hop.count; ++i) {
    if (hop.key(i) > hop.key(farthest)) farthest = i;
  }
  return places[farthest];
}

uint32_t Graph::FarthestPlace(uint32_t host, Scratch& scratch) const {
  return FarthestPlaceThat([](uint32_t) { return true; }, host, scratch);
}

// Makes `host` the parent of `child`, with a new link if there is none. False
// if the host has no place for it.
bool Graph::AdoptChild(uint32_t host, uint32_t child, Scratch& scratch) {
  if (!nodes_.links(host, 0).Contains(child) &&
      !LinkFrom(host, child, scratch)) {
    return false;
  }
  nodes_.set_parent(child, host);
  return true;
}

// Links `host` to `slot`, which it has not, on layer 0: in a free place, or in
// that of its farthest link that is neither in the tree nor one of few to its
// node. False if it has neither.
bool Graph::LinkFrom(uint32_t host, uint32_t slot, Scratch& scratch) {
  const LinkList links = nodes_.links(host, 0);
  if (links.degree() < links.capacity()) {
    editor_.Add(host, 0, slot);
    return true;
  }
  const auto may_go = [&](uint32_t id) {
    return nodes_.parent(id) != host && nodes_.in_degree(id) > kInDegreeMin;
  };
  const uint32_t place = FarthestPlaceThat(may_go, host, scratch);
  if (place == kNoSlot) return false;
  editor_.Replace(host, 0, place, slot);
  return true;
}

}  // namespace engram::index
