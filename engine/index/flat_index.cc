#include "engine/index/flat_index.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "storage/base/check.h"

namespace engram::index {
namespace {

// Rows that are compared by one call of the kernel.
constexpr size_t kScanBatch = 64;

// The k least keys of those it was shown.
class NearestKeys {
 public:
  explicit NearestKeys(size_t k) : k_(k) {}

  void Add(NeighborKey key) {
    if (heap_.size() == k_) {
      if (key >= heap_.front()) return;
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.back() = key;
    } else {
      heap_.push_back(key);
    }
    std::push_heap(heap_.begin(), heap_.end());
  }

  void MoveTo(std::vector<Neighbor>* out) {
    std::sort_heap(heap_.begin(), heap_.end());
    out->clear();
    for (const NeighborKey key : heap_) out->push_back(NeighborOf(key));
  }

 private:
  const size_t k_;
  std::vector<NeighborKey> heap_;  // a max-heap
};

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
  NearestKeys nearest(k);
  uint32_t slots[kScanBatch];
  const float* rows[kScanBatch];
  float inverse_norms[kScanBatch];
  float distances[kScanBatch];
  size_t count = 0;
  uint64_t compared = 0;
  const auto compare = [&] {
    distance_.DistancesToRows(prepared, rows, inverse_norms, count, distances);
    for (size_t i = 0; i < count; ++i) {
      nearest.Add(KeyOf(distances[i], slots[i]));
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
  nearest.MoveTo(out);
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
