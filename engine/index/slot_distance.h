// Distances from a query to slots, at the levels of detail that a graph has:
// the few bits that a walk reads, those by which a new node's neighbors are
// chosen, the 8-bit codes, and the vectors themselves. Without codes all of
// them are the vectors.

#ifndef ENGRAM_ENGINE_INDEX_SLOT_DISTANCE_H_
#define ENGRAM_ENGINE_INDEX_SLOT_DISTANCE_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "engine/index/node_store.h"
#include "engine/index/vector_codec.h"
#include "engine/index/vector_distance.h"
#include "engine/simd/kernels.h"
#include "schema/quantization.h"

namespace engram::index {

// Slots that are compared with a query in one call; more than a node has
// neighbors.
inline constexpr size_t kHopSlotsMax = 256;

// A query in the forms that comparisons need.
struct SlotQuery {
  CodedQuery coded;     // with codes
  PreparedQuery exact;  // with rows; borrows the vector
};

// Thread safety: constant after construction.
class SlotDistance {
 public:
  // `nodes` and `codec` must outlive the object; `codec` is empty where there
  // are no codes.
  SlotDistance(const NodeStore& nodes, const VectorDistance& exact,
               const std::optional<VectorCodec>& codec);

  // Makes `query` of a vector, for all levels; borrows the vector.
  void PrepareVector(absl::Span<const float> vector, SlotQuery* query) const;

  // Makes `query` of what is stored in a slot, for all levels but Exact().
  void PrepareSlot(uint32_t slot, SlotQuery* query) const;

  // out[i] = distance of slots[i], count <= kHopSlotsMax.
  void Walk(const SlotQuery& query, const uint32_t* slots, size_t count,
            float* out) const;
  // By 4 bits of the 8 where a walk reads 2 and 4 are as good to choose by:
  // half as much memory as Fine(), which it is otherwise.
  void Middle(const SlotQuery& query, const uint32_t* slots, size_t count,
              float* out) const;
  void Fine(const SlotQuery& query, const uint32_t* slots, size_t count,
            float* out) const;
  // Only where rows are kept, with a query that PrepareVector() made.
  void Exact(const SlotQuery& query, const uint32_t* slots, size_t count,
             float* out) const;

  // Fetches what Walk() reads of a slot, as soon as it is known that it will:
  // a fifth more queries a second at 768 dimensions than with what the kernels
  // fetch ahead alone.
  void PrefetchWalk(uint32_t slot) const {
    const uint8_t* row =
        codec_ == nullptr ? reinterpret_cast<const uint8_t*>(nodes_.row(slot))
        : has_crumbs_     ? nodes_.crumbs(slot)
                          : nodes_.high(slot);
    for (size_t offset = 0; offset < prefetch_bytes_; offset += 64) {
      __builtin_prefetch(row + offset, simd::kPrefetchToRead,
                         simd::kPrefetchIntoL2);
    }
  }

  // Whether walks are guided by less than Fine() tells.
  bool walk_is_coarse() const { return walk_is_coarse_; }

  // Whether Middle() tells less than Fine().
  bool middle_is_coarse() const { return middle_is_coarse_; }

  // Whether two slots cannot be told apart by Fine() distances to anything.
  bool AreTwins(uint32_t a, uint32_t b) const;

 private:
  ConstCodeRows CodesOf(uint32_t slot) const {
    return {nodes_.crumbs(slot), nodes_.high(slot), nodes_.low(slot)};
  }

  const NodeStore& nodes_;
  const VectorDistance& exact_;
  const VectorCodec* codec_;  // nullptr: no codes
  bool has_crumbs_ = false;
  size_t prefetch_bytes_ = 0;
  bool walk_is_coarse_ = false;
  bool middle_is_coarse_ = false;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_SLOT_DISTANCE_H_
