// Bounds of exact distances from compact codes, for scans that may miss
// nothing.
//
//   ScanCodec codec(distance, simd::BestKernels());
//   codec.Encode(vector, distance.InverseNorm(vector), row, &codes);
//   ScanQuery query = codec.Prepare(distance.Prepare(vector));
//   codec.CoarseBounds(query, codes, row, 1, &lower);
//
// A vector x is coded by numbers of 8 bits times a step of its own, x^, and by
// the upper half of these, x~. The step is a float and the codes are whole, so
// x^ is known exactly, and so is |x - x^| but for the rounding of three sums.
// With the query q, its code q^ and any code y of x, by Cauchy-Schwarz,
//
//   |<q, x> - <q^, y>| <= |<q, x - y>| + |<q - q^, y>|
//                      <= |q| |x - y| + |q - q^| (|x| + |x - y|).
//
// <q^, y> is a sum of whole numbers times two steps. Each metric is <q, x>
// and what |q| and |x| say, so this bounds it:
//
//   distance = base - weight * <q, x>, with
//   L2             base = |q|^2 + |x|^2   weight = 2
//   cosine         base = 1               weight = 1, of q/|q| and x/|x|
//   inner product  base = 0               weight = 1
//
// What is bounded is not the true distance, but the number that
// VectorDistance computes in floats: the bounds hold its rounding errors, too.

#ifndef ENGRAM_ENGINE_INDEX_SCAN_CODEC_H_
#define ENGRAM_ENGINE_INDEX_SCAN_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/index/code_layout.h"
#include "engine/index/scan_codes.h"
#include "engine/index/vector_distance.h"
#include "engine/simd/kernels.h"

namespace engram::index {

// A query as ScanCodec::Prepare() left it.
class ScanQuery {
 private:
  friend class ScanCodec;

  std::vector<int8_t> codes_;
  float weighted_step_ = 0;  // times `weight`
  int32_t code_sum_ = 0;
  // base = base_ + squared_norm_factor_ * |x|^2
  float base_ = 0;
  float squared_norm_factor_ = 0;
  // How far a bound is from the estimate:
  //   slack_ + per_off_ * |x - y| + per_norm_ * |x| +
  //       per_squared_norm_ * |x|^2
  float slack_ = 0;
  float per_off_ = 0;
  float per_norm_ = 0;
  float per_squared_norm_ = 0;
};

// Thread safety: constant after construction.
class ScanCodec {
 public:
  // `distance` says what is to be bounded, and `kernels` are its kernels. They
  // must outlive the object.
  ScanCodec(const VectorDistance& distance, const simd::Kernels& kernels);

  const CodeLayout& layout() const { return layout_; }

  // Writes a row. `vector` holds finite floats of a squared norm up to 1e30,
  // `inverse_norm` is VectorDistance's of it.
  void Encode(absl::Span<const float> vector, float inverse_norm, size_t row,
              ScanCodes* codes) const;

  // Writes a row that belongs to no vector, and whose bounds mean nothing.
  void EncodeNothing(size_t row, ScanCodes* codes) const;

  ScanQuery Prepare(const PreparedQuery& query) const;

  // No distance of row `first` + i is less than lower[i], i < count. Reads half
  // of each row's codes.
  void CoarseBounds(const ScanQuery& query, const ScanCodes& codes,
                    size_t first, size_t count, float* lower) const;

  // The distance of row rows[i] lies in lower[i] .. upper[i], i < count, which
  // is at most ScanCodes::kRows.
  void FineBounds(const ScanQuery& query, const ScanCodes& codes,
                  const uint8_t* rows, size_t count, float* lower,
                  float* upper) const;

 private:
  struct Magnitude {
    float largest = 0;
    double squared_sum = 0;
  };
  struct Sums;

  void EncodePart(const float* values, size_t count, float inverse_step,
                  uint8_t* high, uint8_t* low, Sums* sums) const;
  Magnitude MagnitudeOf(absl::Span<const float> vector) const;

  const VectorDistance& distance_;
  const simd::Kernels& kernels_;
  const CodeLayout layout_;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_SCAN_CODEC_H_
