// The memory of a graph: vectors, codes and links by slot.
//
// Slots live in chunks; an address is chunk_table[slot >> shift] plus an
// offset. A chunk is mapped anonymously, becomes resident page by page, and
// never moves. When the chunk table is full, a bigger one is published through
// an atomic pointer and the old one is kept until destruction (the tables
// double, so all old ones together are smaller than the current one). Readers
// therefore never see a resize.
//
//   chunk := rows:     slots x row_bytes     (components, inverse norm)
//            crumbs:   slots x crumb_bytes   (see vector_codec.h)
//            high:     slots x high_bytes
//            low:      slots x low_bytes
//            links:    slots x M0 x u32      (layer 0)
//            headers:  slots x NodeHeader
//
// Parts of no bytes are left out. What a walk touches most stands together and
// apart from the rest.
//
// A slot is *linked* while it is a node or the twin of one. It stays readable
// after MarkUnlinked(), until Release() gives its upper layers back.
//
// Thread safety: one writer, any number of readers. A reader may ask for a
// slot that it found in a link list, in a chain of twins, or as the entry
// point; each of these was stored with release after what it leads to.

#ifndef ENGRAM_ENGINE_INDEX_NODE_STORE_H_
#define ENGRAM_ENGINE_INDEX_NODE_STORE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "engine/index/changed_slots.h"
#include "engine/index/layer_assignment.h"
#include "engine/index/link_list.h"
#include "engine/index/neighbor.h"
#include "engine/index/one_way_links.h"

namespace engram::index {

struct NodeLayout {
  uint32_t dimension = 0;
  uint32_t M = 0;  // a node has room for 2 * M links on layer 0, above for M
  bool keep_rows = true;
  size_t crumb_bytes = 0;
  size_t high_bytes = 0;
  size_t low_bytes = 0;
};

class NodeStore {
 public:
  static constexpr uint32_t kChunkSlotsMax = 4096;
  static constexpr size_t kChunkBytesMax = size_t{16} << 20;
  static constexpr uint32_t kSlotsMax = uint32_t{1} << 31;

  explicit NodeStore(const NodeLayout& layout);
  ~NodeStore();
  NodeStore(const NodeStore&) = delete;
  NodeStore& operator=(const NodeStore&) = delete;

  const NodeLayout& layout() const { return layout_; }
  uint32_t slots_per_chunk() const { return 1u << chunk_shift_; }

  uint32_t slot_count() const {
    return slot_count_.load(std::memory_order_acquire);
  }

  // The components, followed by the inverse norm.
  float* row(uint32_t slot) const {
    return reinterpret_cast<float*>(At(slot, 0, row_stride_));
  }
  float inverse_norm(uint32_t slot) const {
    return row(slot)[layout_.dimension];
  }
  uint8_t* crumbs(uint32_t slot) const {
    return At(slot, crumbs_offset_, layout_.crumb_bytes);
  }
  uint8_t* high(uint32_t slot) const {
    return At(slot, high_offset_, layout_.high_bytes);
  }
  uint8_t* low(uint32_t slot) const {
    return At(slot, low_offset_, layout_.low_bytes);
  }

  uint32_t LinkCapacity(uint32_t layer) const {
    return layer == 0 ? 2 * layout_.M : layout_.M;
  }

  // `slot` must be, or have been, a node that stands on `layer`.
  LinkList links(uint32_t slot, uint32_t layer) const {
    if (layer == 0) return {layer0_ids(slot), 2 * layout_.M};
    return {header(slot)->upper + (layer - 1) * UpperWords() + kUpperIds,
            layout_.M};
  }

  void PrefetchLinks(uint32_t slot) const {
    const char* ids = reinterpret_cast<const char*>(layer0_ids(slot));
    __builtin_prefetch(ids);
    __builtin_prefetch(ids + 64);
  }

  void PrefetchHeader(uint32_t slot) const { __builtin_prefetch(header(slot)); }

  // The next in the chain of twins that begins with a node; kNoSlot at its end.
  uint32_t next_twin(uint32_t slot) const {
    return std::atomic_ref<uint32_t>(header(slot)->next_twin)
        .load(std::memory_order_acquire);
  }

  // Memory in use, not address space.
  uint64_t memory_bytes() const;

  // --- The rest is for the writer.

  // Makes room for the slots below `slot_count`, or as many of them as there is
  // memory for. Returns the new slot_count().
  uint32_t GrowTo(uint32_t slot_count);

  bool is_linked(uint32_t slot) const {
    return header(slot)->kind != Kind::kFree;
  }
  bool is_node(uint32_t slot) const {
    return header(slot)->kind == Kind::kNode;
  }
  bool is_twin(uint32_t slot) const {
    return header(slot)->kind == Kind::kTwin;
  }
  bool StandsOn(uint32_t slot, uint32_t layer) const {
    return is_node(slot) && header(slot)->top_layer >= layer;
  }

  // The highest layer of the node; 0 if `slot` is none.
  uint32_t top_layer(uint32_t slot) const {
    return is_node(slot) ? header(slot)->top_layer : 0;
  }

  // Makes `slot` a node with empty link lists on the layers 0 .. top_layer. It
  // must not be linked.
  void MakeNode(uint32_t slot, uint32_t top_layer);

  // Makes `slot`, not linked so far, the first twin in the chain of the node
  // `head`.
  void MakeTwin(uint32_t slot, uint32_t head);
  uint32_t head_of(uint32_t slot) const {
    return is_twin(slot) ? chain_heads_[header(slot)->parent] : kNoSlot;
  }

  // Takes a twin out of its chain. It leads on to the rest of it.
  void LeaveChain(uint32_t slot);

  // Puts `heir`, the first twin of the node `slot`, in its place: layers,
  // links, one-way in-links, parent, and the other twins. What links to `slot`
  // is the caller's. The chain still leads on from `slot` for those who stand
  // there.
  void InheritNode(uint32_t slot, uint32_t heir);

  void MarkUnlinked(uint32_t slot);

  // The tree of layer 0; see graph.h. Nodes only.
  uint32_t parent(uint32_t slot) const {
    return is_node(slot) ? header(slot)->parent : kNoSlot;
  }
  void set_parent(uint32_t slot, uint32_t parent) {
    header(slot)->parent = parent;
  }

  OneWayLinks::Handle* one_way(uint32_t slot, uint32_t layer) const {
    NodeHeader* node = header(slot);
    if (layer == 0) return &node->one_way;
    return node->upper + (layer - 1) * UpperWords() + kUpperOneWay;
  }

  // Notes that the slot is not any more what was saved of it: its kind, its
  // layers or its links, or the head of a twin. Changes of kind are noted here,
  // those of links by the LinkEditor.
  void MarkChanged(uint32_t slot) { changed_.Mark(slot); }

  // The slots that were noted since the last call, and maybe a few more.
  ChangedSlots TakeChanged();
  size_t changed_count() const { return changed_.count(); }

  // On layer 0; kept by the LinkEditor.
  uint16_t& in_degree(uint32_t slot) const { return header(slot)->in_degree; }

  // Some node whose top layer is the highest there is above 0, or kNoSlot.
  uint32_t AnyOfTopLayer() const;

  // Gives back what an unlinked slot holds beside its place. The slot may be
  // linked anew.
  void Release(uint32_t slot);

 private:
  enum class Kind : uint8_t { kFree = 0, kNode, kTwin };

  // Zero in a fresh mapping, which stands for a free slot.
  struct NodeHeader {
    uint32_t* upper;     // by layer from 1: UpperWords()
    uint32_t next_twin;  // atomic
    uint32_t parent;     // of a node: in the tree; of a twin: its chain
    OneWayLinks::Handle one_way;
    uint16_t in_degree;  // on layer 0
    Kind kind;
    uint8_t top_layer;  // until Release()
  };
  static_assert(sizeof(NodeHeader) == 24);

  // What stands before the ids of an upper layer.
  static constexpr size_t kUpperOneWay = 0;
  static constexpr size_t kUpperPlace = 1;  // in standing_
  static constexpr size_t kUpperIds = 2;
  size_t UpperWords() const { return kUpperIds + layout_.M; }

  struct ChunkTable {
    explicit ChunkTable(size_t capacity) : chunks(capacity) {}
    std::vector<char*> chunks;
  };

  uint8_t* At(uint32_t slot, size_t offset, size_t stride) const {
    char* const chunk =
        chunk_bases_.load(std::memory_order_acquire)[slot >> chunk_shift_];
    return reinterpret_cast<uint8_t*>(chunk + offset) +
           (slot & chunk_mask_) * stride;
  }
  uint32_t* layer0_ids(uint32_t slot) const {
    return reinterpret_cast<uint32_t*>(
        At(slot, links_offset_, size_t{2 * layout_.M} * sizeof(uint32_t)));
  }
  NodeHeader* header(uint32_t slot) const {
    return reinterpret_cast<NodeHeader*>(
        At(slot, headers_offset_, sizeof(NodeHeader)));
  }

  // A twin has no links; the first word of their place says who is before it
  // in the chain.
  uint32_t* previous_in_chain(uint32_t slot) const { return layer0_ids(slot); }

  size_t SlotBytes() const;
  char* MapChunk() const;
  bool AddChunk();
  void InitNode(uint32_t slot, uint32_t top_layer);
  void StoreNextTwin(uint32_t slot, uint32_t next);
  uint32_t ChainOf(uint32_t head);
  uint32_t* AllocateUpper(uint32_t layers);
  void EnterStanding(uint32_t slot, uint32_t top_layer);
  void LeaveStanding(uint32_t slot, uint32_t top_layer);
  uint32_t* place_in_standing(uint32_t slot, uint32_t layer) const {
    return header(slot)->upper + (layer - 1) * UpperWords() + kUpperPlace;
  }

  // Constant after construction.
  const NodeLayout layout_;
  const size_t row_stride_;
  const uint32_t chunk_shift_;
  const uint32_t chunk_mask_;
  size_t crumbs_offset_ = 0;
  size_t high_offset_ = 0;
  size_t low_offset_ = 0;
  size_t links_offset_ = 0;
  size_t headers_offset_ = 0;
  size_t chunk_bytes_ = 0;

  // Written by the writer, read by all.
  std::atomic<char* const*> chunk_bases_{nullptr};
  std::atomic<uint32_t> slot_count_{0};
  std::atomic<uint64_t> slab_bytes_{0};  // for memory_bytes() alone

  // The writer's own.
  std::vector<std::unique_ptr<ChunkTable>> tables_;  // the last is current
  size_t chunk_count_ = 0;
  std::vector<std::unique_ptr<uint32_t[]>> slabs_;
  size_t slab_size_ = 0;  // of the last slab, in words
  size_t slab_used_ = 0;
  // Blocks of upper layers that were given back, by number of layers.
  std::array<std::vector<uint32_t*>, kLayerMax + 1> free_upper_;
  // The node at the head of each chain of twins, and chains that are none any
  // more. A twin knows its chain, not its head: when the head of 100,000 copies
  // goes, one word changes.
  std::vector<uint32_t> chain_heads_;
  std::vector<uint32_t> free_chains_;
  ChangedSlots changed_;
  // Nodes that took the place of one with more twins: the head of these has
  // changed. They are only looked for in TakeChanged().
  std::vector<uint32_t> new_heads_;
  // By layer from 1: the nodes whose top layer it is.
  std::array<std::vector<uint32_t>, kLayerMax + 1> standing_;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_NODE_STORE_H_
