#include "engine/index/flat_index.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "engine/index/result_heap.h"
#include "storage/base/check.h"

namespace engram::index {
namespace {

// Rows that are compared by one call of the kernel.
constexpr size_t kScanBatch = 64;

}  // namespace

FlatIndex::FlatIndex(const VectorDistance& distance)
    : distance_(distance),
      dimension_(distance.dimension()),
      stride_(dimension_ + 1) {}

FlatIndex::~FlatIndex() {
  // Relaxed: nobody else is left.
  for (auto& block : blocks_) {
    std::unique_ptr<float[]> owned(block.load(std::memory_order_relaxed));
  }
}

void FlatIndex::GrowTo(uint32_t slot_count) {
  // Relaxed: only the writer changes it.
  if (slot_count <= slot_count_.load(std::memory_order_relaxed)) return;
  ENGRAM_CHECK(slot_count < kNoSlot);
  for (size_t block = 0; block <= BlockOf(slot_count - 1); ++block) {
    if (blocks_[block].load(std::memory_order_relaxed) != nullptr) continue;
    auto fresh = std::make_unique<float[]>(BlockRows(block) * stride_);
    // Relaxed: published by slot_count_.
    blocks_[block].store(fresh.release(), std::memory_order_relaxed);
  }
  // Release: see slot_count().
  slot_count_.store(slot_count, std::memory_order_release);
}

void FlatIndex::Fill(uint32_t slot, absl::Span<const float> vector) {
  ENGRAM_CHECK(vector.size() == dimension_);
  float* const row = Locate(slot);
  std::memcpy(row, vector.data(), dimension_ * sizeof(float));
  row[dimension_] = distance_.InverseNorm(vector);
}

uint64_t FlatIndex::ScanExact(absl::Span<const float> query, size_t k,
                              SlotFilter accept,
                              std::vector<Neighbor>* out) const {
  out->clear();
  if (k == 0) return 0;
  const PreparedQuery prepared = distance_.Prepare(query);
  std::vector<NeighborKey> keys;
  ResultHeap nearest(&keys, k);
  uint32_t slots[kScanBatch];
  const float* rows[kScanBatch];
  float inverse_norms[kScanBatch];
  float distances[kScanBatch];
  size_t count = 0;
  uint64_t compared = 0;
  const auto compare = [&] {
    distance_.DistancesToRows(prepared, rows, inverse_norms, count, distances);
    for (size_t i = 0; i < count; ++i) {
      const NeighborKey key = KeyOf(distances[i], slots[i]);
      if (key < nearest.bound()) nearest.Push(key);
    }
    compared += count;
    count = 0;
  };
  const uint32_t end = slot_count();
  for (uint32_t slot = 0; slot < end; ++slot) {
    if (!accept(slot)) continue;
    slots[count] = slot;
    rows[count] = Locate(slot);
    inverse_norms[count] = rows[count][dimension_];
    if (++count == kScanBatch) compare();
  }
  compare();
  nearest.SortAscending();
  for (const NeighborKey key : keys) out->push_back(NeighborOf(key));
  return compared;
}

uint64_t FlatIndex::memory_bytes() const {
  uint64_t rows = 0;
  for (size_t block = 0; block < kBlocks; ++block) {
    // Relaxed: a count.
    if (blocks_[block].load(std::memory_order_relaxed) != nullptr) {
      rows += BlockRows(block);
    }
  }
  return rows * stride_ * sizeof(float);
}

}  // namespace engram::index
