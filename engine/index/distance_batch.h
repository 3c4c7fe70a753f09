// Slots whose distances to one query are computed together, one hop at a time.

#ifndef ENGRAM_ENGINE_INDEX_DISTANCE_BATCH_H_
#define ENGRAM_ENGINE_INDEX_DISTANCE_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/index/neighbor.h"
#include "engine/index/node_store.h"
#include "engine/index/vector_distance.h"

namespace engram::index {

class DistanceBatch {
 public:
  void Clear() {
    slots_.clear();
    rows_.clear();
  }

  void Add(uint32_t slot, const float* row) {
    slots_.push_back(slot);
    rows_.push_back(row);
  }

  // Rows must be those of a NodeStore: the inverse norm follows the components.
  void Compute(const VectorDistance& distance, const PreparedQuery& query) {
    const size_t count = slots_.size();
    distances_.resize(count);
    distance.Accumulate(query, rows_.data(), count, distances_.data());
    if (distance.metric() == schema::Metric::kCosine) {
      inverse_norms_.resize(count);
      for (size_t i = 0; i < count; ++i) {
        inverse_norms_[i] = rows_[i][distance.dimension()];
      }
    }
    distance.Finish(query, inverse_norms_.data(), count, distances_.data());
  }

  size_t size() const { return slots_.size(); }
  uint32_t slot(size_t i) const { return slots_[i]; }

  // The rest is valid after Compute().
  float distance(size_t i) const { return distances_[i]; }
  NeighborKey key(size_t i) const { return KeyOf(distances_[i], slots_[i]); }

 private:
  std::vector<uint32_t> slots_;
  std::vector<const float*> rows_;
  std::vector<float> inverse_norms_;
  std::vector<float> distances_;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_DISTANCE_BATCH_H_
