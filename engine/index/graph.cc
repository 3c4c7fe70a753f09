#include "engine/index/graph.h"

#include "storage/base/check.h"

namespace engram::index {

Graph::Graph(const GraphOptions& options, const simd::Kernels& kernels)
    : options_(options),
      distance_(options.metric, options.dimension, kernels),
      nodes_(options.dimension, options.M) {
  ENGRAM_CHECK(options.M >= 2 && options.M <= 1024);
  ENGRAM_CHECK(options.ef_construction >= 1);
}

uint32_t Graph::AppendSlot(absl::Span<const float> vector) {
  return nodes_.Append(vector, distance_.InverseNorm(vector));
}

EntryPoint Graph::entry_point() const {
  const uint64_t word = entry_point_.load(std::memory_order_acquire);
  if (word == kNoEntryPoint) return {};
  return {.exists = true,
          .slot = static_cast<uint32_t>(word),
          .layer = static_cast<uint32_t>(word >> 32)};
}

void Graph::StoreEntryPoint(uint32_t slot, uint32_t layer) {
  entry_point_.store((uint64_t{layer} << 32) | slot, std::memory_order_release);
}

NeighborKey Graph::KeyOfSlot(const PreparedQuery& query, uint32_t slot) const {
  const float* row = nodes_.row(slot);
  const float inverse_norm = nodes_.inverse_norm(slot);
  float distance;
  distance_.DistancesToRows(query, &row, &inverse_norm, 1, &distance);
  return KeyOf(distance, slot);
}

}  // namespace engram::index
