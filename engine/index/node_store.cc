#include "engine/index/node_store.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "storage/base/check.h"

namespace engram::index {
namespace {

constexpr size_t kChunkTableSizeMin = 8;
constexpr size_t kSlabSizeMin = 64;
constexpr size_t kSlabSizeMax = 16384;
constexpr size_t kCacheLineBytes = 64;
constexpr size_t kPageBytes = 4096;
constexpr size_t kHugePageBytes = size_t{2} << 20;

size_t RoundUp(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// One float more than the components, for the inverse norm: it then comes with
// the row's last cache line. Rows start at multiples of 32 bytes, so that an
// AVX2 load never straddles two lines.
size_t RowStride(const NodeLayout& layout) {
  if (!layout.keep_rows) return 0;
  return RoundUp((size_t{layout.dimension} + 1) * sizeof(float), 32);
}

uint32_t ChunkShift(size_t slot_bytes) {
  const size_t slots = std::clamp(NodeStore::kChunkBytesMax / slot_bytes,
                                  size_t{1}, size_t{NodeStore::kChunkSlotsMax});
  return static_cast<uint32_t>(std::bit_width(slots) - 1);
}

}  // namespace

size_t NodeStore::SlotBytes() const {
  return RowStride(layout_) + layout_.crumb_bytes + layout_.high_bytes +
         layout_.low_bytes + size_t{2 * layout_.M} * sizeof(uint32_t) +
         sizeof(NodeHeader);
}

NodeStore::NodeStore(const NodeLayout& layout)
    : layout_(layout),
      row_stride_(RowStride(layout)),
      chunk_shift_(ChunkShift(SlotBytes())),
      chunk_mask_((1u << chunk_shift_) - 1) {
  ENGRAM_CHECK(layout.dimension > 0 && layout.M > 0);
  size_t offset = 0;
  const auto place = [&](size_t stride) {
    const size_t begin = offset;
    offset = RoundUp(offset + (stride << chunk_shift_), kCacheLineBytes);
    return begin;
  };
  place(row_stride_);
  crumbs_offset_ = place(layout.crumb_bytes);
  high_offset_ = place(layout.high_bytes);
  low_offset_ = place(layout.low_bytes);
  links_offset_ = place(size_t{2 * layout.M} * sizeof(uint32_t));
  headers_offset_ = place(sizeof(NodeHeader));
  chunk_bytes_ = offset;
}

NodeStore::~NodeStore() {
  for (size_t i = 0; i < chunk_count_; ++i) {
    munmap(tables_.back()->chunks[i], chunk_bytes_);
  }
}

// Null where the system gives no memory.
char* NodeStore::MapChunk() const {
  const size_t room = chunk_bytes_ + kHugePageBytes;
  void* const memory = mmap(nullptr, room, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  char* const begin = static_cast<char*>(memory);
  const size_t skipped =
      RoundUp(reinterpret_cast<uintptr_t>(begin), kHugePageBytes) -
      reinterpret_cast<uintptr_t>(begin);
  char* const chunk = begin + skipped;
  const size_t end = RoundUp(chunk_bytes_, kPageBytes);
  if (skipped > 0) munmap(begin, skipped);
  if (skipped + end < room) munmap(chunk + end, room - skipped - end);
  // A walk jumps about in all chunks, more pages than the processor keeps
  // translations of. The first chunk stays with small pages: most spaces never
  // fill it. Failing changes nothing but the speed.
  if (chunk_count_ > 0) {
    (void)madvise(chunk, chunk_bytes_ / kHugePageBytes * kHugePageBytes,
                  MADV_HUGEPAGE);
  }
  return chunk;
}

uint64_t NodeStore::memory_bytes() const {
  return slot_count() * SlotBytes() +
         slab_bytes_.load(std::memory_order_relaxed);
}

uint32_t NodeStore::GrowTo(uint32_t slot_count) {
  const uint32_t before = slot_count_.load(std::memory_order_relaxed);
  if (slot_count <= before) return before;
  slot_count = std::min(slot_count, kSlotsMax);
  while (((slot_count - 1) >> chunk_shift_) >= chunk_count_) {
    if (AddChunk()) continue;
    slot_count = static_cast<uint32_t>(chunk_count_ << chunk_shift_);
    break;
  }
  slot_count_.store(slot_count, std::memory_order_release);
  return slot_count;
}

bool NodeStore::AddChunk() {
  char* const chunk = MapChunk();
  if (chunk == nullptr) return false;
  if (tables_.empty() || chunk_count_ == tables_.back()->chunks.size()) {
    auto table = std::make_unique<ChunkTable>(
        std::max(kChunkTableSizeMin, 2 * chunk_count_));
    if (!tables_.empty()) {
      std::copy(tables_.back()->chunks.begin(), tables_.back()->chunks.end(),
                table->chunks.begin());
    }
    tables_.push_back(std::move(table));
  }
  std::vector<char*>& chunks = tables_.back()->chunks;
  chunks[chunk_count_] = chunk;
  ++chunk_count_;
  chunk_bases_.store(chunks.data(), std::memory_order_release);
  return true;
}

// --- Nodes and twins

void NodeStore::MakeNode(uint32_t slot, uint32_t top_layer) {
  StoreNextTwin(slot, kNoSlot);
  InitNode(slot, top_layer);
}

// Leaves next_twin as it is.
void NodeStore::InitNode(uint32_t slot, uint32_t top_layer) {
  ENGRAM_CHECK(slot < slot_count_.load(std::memory_order_relaxed));
  ENGRAM_CHECK(top_layer <= kLayerMax);
  NodeHeader* node = header(slot);
  ENGRAM_CHECK(node->kind == Kind::kFree && node->upper == nullptr);
  MarkChanged(slot);
  if (top_layer > 0) {
    node->upper = AllocateUpper(top_layer);
  }
  node->kind = Kind::kNode;
  node->top_layer = static_cast<uint8_t>(top_layer);
  node->parent = kNoSlot;
  node->one_way = OneWayLinks::kEmpty;
  node->in_degree = 0;
  for (uint32_t layer = 0; layer <= top_layer; ++layer) {
    links(slot, layer).Clear();
    *one_way(slot, layer) = OneWayLinks::kEmpty;
  }
  EnterStanding(slot, top_layer);
}

void NodeStore::MakeTwin(uint32_t slot, uint32_t head) {
  ENGRAM_CHECK(is_node(head) && !is_linked(slot));
  MarkChanged(slot);
  NodeHeader* twin = header(slot);
  twin->parent = ChainOf(head);
  twin->kind = Kind::kTwin;
  *previous_in_chain(slot) = head;
  const uint32_t next = header(head)->next_twin;
  StoreNextTwin(slot, next);
  if (next != kNoSlot) *previous_in_chain(next) = slot;
  StoreNextTwin(head, slot);
}

// The chain behind `head`, a new one if it has no twins yet.
uint32_t NodeStore::ChainOf(uint32_t head) {
  const uint32_t first = header(head)->next_twin;
  if (first != kNoSlot) return header(first)->parent;
  if (free_chains_.empty()) {
    chain_heads_.push_back(head);
    return static_cast<uint32_t>(chain_heads_.size() - 1);
  }
  const uint32_t chain = free_chains_.back();
  free_chains_.pop_back();
  chain_heads_[chain] = head;
  return chain;
}

void NodeStore::LeaveChain(uint32_t slot) {
  ENGRAM_CHECK(is_twin(slot));
  const uint32_t previous = *previous_in_chain(slot);
  const uint32_t next = header(slot)->next_twin;
  if (next != kNoSlot) *previous_in_chain(next) = previous;
  StoreNextTwin(previous, next);
  const uint32_t chain = header(slot)->parent;
  if (next == kNoSlot && previous == chain_heads_[chain]) {
    free_chains_.push_back(chain);
  }
  header(slot)->kind = Kind::kFree;
}

void NodeStore::InheritNode(uint32_t slot, uint32_t heir) {
  // The first in the chain keeps its successor, so that a reader who stands on
  // it goes on to all the others.
  ENGRAM_CHECK(is_node(slot) && header(slot)->next_twin == heir);
  const uint32_t chain = header(heir)->parent;
  if (header(heir)->next_twin == kNoSlot) {
    free_chains_.push_back(chain);
  } else {
    chain_heads_[chain] = heir;
    new_heads_.push_back(heir);
  }
  header(heir)->kind = Kind::kFree;
  const uint32_t top = top_layer(slot);
  InitNode(heir, top);
  std::vector<uint32_t> ids;
  for (uint32_t layer = 0; layer <= top; ++layer) {
    links(slot, layer).CopyTo(&ids);
    links(heir, layer).Fill(ids);
    *one_way(heir, layer) =
        std::exchange(*one_way(slot, layer), OneWayLinks::kEmpty);
  }
  header(heir)->parent = header(slot)->parent;
  header(heir)->in_degree = header(slot)->in_degree;
}

void NodeStore::MarkUnlinked(uint32_t slot) {
  NodeHeader* node = header(slot);
  if (node->kind == Kind::kNode) LeaveStanding(slot, node->top_layer);
  node->kind = Kind::kFree;
}

void NodeStore::Release(uint32_t slot) {
  NodeHeader* node = header(slot);
  ENGRAM_CHECK(node->kind == Kind::kFree);
  if (node->upper == nullptr) return;
  free_upper_[node->top_layer].push_back(node->upper);
  node->upper = nullptr;
  node->top_layer = 0;
}

ChangedSlots NodeStore::TakeChanged() {
  for (const uint32_t head : std::exchange(new_heads_, {})) {
    // It may have gone meanwhile; its own heir is in the list, then.
    if (!is_node(head)) continue;
    for (uint32_t slot = header(head)->next_twin; slot != kNoSlot;
         slot = header(slot)->next_twin) {
      MarkChanged(slot);
    }
  }
  return std::exchange(changed_, {});
}

void NodeStore::StoreNextTwin(uint32_t slot, uint32_t next) {
  std::atomic_ref<uint32_t>(header(slot)->next_twin)
      .store(next, std::memory_order_release);
}

// --- Upper layers

uint32_t* NodeStore::AllocateUpper(uint32_t layers) {
  std::vector<uint32_t*>& free = free_upper_[layers];
  if (!free.empty()) {
    uint32_t* const block = free.back();
    free.pop_back();
    return block;
  }
  const size_t count = layers * UpperWords();
  if (slab_size_ - slab_used_ < count) {
    slab_size_ = std::clamp(2 * slab_size_, kSlabSizeMin, kSlabSizeMax);
    slab_size_ = std::max(slab_size_, count);
    slabs_.push_back(std::make_unique<uint32_t[]>(slab_size_));
    slab_used_ = 0;
    slab_bytes_.fetch_add(slab_size_ * sizeof(uint32_t),
                          std::memory_order_relaxed);
  }
  uint32_t* const block = slabs_.back().get() + slab_used_;
  slab_used_ += count;
  return block;
}

void NodeStore::EnterStanding(uint32_t slot, uint32_t top_layer) {
  if (top_layer == 0) return;
  std::vector<uint32_t>& standing = standing_[top_layer];
  *place_in_standing(slot, top_layer) = static_cast<uint32_t>(standing.size());
  standing.push_back(slot);
}

void NodeStore::LeaveStanding(uint32_t slot, uint32_t top_layer) {
  if (top_layer == 0) return;
  std::vector<uint32_t>& standing = standing_[top_layer];
  const uint32_t place = *place_in_standing(slot, top_layer);
  const uint32_t last = standing.back();
  standing[place] = last;
  *place_in_standing(last, top_layer) = place;
  standing.pop_back();
}

uint32_t NodeStore::AnyOfTopLayer() const {
  for (uint32_t layer = kLayerMax; layer > 0; --layer) {
    if (!standing_[layer].empty()) return standing_[layer].back();
  }
  return kNoSlot;
}

}  // namespace engram::index
