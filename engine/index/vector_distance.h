// The distance of a space: its metric, its dimension, and the kernels.
//
//   VectorDistance distance(schema::Metric::kCosine, 768, simd::BestKernels());
//   PreparedQuery query = distance.Prepare(vector);
//   distance.DistancesToRows(query, rows, inverse_norms, row_count, distances);
//
// The graph and whoever scans vectors outside the graph both come here, so a
// vector has one distance wherever it stands.

#ifndef ENGRAM_ENGINE_INDEX_VECTOR_DISTANCE_H_
#define ENGRAM_ENGINE_INDEX_VECTOR_DISTANCE_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "engine/simd/kernels.h"
#include "schema/metric.h"

namespace engram::index {

// A query with what is computed once for it. Borrows the query's components,
// which must stay unchanged while it is in use.
struct PreparedQuery {
  const float* vector;
  float inverse_norm;  // cosine only, otherwise 0
};

// Thread safety: constant after construction.
class VectorDistance {
 public:
  // `kernels` must outlive the object.
  VectorDistance(schema::Metric metric, uint32_t dimension,
                 const simd::Kernels& kernels);

  schema::Metric metric() const { return metric_; }
  uint32_t dimension() const { return dimension_; }

  // vector.size() must equal dimension().
  PreparedQuery Prepare(absl::Span<const float> vector) const;

  // What DistancesToRows() wants to know of a row: 1 / |vector| for cosine (0
  // for the zero vector, which is then at distance 1 from everything), 0 for
  // the other metrics.
  float InverseNorm(absl::Span<const float> vector) const;

  // out[i] = distance from `query` to rows[i]: the squared Euclidean distance,
  // 1 - cos, or the negated inner product. inverse_norms[i] belongs to rows[i]
  // and is read for cosine only (nullptr is fine otherwise).
  void DistancesToRows(const PreparedQuery& query, const float* const* rows,
                       const float* inverse_norms, size_t count,
                       float* out) const {
    Accumulate(query, rows, count, out);
    Finish(query, inverse_norms, count, out);
  }

  // The two halves of DistancesToRows(), for a caller whose norms stand beside
  // the rows and are in cache only after Accumulate() has read those.
  void Accumulate(const PreparedQuery& query, const float* const* rows,
                  size_t count, float* out) const {
    kernel_(query.vector, rows, count, dimension_, out);
  }
  void Finish(const PreparedQuery& query, const float* inverse_norms,
              size_t count, float* out) const;

 private:
  schema::Metric metric_;
  uint32_t dimension_;
  const simd::Kernels* kernels_;
  simd::BatchKernel kernel_;  // the one that the metric builds on
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_VECTOR_DISTANCE_H_
