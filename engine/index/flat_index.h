// The vectors of a space that is too small for a graph, by slot, and the exact
// scan of them.

#ifndef ENGRAM_ENGINE_INDEX_FLAT_INDEX_H_
#define ENGRAM_ENGINE_INDEX_FLAT_INDEX_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "engine/index/neighbor.h"
#include "engine/index/vector_distance.h"

namespace engram::index {

// Thread safety: one writer at a time calls GrowTo(). A slot is filled by a
// thread that alone knows of it; all other methods may run beside both, for
// slots that were filled before. The caller says by its filter which those are,
// and its filter orders the filling before the scan.
class FlatIndex {
 public:
  using SlotFilter = absl::FunctionRef<bool(uint32_t slot)>;

  // `distance` must outlive the index.
  explicit FlatIndex(const VectorDistance& distance);
  ~FlatIndex();
  FlatIndex(const FlatIndex&) = delete;
  FlatIndex& operator=(const FlatIndex&) = delete;

  // Makes room for the slots below `slot_count`. Moves nothing. *Writer.*
  void GrowTo(uint32_t slot_count);

  // Acquire: pairs with GrowTo(); the slots below have memory.
  uint32_t slot_count() const {
    return slot_count_.load(std::memory_order_acquire);
  }

  // vector.size() must be the dimension.
  void Fill(uint32_t slot, absl::Span<const float> vector);

  // Valid until the slot is filled anew.
  absl::Span<const float> row(uint32_t slot) const {
    return {Locate(slot), dimension_};
  }

  // Sets `out` to the k nearest among the accepted slots, ascending by
  // (distance, slot). Returns how many were compared.
  uint64_t ScanExact(absl::Span<const float> query, size_t k, SlotFilter accept,
                     std::vector<Neighbor>* out) const;

  uint64_t memory_bytes() const;

 private:
  // Block b holds 2^(b + kFirstBlockBits) rows: few blocks for 32-bit slots,
  // and an empty space costs nothing.
  static constexpr size_t kFirstBlockBits = 4;
  static constexpr size_t kBlocks = 32 - kFirstBlockBits + 1;

  static constexpr size_t BlockRows(size_t block) {
    return size_t{1} << (block + kFirstBlockBits);
  }
  static constexpr size_t BlockOf(size_t slot) {
    return std::bit_width((slot >> kFirstBlockBits) + 1) - 1;
  }

  float* Locate(uint32_t slot) const {
    const size_t block = BlockOf(slot);
    const size_t first = BlockRows(block) - BlockRows(0);
    // Relaxed: whoever knows the slot has read slot_count_, or been told by one
    // who has, since the block was made.
    return blocks_[block].load(std::memory_order_relaxed) +
           (slot - first) * stride_;
  }

  const VectorDistance& distance_;
  const size_t dimension_;
  const size_t stride_;  // a row, and its inverse norm
  std::array<std::atomic<float*>, kBlocks> blocks_{};
  std::atomic<uint32_t> slot_count_{0};
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_FLAT_INDEX_H_
