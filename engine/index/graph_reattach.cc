// Makes nodes reachable that the entry point does not lead to any more.
//
// A breadth-first search gives the reachable nodes a tree, rooted in the entry
// point, whose links are kept: replacing a link outside the tree takes nothing
// out of reach. An unreachable live node is linked from a reachable one near
// it and brings its own links into the tree. One pass is therefore enough.
// Room is never lacking: N reachable nodes have N - 1 links in the tree, so if
// no list had a free place or a link outside the tree, N * M0 <= N - 1.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/index/graph.h"
#include "engine/index/search_layer.h"
#include "storage/base/check.h"

namespace engram::index {
namespace {

constexpr size_t kHostSearchWidthMin = 64;

// The nodes reached on layer 0, each with the node from which it was reached.
class ReachedTree {
 public:
  explicit ReachedTree(const NodeStore& nodes)
      : nodes_(nodes), parents_(nodes.slot_count(), kNoSlot) {}

  // Reaches `root` from `parent` (itself for the first), then all that its
  // links lead to.
  void Reach(uint32_t root, uint32_t parent) {
    parents_[root] = parent;
    queue_.assign(1, root);
    for (size_t next = 0; next < queue_.size(); ++next) {
      const uint32_t slot = queue_[next];
      const LinkList links = nodes_.links(slot, 0);
      const uint32_t degree = links.degree();
      for (uint32_t i = 0; i < degree; ++i) {
        const uint32_t id = links.id(i);
        // A slot appended since the start is no concern of this search.
        if (id >= parents_.size() || IsReached(id)) continue;
        parents_[id] = slot;
        queue_.push_back(id);
      }
    }
  }

  bool IsReached(uint32_t slot) const { return parents_[slot] != kNoSlot; }
  bool IsTreeLink(uint32_t from, uint32_t to) const {
    return parents_[to] == from;
  }
  uint32_t slot_count() const { return static_cast<uint32_t>(parents_.size()); }
  std::vector<uint32_t> TakeParents() { return std::move(parents_); }

 private:
  const NodeStore& nodes_;
  std::vector<uint32_t> parents_;
  std::vector<uint32_t> queue_;
};

// Gives unreachable nodes an in-link, one at a time.
class Attacher {
 public:
  Attacher(const NodeStore& nodes, const VectorDistance& distance,
           ReachedTree* tree, Scratch* scratch)
      : nodes_(nodes), distance_(distance), tree_(*tree), scratch_(*scratch) {}

  // `nearby` are reached nodes, nearest first.
  void Attach(uint32_t slot, const std::vector<NeighborKey>& nearby) {
    const uint32_t host = LinkFromOneOf(nearby, slot);
    tree_.Reach(slot, host != kNoSlot ? host : LinkFromAnywhere(slot));
  }

 private:
  // Links `slot` from the nearest node with room; if there is none, from the
  // nearest that has a link to spare. Returns kNoSlot if none has.
  uint32_t LinkFromOneOf(const std::vector<NeighborKey>& nearby,
                         uint32_t slot) {
    for (NeighborKey key : nearby) {
      LinkList links = nodes_.links(SlotOf(key), 0);
      if (links.degree() == links.capacity()) continue;
      links.Append(slot);
      return SlotOf(key);
    }
    for (NeighborKey key : nearby) {
      if (ReplaceSpareLink(SlotOf(key), slot)) return SlotOf(key);
    }
    return kNoSlot;
  }

  uint32_t LinkFromAnywhere(uint32_t slot) {
    for (uint32_t host = 0; host < tree_.slot_count(); ++host) {
      if (!tree_.IsReached(host)) continue;
      LinkList links = nodes_.links(host, 0);
      if (links.degree() < links.capacity()) {
        links.Append(slot);
        return host;
      }
      if (ReplaceSpareLink(host, slot)) return host;
    }
    // Excluded by the count at the top of this file.
    ENGRAM_CHECK(false);
    return kNoSlot;
  }

  // Replaces the farthest link of `host` outside the tree, if it has one.
  bool ReplaceSpareLink(uint32_t host, uint32_t slot) {
    LinkList links = nodes_.links(host, 0);
    const uint32_t degree = links.degree();
    DistanceBatch& batch = scratch_.hop;
    batch.Clear();
    spare_places_.clear();
    for (uint32_t i = 0; i < degree; ++i) {
      const uint32_t id = links.id(i);
      if (tree_.IsTreeLink(host, id)) continue;
      batch.Add(id, nodes_.row(id));
      spare_places_.push_back(i);
    }
    if (spare_places_.empty()) return false;
    batch.Compute(distance_, {nodes_.row(host), nodes_.inverse_norm(host)});
    size_t farthest = 0;
    for (size_t i = 1; i < batch.size(); ++i) {
      if (batch.key(i) > batch.key(farthest)) farthest = i;
    }
    links.Replace(spare_places_[farthest], slot);
    return true;
  }

  const NodeStore& nodes_;
  const VectorDistance& distance_;
  ReachedTree& tree_;
  Scratch& scratch_;
  std::vector<uint32_t> spare_places_;
};

}  // namespace

// The parents of the nodes that the entry point leads to.
std::vector<uint32_t> Graph::SpanningTree() const {
  ReachedTree tree(nodes_);
  const EntryPoint entry = entry_point();
  if (entry.exists) tree.Reach(entry.slot, entry.slot);
  return tree.TakeParents();
}

uint64_t Graph::CountUnreachable(SlotFilter is_live) const {
  ReachedTree tree(nodes_);
  const EntryPoint entry = entry_point();
  // An entry point above the tree's size was linked after the tree was sized.
  if (entry.exists && entry.slot < tree.slot_count()) {
    tree.Reach(entry.slot, entry.slot);
  }
  uint64_t unreachable = 0;
  for (uint32_t slot = 0; slot < tree.slot_count(); ++slot) {
    if (!tree.IsReached(slot) && is_node(slot) && is_live(slot)) ++unreachable;
  }
  return unreachable;
}

uint64_t Graph::Reattach(SlotFilter is_live, Scratch& scratch) {
  const EntryPoint entry = entry_point();
  if (!entry.exists) return 0;
  ReachedTree tree(nodes_);
  tree.Reach(entry.slot, entry.slot);
  Attacher attacher(nodes_, distance_, &tree, &scratch);
  const size_t width =
      std::max<size_t>(options_.ef_construction, kHostSearchWidthMin);
  uint64_t attached = 0;
  for (uint32_t slot = 0; slot < tree.slot_count(); ++slot) {
    if (tree.IsReached(slot) || !is_node(slot) || !is_live(slot)) continue;
    // From the entry point and not down the layers above, which may lead onto
    // a node that is itself unreachable.
    const PreparedQuery query = PrepareSlot(slot);
    SearchLayer(nodes_, distance_, query, KeyOfSlot(query, entry.slot), 0,
                width, AcceptAll(), scratch);
    attacher.Attach(slot, scratch.results);
    ++attached;
  }
  parents_ = tree.TakeParents();
  return attached;
}

uint64_t Graph::ReattachAll() {
  return Reattach([](uint32_t) { return true; }, link_scratch_);
}

}  // namespace engram::index
