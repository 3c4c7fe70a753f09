// Makes nodes reachable that the entry point does not lead to any more.
//
// A breadth-first search gives the reachable nodes a tree, rooted in the entry
// point, whose links are kept: replacing a link outside the tree takes nothing
// out of reach. An unreachable live node is linked from a reachable one near
// it and brings its own links into the tree. One pass is therefore enough.
//
// The links of the tree that stood before are kept, too: walks beside the pass
// may still begin at its root, and find by way of it what they found before.
//
// Room is never lacking: N reachable nodes have N - 1 links in the one tree and
// at most N in the other, so if no list had a free place or a link outside
// both, N * M0 <= 2 N - 1, and M0 is at least 4.

#include <algorithm>
#include <cstddef>
#include <cstdint>
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
  // Nothing is reached by way of `avoided`; kNoSlot avoids nothing.
  ReachedTree(const NodeStore& nodes, uint32_t avoided)
      : nodes_(nodes),
        avoided_(avoided),
        parents_(nodes.slot_count(), kNoSlot) {}

  // Makes the nodes' parents those of this tree, now and from now on: a change
  // of links spares those that the stored parents need.
  void StoreIn(NodeStore* nodes) {
    stored_in_ = nodes;
    parents_before_.assign(slot_count(), kNoSlot);
    for (uint32_t slot = 0; slot < slot_count(); ++slot) {
      if (!nodes->is_node(slot)) continue;
      parents_before_[slot] = nodes->parent(slot);
      nodes->set_parent(slot, parents_[slot]);
    }
  }

  // Reaches `root` from `parent` (itself for the first), then all that its
  // links lead to.
  void Reach(uint32_t root, uint32_t parent) {
    SetParent(root, parent);
    queue_.assign(1, root);
    for (size_t next = 0; next < queue_.size(); ++next) {
      if (next + kAhead < queue_.size()) {
        nodes_.PrefetchLinks(queue_[next + kAhead]);
      }
      const uint32_t slot = queue_[next];
      const LinkList links = nodes_.links(slot, 0);
      for (uint32_t i = 0; i < links.capacity(); ++i) {
        const uint32_t id = links.id(i);
        if (id == kNoSlot) break;
        if (id == avoided_ || IsReached(id)) continue;
        SetParent(id, slot);
        queue_.push_back(id);
      }
    }
  }

  bool IsReached(uint32_t slot) const { return parents_[slot] != kNoSlot; }
  // Of this tree, or of the one that it replaced in StoreIn().
  bool IsTreeLink(uint32_t from, uint32_t to) const {
    return to == avoided_ || parents_[to] == from ||
           (!parents_before_.empty() && parents_before_[to] == from);
  }
  uint32_t slot_count() const { return static_cast<uint32_t>(parents_.size()); }

 private:
  static constexpr size_t kAhead = 8;

  void SetParent(uint32_t slot, uint32_t parent) {
    parents_[slot] = parent;
    if (stored_in_ != nullptr && stored_in_->is_node(slot)) {
      stored_in_->set_parent(slot, parent);
    }
  }

  const NodeStore& nodes_;
  uint32_t avoided_;
  NodeStore* stored_in_ = nullptr;
  std::vector<uint32_t> parents_;
  std::vector<uint32_t> parents_before_;
  std::vector<uint32_t> queue_;
};

// Gives unreachable nodes an in-link, one at a time.
class Attacher {
 public:
  Attacher(const NodeStore& nodes, const SlotDistance& compare,
           LinkEditor* editor, ReachedTree* tree, Scratch* scratch)
      : nodes_(nodes),
        compare_(compare),
        editor_(*editor),
        tree_(*tree),
        scratch_(*scratch) {}

  // `nearby` are reached nodes, nearest first.
  void Attach(uint32_t slot, const std::vector<uint32_t>& nearby) {
    const uint32_t host = LinkFromOneOf(nearby, slot);
    tree_.Reach(slot, host != kNoSlot ? host : LinkFromAnywhere(slot));
  }

 private:
  // Links `slot` from the nearest node with room; if there is none, from the
  // nearest that has a link to spare. Returns kNoSlot if none has.
  uint32_t LinkFromOneOf(const std::vector<uint32_t>& nearby, uint32_t slot) {
    for (const uint32_t host : nearby) {
      if (LinkIfRoom(host, slot)) return host;
    }
    for (const uint32_t host : nearby) {
      if (ReplaceSpareLink(host, slot)) return host;
    }
    return kNoSlot;
  }

  uint32_t LinkFromAnywhere(uint32_t slot) {
    for (uint32_t host = 0; host < tree_.slot_count(); ++host) {
      if (!tree_.IsReached(host)) continue;
      if (LinkIfRoom(host, slot) || ReplaceSpareLink(host, slot)) return host;
    }
    // Excluded by the count at the top of this file.
    ENGRAM_CHECK(false);
    return kNoSlot;
  }

  bool LinkIfRoom(uint32_t host, uint32_t slot) {
    const LinkList links = nodes_.links(host, 0);
    if (links.degree() == links.capacity()) return false;
    editor_.Add(host, 0, slot);
    return true;
  }

  // Replaces the farthest link of `host` outside the tree, if it has one.
  bool ReplaceSpareLink(uint32_t host, uint32_t slot) {
    const LinkList links = nodes_.links(host, 0);
    Hop& hop = scratch_.hop;
    hop.count = 0;
    spare_places_.clear();
    for (uint32_t i = 0; i < links.capacity(); ++i) {
      const uint32_t id = links.id(i);
      if (tree_.IsTreeLink(host, id)) continue;
      hop.Add(id);
      spare_places_.push_back(i);
    }
    if (spare_places_.empty()) return false;
    compare_.PrepareSlot(host, &scratch_.other);
    compare_.Fine(scratch_.other, hop.slots, hop.count, hop.distances);
    size_t farthest = 0;
    for (size_t i = 1; i < hop.count; ++i) {
      if (hop.key(i) > hop.key(farthest)) farthest = i;
    }
    editor_.Replace(host, 0, spare_places_[farthest], slot);
    return true;
  }

  const NodeStore& nodes_;
  const SlotDistance& compare_;
  LinkEditor& editor_;
  ReachedTree& tree_;
  Scratch& scratch_;
  std::vector<uint32_t> spare_places_;
};

}  // namespace

uint64_t Graph::CountUnreachable(SlotFilter is_live) const {
  ReachedTree tree(nodes_, kNoSlot);
  const EntryPoint entry = entry_point();
  if (entry.exists) tree.Reach(entry.slot, entry.slot);
  uint64_t unreachable = 0;
  for (uint32_t slot = 0; slot < tree.slot_count(); ++slot) {
    if (!nodes_.is_linked(slot) || !is_live(slot)) continue;
    const uint32_t node = nodes_.is_twin(slot) ? nodes_.head_of(slot) : slot;
    if (!tree.IsReached(node)) ++unreachable;
  }
  return unreachable;
}

uint64_t Graph::Reattach(SlotFilter is_live, Scratch& scratch) {
  const EntryPoint entry = entry_point();
  return entry.exists ? ReattachTo(entry.slot, kNoSlot, is_live, scratch) : 0;
}

// Makes the live nodes hang below `root`, none of them below `avoided`, which
// is about to leave.
uint64_t Graph::ReattachTo(uint32_t root, uint32_t avoided, SlotFilter is_live,
                           Scratch& scratch) {
  ReachedTree tree(nodes_, avoided);
  tree.Reach(root, root);
  tree.StoreIn(&nodes_);
  Attacher attacher(nodes_, compare_, &editor_, &tree, &scratch);
  const size_t width =
      std::max<size_t>(options_.ef_construction, kHostSearchWidthMin);
  uint64_t attached = 0;
  std::vector<uint32_t> nearby;
  for (uint32_t slot = 0; slot < tree.slot_count(); ++slot) {
    if (!nodes_.is_node(slot) || slot == avoided || tree.IsReached(slot)) {
      continue;
    }
    // A removed head stands for its copies until it is unlinked.
    if (!is_live(slot) && nodes_.next_twin(slot) == kNoSlot) continue;
    // From the root and not down the layers above, which may lead onto
    // a node that is itself unreachable.
    compare_.PrepareSlot(slot, &scratch.query);
    SearchLayer(nodes_, compare_, WalkKey(root, scratch), kKeyMax, 0, width,
                scratch);
    nearby.clear();
    for (size_t i = 0; i < scratch.beam.size(); ++i) {
      const uint32_t near = SlotOf(scratch.beam.key(i));
      if (tree.IsReached(near)) nearby.push_back(near);
    }
    attacher.Attach(slot, nearby);
    ++attached;
  }
  return attached;
}

void Graph::ReattachAll(uint32_t root, uint32_t avoided) {
  ReattachTo(
      root, avoided, [](uint32_t) { return true; }, link_scratch_);
}

void Graph::StoreSpanningTree() {
  ReachedTree tree(nodes_, kNoSlot);
  const EntryPoint entry = entry_point();
  if (entry.exists) tree.Reach(entry.slot, entry.slot);
  tree.StoreIn(&nodes_);
}

}  // namespace engram::index
