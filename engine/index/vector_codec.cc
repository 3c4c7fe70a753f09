#include "engine/index/vector_codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/index/code_range.h"
#include "storage/base/check.h"

namespace engram::index {
namespace {

// Best step of a 2-bit quantiser of normally distributed components, in
// standard deviations.
constexpr float kCrumbStep = 0.996f;
constexpr size_t kRowsPerCall = 64;

// The two numbers behind the codes of a row; a low row has only the first.
struct RowNumbers {
  float factor;
  float bias;
};

RowNumbers ReadNumbers(const uint8_t* row, size_t code_bytes) {
  RowNumbers numbers;
  std::memcpy(&numbers, row + code_bytes, sizeof(numbers));
  return numbers;
}

void WriteNumbers(const RowNumbers& numbers, uint8_t* row, size_t code_bytes) {
  std::memcpy(row + code_bytes, &numbers, sizeof(numbers));
}

// |x|^2 / <x, x^>. `products` is <x, x^>: no less than largest / 2 in any
// vector of normal shape, as each component has its code's sign and x^ is at
// least 1/2. A few components around zero may have the other sign in the high
// nibbles; if they outweigh the rest the code says nothing, and 0 estimates
// nothing.
float Factor(const simd::Magnitude& magnitude, float products) {
  return products > 0.25f * magnitude.largest ? magnitude.squared_sum / products
                                              : 0.0f;
}

}  // namespace

VectorCodec::VectorCodec(uint32_t dimension, schema::Metric metric,
                         schema::Quantization quantization, uint64_t seed,
                         absl::Span<const float> centre,
                         const simd::Kernels& kernels)
    : dimension_(dimension),
      metric_(metric),
      quantization_(quantization),
      layout_(dimension, quantization),
      centre_(centre.begin(), centre.end()),
      weight_(metric == schema::Metric::kL2 ? 2.0f : 1.0f),
      rotation_(layout_.padded_dimension(), seed, kernels),
      kernels_(&kernels) {
  ENGRAM_CHECK(centre.size() == dimension);
  double squared_norm = 0;
  for (const float x : centre) squared_norm += static_cast<double>(x) * x;
  half_centre_norm_ = static_cast<float>(squared_norm / 2);
}

std::vector<float> VectorCodec::CentreOf(schema::Metric metric,
                                         uint32_t dimension,
                                         absl::Span<const float* const> rows) {
  std::vector<double> sums(dimension);
  for (const float* row : rows) {
    double scale = 1;
    if (metric == schema::Metric::kCosine) {
      double squared_norm = 0;
      for (size_t i = 0; i < dimension; ++i) {
        squared_norm += static_cast<double>(row[i]) * row[i];
      }
      scale = squared_norm > 0 ? 1 / std::sqrt(squared_norm) : 0;
    }
    for (size_t i = 0; i < dimension; ++i) sums[i] += scale * row[i];
  }
  std::vector<float> centre(dimension);
  if (rows.empty()) return centre;
  for (size_t i = 0; i < dimension; ++i) {
    centre[i] = static_cast<float>(sums[i] / static_cast<double>(rows.size()));
  }
  return centre;
}

void VectorCodec::Prepare(absl::Span<const float> vector,
                          CodedQuery* query) const {
  Quantise(vector, query);
}

void VectorCodec::Encode(absl::Span<const float> vector, const CodeRows& rows,
                         CodedQuery* query) const {
  const simd::Magnitude magnitude = Quantise(vector, query);
  const size_t count = padded_dimension();
  const auto* components =
      reinterpret_cast<const float*>(query->components_.data());
  const float high_products = kernels_->split_int8(query->codes(), components,
                                                   count, rows.high, rows.low);
  const bool is_zero = magnitude.largest < kMagnitudeMin;
  WriteNumbers(
      {is_zero ? 0.0f : Factor(magnitude, high_products), query->bias_},
      rows.high, count / 2);
  WriteNumbers({query->factor_, 0.0f}, rows.low, count / 2);
  if (layout_.CrumbRowBytes() == 0) return;
  const float deviation =
      std::sqrt(magnitude.squared_sum / static_cast<float>(count));
  const float products = kernels_->encode_crumbs(
      components, count, is_zero ? 0.0f : 1 / (kCrumbStep * deviation),
      rows.crumbs);
  WriteNumbers({is_zero ? 0.0f : Factor(magnitude, products), query->bias_},
               rows.crumbs, count / 4);
}

void VectorCodec::Load(const ConstCodeRows& rows, CodedQuery* query) const {
  const size_t count = padded_dimension();
  query->codes_.resize(count / sizeof(CodedQuery::CacheLine));
  query->code_sum_ =
      kernels_->join_int8(rows.high, rows.low, count,
                          reinterpret_cast<int8_t*>(query->codes_.data()));
  query->factor_ = ReadNumbers(rows.low, count / 2).factor;
  query->bias_ = ReadNumbers(rows.high, count / 2).bias;
}

void VectorCodec::WalkDistances(const CodedQuery& query,
                                const uint8_t* const* walk_rows, size_t count,
                                float* out) const {
  ENGRAM_CHECK(quantization_ != schema::Quantization::kInt8);
  RowDistances(query, walk_rows, count,
               quantization_ == schema::Quantization::kInt2, out);
}

void VectorCodec::HighDistances(const CodedQuery& query,
                                const uint8_t* const* high_rows, size_t count,
                                float* out) const {
  RowDistances(query, high_rows, count, /*is_crumbs=*/false, out);
}

void VectorCodec::RowDistances(const CodedQuery& query,
                               const uint8_t* const* rows, size_t count,
                               bool is_crumbs, float* out) const {
  const simd::CodeKernel kernel =
      is_crumbs ? kernels_->crumb_dot : kernels_->nibble_dot;
  const size_t code_count = padded_dimension();
  const size_t code_bytes = is_crumbs ? code_count / 4 : code_count / 2;
  // Midpoints are 1.5 and 7.5: twice the sum is a whole number.
  const int32_t offset = (is_crumbs ? 3 : 15) * query.code_sum_;
  const float weight = weight_ / 2;
  int32_t dots[kRowsPerCall];
  for (size_t begin = 0; begin < count; begin += kRowsPerCall) {
    const size_t call_rows = std::min(kRowsPerCall, count - begin);
    kernel(query.codes(), rows + begin, call_rows, code_count, dots);
    for (size_t i = 0; i < call_rows; ++i) {
      const RowNumbers row = ReadNumbers(rows[begin + i], code_bytes);
      const auto product = static_cast<float>(2 * dots[i] - offset);
      out[begin + i] = (query.bias_ + row.bias) -
                       weight * ((query.factor_ * row.factor) * product);
    }
  }
}

void VectorCodec::FineDistances(const CodedQuery& query,
                                const uint8_t* const* high_rows,
                                const uint8_t* const* low_rows, size_t count,
                                float* out) const {
  const size_t code_count = padded_dimension();
  const size_t code_bytes = code_count / 2;
  const int32_t offset = 128 * query.code_sum_;
  int32_t dots[kRowsPerCall];
  for (size_t begin = 0; begin < count; begin += kRowsPerCall) {
    const size_t call_rows = std::min(kRowsPerCall, count - begin);
    kernels_->split_dot(query.codes(), high_rows + begin, low_rows + begin,
                        call_rows, code_count, dots);
    for (size_t i = 0; i < call_rows; ++i) {
      const float bias = ReadNumbers(high_rows[begin + i], code_bytes).bias;
      const float factor = ReadNumbers(low_rows[begin + i], code_bytes).factor;
      const auto product = static_cast<float>(dots[i] - offset);
      out[begin + i] =
          (query.bias_ + bias) - weight_ * ((query.factor_ * factor) * product);
    }
  }
}

bool VectorCodec::SameCodes(const ConstCodeRows& a,
                            const ConstCodeRows& b) const {
  return std::memcmp(a.high, b.high, HighRowBytes()) == 0 &&
         std::memcmp(a.low, b.low, LowRowBytes()) == 0;
}

simd::Magnitude VectorCodec::Quantise(absl::Span<const float> vector,
                                      CodedQuery* query) const {
  ENGRAM_CHECK(vector.size() == dimension_);
  const size_t count = padded_dimension();
  query->codes_.resize(count / sizeof(CodedQuery::CacheLine));
  query->components_.resize(count * sizeof(float) /
                            sizeof(CodedQuery::CacheLine));
  auto* components = reinterpret_cast<float*>(query->components_.data());
  Centred(vector, components);
  float centre_product = 0;
  if (metric_ == schema::Metric::kInnerProduct) {
    const float* row = components;
    kernels_->dot(centre_.data(), &row, 1, dimension_, &centre_product);
  }
  rotation_.Apply(components);
  const simd::Magnitude magnitude = kernels_->magnitude(components, count);
  const bool is_zero = magnitude.largest < kMagnitudeMin;
  const simd::CodeSums sums = kernels_->encode_int8(
      components, count, is_zero ? 0.0f : kCodeMax / magnitude.largest,
      reinterpret_cast<int8_t*>(query->codes_.data()));
  query->code_sum_ = sums.codes;
  query->factor_ = is_zero ? 0.0f : Factor(magnitude, sums.products);
  switch (metric_) {
    case schema::Metric::kL2:
      query->bias_ = magnitude.squared_sum;
      break;
    case schema::Metric::kCosine:
      query->bias_ = magnitude.squared_sum / 2;
      break;
    case schema::Metric::kInnerProduct:
      query->bias_ = -centre_product - half_centre_norm_;
      break;
  }
  return magnitude;
}

void VectorCodec::Centred(absl::Span<const float> vector,
                          float* components) const {
  const float* in = vector.data();
  const float* centre = centre_.data();
  float scale = 1;
  if (metric_ == schema::Metric::kCosine) {
    float squared_norm;
    kernels_->dot(in, &in, 1, dimension_, &squared_norm);
    scale = squared_norm > 0 ? 1 / std::sqrt(squared_norm) : 0;
  }
  for (size_t i = 0; i < dimension_; ++i) {
    components[i] = in[i] * scale - centre[i];
  }
  std::fill(components + dimension_, components + padded_dimension(), 0.0f);
}

}  // namespace engram::index
