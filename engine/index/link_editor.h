// Changes to neighbor lists, which keep the in-neighbors of every node known:
// those of its neighbors that link back, and the list of one-way in-links. Each
// node whose list is changed is marked so in the NodeStore.
//
// Thread safety: the graph's writer's own; readers may look at the lists.

#ifndef ENGRAM_ENGINE_INDEX_LINK_EDITOR_H_
#define ENGRAM_ENGINE_INDEX_LINK_EDITOR_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/index/node_store.h"
#include "engine/index/one_way_links.h"
#include "storage/base/mapped_allocator.h"

namespace engram::index {

// One-way in-links that a node may have on a layer. With the neighbors that
// link back that is an in-degree of about 512 at M = 16. In sets with hubs
// (raw GloVe) a few nodes are in nearly every list: they make removal slow, and
// no walk misses one link of thousands.
inline constexpr size_t kOneWayLinksMax = 480;

struct OneWayLink {
  uint32_t from = 0;
  uint32_t layer = 0;
  uint32_t to = 0;
};

// Some million of a large graph, for a moment.
using OneWayLinkList = std::vector<OneWayLink, MappedAllocator<OneWayLink>>;

class LinkEditor {
 public:
  // `nodes` must outlive the object.
  explicit LinkEditor(NodeStore* nodes) : nodes_(*nodes) {}

  // Adds a link; the list of `from` must have room.
  void Add(uint32_t from, uint32_t layer, uint32_t to);

  // Makes `ids` the links of `from`.
  void Assign(uint32_t from, uint32_t layer, absl::Span<const uint32_t> ids);

  // Puts a link to `to` in place `i` of the list of `from`.
  void Replace(uint32_t from, uint32_t layer, uint32_t i, uint32_t to);

  // The same on both sides: `heir` stands in the place of `slot`, whose lists
  // it has inherited, and is linked to instead.
  void Succeed(uint32_t slot, uint32_t heir, uint32_t layer,
               absl::Span<const uint32_t> in_neighbors);

  // Forgets the links of `from`, to which nobody links any more; the list stays
  // as it is for those who stand there.
  void Forget(uint32_t from, uint32_t layer);

  void CopyInNeighbors(uint32_t slot, uint32_t layer,
                       std::vector<uint32_t>* out) const;

  // Whether `slot` has as many one-way in-links as it may.
  bool IsHub(uint32_t slot, uint32_t layer) const {
    return one_way_.count(*nodes_.one_way(slot, layer)) >= kOneWayLinksMax;
  }

  // After lists were restored: finds out who is linked one way, in two steps.
  // The first adds to `found` those of one list, and counts its other links;
  // several threads may take it for different lists, as long as none changes.
  // The second notes one that was found. Links to hubs beyond the limit are
  // left out.
  void FindOneWay(uint32_t slot, uint32_t layer, OneWayLinkList* found) const;
  void RestoreOneWay(const OneWayLink& link);

  uint64_t memory_bytes() const { return one_way_.memory_bytes(); }

 private:
  // What follows for the lists of in-neighbors when a link has come, or gone.
  void NoteAdded(uint32_t from, uint32_t layer, uint32_t to);
  void NoteDropped(uint32_t from, uint32_t layer, uint32_t to);

  NodeStore& nodes_;
  OneWayLinks one_way_;
  std::vector<uint32_t> gone_;
  std::vector<uint32_t> come_;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_LINK_EDITOR_H_
