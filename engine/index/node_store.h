// The memory of a graph: vectors and links by slot.
//
// Slots live in chunks; an address is chunk_table[slot >> shift] plus an
// offset. A chunk is mapped anonymously, becomes resident page by page, and
// never moves. When the chunk table is full, a bigger one is published through
// an atomic pointer and the old one is kept until destruction (the tables
// double, so all old ones together are smaller than the current one). Readers
// therefore never see a resize.
//
//   chunk := rows:     slots x row_stride_bytes  (components, inverse norm)
//            links:    slots x M0 x u32          (layer 0)
//            headers:  slots x NodeHeader
//
// A slot is appended with its vector and becomes a node later, by MakeNode().
//
// Thread safety: one writer, any number of readers. A reader may ask for a
// slot that it found below slot_count(), in a link list, or as the entry
// point; each of these was stored with release after what it leads to.

#ifndef ENGRAM_ENGINE_INDEX_NODE_STORE_H_
#define ENGRAM_ENGINE_INDEX_NODE_STORE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "engine/index/link_list.h"

namespace engram::index {

class NodeStore {
 public:
  static constexpr uint32_t kChunkSlotsMax = 4096;
  static constexpr size_t kChunkRowBytesMax = size_t{16} << 20;

  // A node on layer 0 has room for 2 * M links, on each layer above for M.
  NodeStore(uint32_t dimension, uint32_t M);
  ~NodeStore();
  NodeStore(const NodeStore&) = delete;
  NodeStore& operator=(const NodeStore&) = delete;

  uint32_t dimension() const { return dimension_; }
  uint32_t slots_per_chunk() const { return 1u << chunk_shift_; }

  uint32_t slot_count() const {
    return slot_count_.load(std::memory_order_acquire);
  }

  // The components, followed by the inverse norm.
  const float* row(uint32_t slot) const {
    return reinterpret_cast<const float*>(chunk(slot) + (slot & chunk_mask_) *
                                                            row_stride_bytes_);
  }
  float inverse_norm(uint32_t slot) const { return row(slot)[dimension_]; }

  uint32_t LinkCapacity(uint32_t layer) const {
    return layer == 0 ? 2 * M_ : M_;
  }

  // `slot` must be a node that stands on `layer`, or `layer` 0.
  LinkList links(uint32_t slot, uint32_t layer) const {
    NodeHeader* node = header(slot);
    if (layer == 0) return {&node->degree, layer0_ids(slot), 2 * M_};
    uint32_t* list = node->upper_links + size_t{layer - 1} * (M_ + 1);
    return {list, list + 1, M_};
  }

  bool is_node(uint32_t slot) const { return layer_count(slot) > 0; }

  // The highest layer on which the node stands; 0 if `slot` is no node yet.
  uint32_t top_layer(uint32_t slot) const {
    const uint32_t layers = layer_count(slot);
    return layers == 0 ? 0 : layers - 1;
  }

  void PrefetchLinks(uint32_t slot) const {
    const char* ids = reinterpret_cast<const char*>(layer0_ids(slot));
    __builtin_prefetch(header(slot));
    __builtin_prefetch(ids);
    __builtin_prefetch(ids + 64);
  }

  void PrefetchRow(uint32_t slot) const { __builtin_prefetch(row(slot)); }

  // Memory in use, not address space: appended slots and upper links.
  uint64_t memory_bytes() const;

  // The rest is for the writer.

  // Copies `vector`, then releases slot_count(). Returns the new slot.
  uint32_t Append(absl::Span<const float> vector, float inverse_norm);

  // Makes `slot` a node with empty link lists on the layers 0 .. top_layer. It
  // must not be a node yet.
  void MakeNode(uint32_t slot, uint32_t top_layer);

 private:
  // Zero in a fresh mapping, which stands for "no node, no links".
  struct NodeHeader {
    uint32_t* upper_links;  // per layer from 1: a degree, then M ids
    uint32_t degree;        // of layer 0
    uint32_t layer_count;   // 0 until the slot becomes a node
  };
  static_assert(sizeof(NodeHeader) == 16);

  struct ChunkTable {
    explicit ChunkTable(size_t capacity) : chunks(capacity) {}
    std::vector<char*> chunks;
  };

  char* chunk(uint32_t slot) const {
    return chunk_bases_.load(std::memory_order_acquire)[slot >> chunk_shift_];
  }
  uint32_t* layer0_ids(uint32_t slot) const {
    return reinterpret_cast<uint32_t*>(chunk(slot) + links_offset_) +
           (slot & chunk_mask_) * size_t{2 * M_};
  }
  NodeHeader* header(uint32_t slot) const {
    return reinterpret_cast<NodeHeader*>(chunk(slot) + headers_offset_) +
           (slot & chunk_mask_);
  }
  uint32_t layer_count(uint32_t slot) const {
    return std::atomic_ref<uint32_t>(header(slot)->layer_count)
        .load(std::memory_order_acquire);
  }

  void AddChunk();
  uint32_t* AllocateUpperLinks(size_t count);

  // Constant after construction.
  const uint32_t dimension_;
  const uint32_t M_;
  const size_t row_stride_bytes_;
  const uint32_t chunk_shift_;
  const uint32_t chunk_mask_;
  const size_t links_offset_;
  const size_t headers_offset_;
  const size_t chunk_bytes_;

  // Written by the writer, read by all.
  std::atomic<char* const*> chunk_bases_{nullptr};
  std::atomic<uint32_t> slot_count_{0};
  std::atomic<uint64_t> slab_bytes_{0};

  // The writer's own.
  std::vector<std::unique_ptr<ChunkTable>> tables_;  // the last is current
  size_t chunk_count_ = 0;
  std::vector<std::unique_ptr<uint32_t[]>> slabs_;
  size_t slab_size_ = 0;  // of the last slab, in u32
  size_t slab_used_ = 0;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_NODE_STORE_H_
