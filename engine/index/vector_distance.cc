#include "engine/index/vector_distance.h"

#include <cmath>

#include "storage/base/check.h"

namespace engram::index {

VectorDistance::VectorDistance(schema::Metric metric, uint32_t dimension,
                               const simd::Kernels& kernels)
    : metric_(metric),
      dimension_(dimension),
      kernels_(&kernels),
      kernel_(metric == schema::Metric::kL2 ? kernels.l2_squared
                                            : kernels.dot) {
  ENGRAM_CHECK(dimension > 0);
}

PreparedQuery VectorDistance::Prepare(absl::Span<const float> vector) const {
  return {vector.data(), InverseNorm(vector)};
}

float VectorDistance::InverseNorm(absl::Span<const float> vector) const {
  ENGRAM_CHECK(vector.size() == dimension_);
  if (metric_ != schema::Metric::kCosine) return 0.0f;
  const float* row = vector.data();
  float squared_norm;
  kernels_->dot(row, &row, 1, dimension_, &squared_norm);
  return squared_norm > 0.0f ? 1.0f / std::sqrt(squared_norm) : 0.0f;
}

void VectorDistance::Finish(const PreparedQuery& query,
                            const float* inverse_norms, size_t count,
                            float* out) const {
  switch (metric_) {
    case schema::Metric::kL2:
      return;
    case schema::Metric::kInnerProduct:
      for (size_t i = 0; i < count; ++i) out[i] = -out[i];
      return;
    case schema::Metric::kCosine:
      // The two factors are multiplied first: the distance of a to b is then
      // bit for bit that of b to a.
      for (size_t i = 0; i < count; ++i) {
        out[i] = 1.0f - out[i] * (query.inverse_norm * inverse_norms[i]);
      }
      return;
  }
}

}  // namespace engram::index
