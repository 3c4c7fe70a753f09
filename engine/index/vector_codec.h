// Compact codes of vectors, and distances computed from them.
//
//   VectorCodec codec(768, schema::Metric::kL2, schema::Quantization::kInt4,
//                     seed, centre, simd::BestKernels());
//   CodedQuery query;
//   codec.Encode(vector, rows_of_its_slot, &query);
//   codec.WalkDistances(query, high_rows, count, distances);
//
// A vector v (normalised first for cosine) becomes v' = rotate(v - centre).
// Its components are quantised with a step of the vector's own, so nothing is
// trained. An inner product is estimated as in RaBitQ: with x^ the code minus
// its midpoint, factor = |x'|^2 / <x', x^> makes factor * <q', x^> an unbiased
// estimate of <q', x'>. The query is always the 8-bit code of its own v', so a
// stored vector is as good a query as the vector itself.
//
// Every metric is then one formula,
//   distance = bias_q + bias_x - weight * factor_q * factor_x * <q^, x^>:
//   L2             bias = |v'|^2            weight = 2
//   cosine         bias = |v'|^2 / 2        weight = 1
//   inner product  bias = -<v - c, c> - |c|^2 / 2   weight = 1
// Estimates of small L2 and cosine distances may be slightly negative. By 8-bit
// codes the distance of a to b is bit for bit that of b to a.

#ifndef ENGRAM_ENGINE_INDEX_VECTOR_CODEC_H_
#define ENGRAM_ENGINE_INDEX_VECTOR_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/index/code_layout.h"
#include "engine/index/rotation.h"
#include "engine/simd/kernels.h"
#include "schema/metric.h"
#include "schema/quantization.h"

namespace engram::index {

// A vector in the form that rows are compared with. Filled by a VectorCodec,
// any number of times and by any codec; memory is kept for the next time, so
// that only growth allocates. One that is filled by Load() alone stays small.
class CodedQuery {
 public:
  // One signed code for each padded component, aligned to 64 bytes.
  const int8_t* codes() const {
    return reinterpret_cast<const int8_t*>(codes_.data());
  }
  float factor() const { return factor_; }
  float bias() const { return bias_; }
  int32_t code_sum() const { return code_sum_; }

 private:
  friend class VectorCodec;

  struct alignas(64) CacheLine {
    unsigned char bytes[64];
  };

  std::vector<CacheLine> codes_;
  std::vector<CacheLine> components_;  // v' while it is being encoded
  float factor_ = 0;
  float bias_ = 0;
  int32_t code_sum_ = 0;
};

// Thread safety: constant after construction.
//
// Vectors hold dimension() finite floats of a squared norm up to 1e30. One
// that is no farther than about 1e-18 from the centre has the centre's code:
// its squares would not be normal floats. For cosine a vector needs a squared
// norm of 1e-30; a shorter one may count as the zero vector, which is encoded
// as it stands.
class VectorCodec {
 public:
  // `centre` holds `dimension` floats (copied; zeros are fine). `quantization`
  // is kInt8, kInt4 or kInt2. `kernels` must outlive the object.
  VectorCodec(uint32_t dimension, schema::Metric metric,
              schema::Quantization quantization, uint64_t seed,
              absl::Span<const float> centre, const simd::Kernels& kernels);

  // The mean of `rows`, `dimension` floats each; of the normalised rows for
  // cosine. Zeros if there are none.
  static std::vector<float> CentreOf(schema::Metric metric, uint32_t dimension,
                                     absl::Span<const float* const> rows);

  uint32_t dimension() const { return dimension_; }
  schema::Metric metric() const { return metric_; }
  schema::Quantization quantization() const { return quantization_; }
  absl::Span<const float> centre() const { return centre_; }
  const CodeLayout& layout() const { return layout_; }
  size_t padded_dimension() const { return layout_.padded_dimension(); }
  size_t HighRowBytes() const { return layout_.HighRowBytes(); }
  size_t LowRowBytes() const { return layout_.LowRowBytes(); }
  size_t CrumbRowBytes() const { return layout_.CrumbRowBytes(); }

  // Makes a query of a vector that is not stored.
  void Prepare(absl::Span<const float> vector, CodedQuery* query) const;

  // Writes the vector's rows; leaves in `query` what Prepare() would.
  void Encode(absl::Span<const float> vector, const CodeRows& rows,
              CodedQuery* query) const;

  // Makes a query of stored rows: bit for bit the one that Encode() left.
  void Load(const ConstCodeRows& rows, CodedQuery* query) const;

  // out[i] = estimated distance from `query` to the slot whose walk row is
  // walk_rows[i]: its crumb row for kInt2, its high row for kInt4. kInt8 has no
  // walk rows: it walks by FineDistances().
  void WalkDistances(const CodedQuery& query, const uint8_t* const* walk_rows,
                     size_t count, float* out) const;

  // out[i] = estimated distance by the 4 bits of the high row alone.
  void HighDistances(const CodedQuery& query, const uint8_t* const* high_rows,
                     size_t count, float* out) const;

  // out[i] = distance by 8-bit codes to the slot of high_rows[i], low_rows[i].
  void FineDistances(const CodedQuery& query, const uint8_t* const* high_rows,
                     const uint8_t* const* low_rows, size_t count,
                     float* out) const;

  // Whether the 8-bit codes and the numbers beside them are equal byte for
  // byte, as those of equal vectors are. Crumbs follow from the same vector and
  // are not compared.
  bool SameCodes(const ConstCodeRows& a, const ConstCodeRows& b) const;

 private:
  // Puts v' into query->components_ and sets what follows from it alone:
  // codes, factor, bias. Returns the magnitude of v'.
  simd::Magnitude Quantise(absl::Span<const float> vector,
                           CodedQuery* query) const;
  // By rows of one kind: crumb rows or high rows.
  void RowDistances(const CodedQuery& query, const uint8_t* const* rows,
                    size_t count, bool is_crumbs, float* out) const;
  // Writes v - centre, padded with zeros.
  void Centred(absl::Span<const float> vector, float* components) const;

  uint32_t dimension_;
  schema::Metric metric_;
  schema::Quantization quantization_;
  CodeLayout layout_;
  std::vector<float> centre_;
  float half_centre_norm_;  // |centre|^2 / 2
  float weight_;
  Rotation rotation_;
  const simd::Kernels* kernels_;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_VECTOR_CODEC_H_
