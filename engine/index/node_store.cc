#include "engine/index/node_store.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/index/neighbor.h"
#include "storage/base/check.h"

namespace engram::index {
namespace {

constexpr size_t kChunkTableSizeMin = 16;
// Slabs start small because most spaces are, and double up to 256 KiB.
constexpr size_t kSlabSizeMin = 1024;
constexpr size_t kSlabSizeMax = 65536;

constexpr size_t RoundUp(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// One float more than the components, for the inverse norm: it then comes with
// the row's last cache line. Rows start at multiples of 32 bytes, so that an
// AVX2 load never straddles two lines.
size_t RowStrideBytes(uint32_t dimension) {
  return RoundUp((size_t{dimension} + 1) * sizeof(float), 32);
}

uint32_t ChunkShift(size_t row_stride_bytes) {
  const size_t slots =
      std::clamp(NodeStore::kChunkRowBytesMax / row_stride_bytes, size_t{1},
                 size_t{NodeStore::kChunkSlotsMax});
  return static_cast<uint32_t>(std::bit_width(slots) - 1);
}

}  // namespace

NodeStore::NodeStore(uint32_t dimension, uint32_t M)
    : dimension_(dimension),
      M_(M),
      row_stride_bytes_(RowStrideBytes(dimension)),
      chunk_shift_(ChunkShift(row_stride_bytes_)),
      chunk_mask_((1u << chunk_shift_) - 1),
      links_offset_(RoundUp(row_stride_bytes_ << chunk_shift_, 64)),
      headers_offset_(RoundUp(
          links_offset_ + (size_t{2 * M} * sizeof(uint32_t) << chunk_shift_),
          64)),
      chunk_bytes_(headers_offset_ + (sizeof(NodeHeader) << chunk_shift_)) {
  ENGRAM_CHECK(dimension > 0);
  ENGRAM_CHECK(M > 0);
}

NodeStore::~NodeStore() {
  for (size_t i = 0; i < chunk_count_; ++i) {
    munmap(tables_.back()->chunks[i], chunk_bytes_);
  }
}

uint64_t NodeStore::memory_bytes() const {
  const uint64_t slot_bytes = row_stride_bytes_ +
                              size_t{2 * M_} * sizeof(uint32_t) +
                              sizeof(NodeHeader);
  return slot_count() * slot_bytes +
         slab_bytes_.load(std::memory_order_relaxed);
}

uint32_t NodeStore::Append(absl::Span<const float> vector, float inverse_norm) {
  ENGRAM_CHECK(vector.size() == dimension_);
  const uint32_t slot = slot_count_.load(std::memory_order_relaxed);
  ENGRAM_CHECK(slot < kNoSlot);
  if ((slot >> chunk_shift_) == chunk_count_) AddChunk();
  float* destination = reinterpret_cast<float*>(
      chunk(slot) + (slot & chunk_mask_) * row_stride_bytes_);
  std::memcpy(destination, vector.data(), vector.size() * sizeof(float));
  destination[dimension_] = inverse_norm;
  slot_count_.store(slot + 1, std::memory_order_release);
  return slot;
}

void NodeStore::AddChunk() {
  if (tables_.empty() || chunk_count_ == tables_.back()->chunks.size()) {
    auto table = std::make_unique<ChunkTable>(
        std::max(kChunkTableSizeMin, 2 * chunk_count_));
    if (!tables_.empty()) {
      std::copy(tables_.back()->chunks.begin(), tables_.back()->chunks.end(),
                table->chunks.begin());
    }
    tables_.push_back(std::move(table));
  }
  void* memory = mmap(nullptr, chunk_bytes_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  // As with operator new: without address space there is no way on.
  ENGRAM_CHECK(memory != MAP_FAILED);
  std::vector<char*>& chunks = tables_.back()->chunks;
  chunks[chunk_count_++] = static_cast<char*>(memory);
  chunk_bases_.store(chunks.data(), std::memory_order_release);
}

void NodeStore::MakeNode(uint32_t slot, uint32_t top_layer) {
  ENGRAM_CHECK(slot < slot_count_.load(std::memory_order_relaxed));
  ENGRAM_CHECK(!is_node(slot));
  NodeHeader* node = header(slot);
  if (top_layer > 0) {
    node->upper_links = AllocateUpperLinks(size_t{top_layer} * (M_ + 1));
  }
  std::atomic_ref<uint32_t>(node->layer_count)
      .store(top_layer + 1, std::memory_order_release);
}

uint32_t* NodeStore::AllocateUpperLinks(size_t count) {
  if (slab_size_ - slab_used_ < count) {
    slab_size_ = std::clamp(2 * slab_size_, kSlabSizeMin, kSlabSizeMax);
    slab_size_ = std::max(slab_size_, count);
    slabs_.push_back(std::make_unique<uint32_t[]>(slab_size_));
    slab_used_ = 0;
    slab_bytes_.fetch_add(slab_size_ * sizeof(uint32_t),
                          std::memory_order_relaxed);
  }
  uint32_t* allocated = slabs_.back().get() + slab_used_;
  slab_used_ += count;
  return allocated;
}

}  // namespace engram::index
