#include "engine/index/scan_codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/index/code_range.h"
#include "schema/limits.h"
#include "storage/base/check.h"

namespace engram::index {
namespace {

constexpr size_t kCacheLineBytes = 64;

// Half the distance of 1 to the next float: no operation is off by more.
constexpr double kRounding = 0x1p-24;

// Of the sums of floats that the kernels make. They go on in 16 lanes or more,
// in every table, and add what is left at the end; each addition rounds.
constexpr double SumError(size_t count) {
  constexpr size_t kLanesMin = 16;
  constexpr size_t kAdditionsAtTheEnd = 16;  // at most, and the products
  return static_cast<double>(count / kLanesMin + kAdditionsAtTheEnd) *
         kRounding;
}

// Vectors are encoded in parts, whose sums are added as doubles: so the
// rounding of a sum does not grow with the dimension, and no memory is needed.
// With 512 it makes |x - x^| 7 % larger than it is, with 4,096 a third.
constexpr size_t kPartMax = 512;
constexpr double kPartError = SumError(kPartMax);

// What computing a bound itself may be off by, of each of its terms: fifteen
// operations or less.
constexpr double kBoundError = 16 * kRounding;

// Covers what underflows: 65,536 products of codes and the least float.
constexpr double kUnderflow = 1e-35;

// As a float that is no less.
float RoundedUp(double value) {
  return static_cast<float>(value * (1 + 4 * kRounding)) +
         std::numeric_limits<float>::denorm_min();
}

// |x - step * code| from the sums of x^2, x * code and code^2, at most.
double OffBy(double squared, double step, double products,
             double code_squares) {
  const double coded = step * step * code_squares;
  // |x| |step * code| is no less than the sum of their products' sizes.
  const double error = kPartError * (squared + 2 * std::sqrt(squared * coded)) +
                       static_cast<double>(schema::kDimensionMax) *
                           std::numeric_limits<float>::denorm_min() *
                           (1 + step);
  return std::sqrt(std::max(0.0, squared - 2 * step * products + coded) +
                   error);
}

// Calls `visit` with parts of `vector` that kernels take: the last one is
// padded with zeros.
template <typename Visit>
void ForEachPart(absl::Span<const float> vector, Visit visit) {
  size_t begin = 0;
  while (vector.size() - begin >= simd::kNibbleBlock) {
    const size_t blocks = (vector.size() - begin) / simd::kNibbleBlock;
    const size_t count = std::min(kPartMax, blocks * simd::kNibbleBlock);
    visit(begin, vector.data() + begin, count);
    begin += count;
  }
  const size_t rest = vector.size() - begin;
  if (rest == 0) return;
  float padded[simd::kNibbleBlock] = {};
  std::memcpy(padded, vector.data() + begin, rest * sizeof(float));
  visit(begin, padded, simd::kNibbleBlock);
}

}  // namespace

// Over all components so far. Codes and nibbles less their midpoints.
struct ScanCodec::Sums {
  double fine_products = 0;  // of components and codes
  double coarse_products = 0;
  double fine_squares = 0;  // of codes; whole
  double coarse_squares = 0;
};

ScanCodec::ScanCodec(const VectorDistance& distance,
                     const simd::Kernels& kernels)
    : distance_(distance),
      kernels_(kernels),
      layout_(distance.dimension(), schema::Quantization::kInt8) {}

// Of all of it, the sum of squares without the parts' rounding errors.
ScanCodec::Magnitude ScanCodec::MagnitudeOf(
    absl::Span<const float> vector) const {
  Magnitude all;
  ForEachPart(vector, [&](size_t, const float* values, size_t count) {
    const simd::Magnitude part = kernels_.magnitude(values, count);
    all.largest = std::max(all.largest, part.largest);
    all.squared_sum += static_cast<double>(part.squared_sum);
  });
  return all;
}

void ScanCodec::EncodePart(const float* values, size_t count,
                           float inverse_step, uint8_t* high, uint8_t* low,
                           Sums* sums) const {
  static constexpr uint8_t kNoLowBits[kPartMax / 2] = {};
  int8_t codes[kPartMax];
  const simd::CodeSums code_sums =
      kernels_.encode_int8(values, count, inverse_step, codes);
  sums->fine_products += static_cast<double>(code_sums.products);
  sums->coarse_products +=
      static_cast<double>(kernels_.split_int8(codes, values, count, high, low));
  // Stored codes are the signed ones + 128.
  int32_t dot = 0;
  kernels_.split_dot(codes, &high, &low, 1, count, &dot);
  sums->fine_squares += dot - 128 * code_sums.codes;
  // Signed codes of the high nibbles alone: 16 h - 128.
  const int32_t upper_sum = kernels_.join_int8(high, kNoLowBits, count, codes);
  kernels_.nibble_dot(codes, &high, 1, count, &dot);
  const double parts = static_cast<double>(count);
  const double nibbles = upper_sum / 16.0 + 8 * parts;
  const double squares = dot / 16.0 + 8 * nibbles;
  sums->coarse_squares += squares - 15 * nibbles + 7.5 * 7.5 * parts;
}

void ScanCodec::Encode(absl::Span<const float> vector, float inverse_norm,
                       size_t row, ScanCodes* codes) const {
  ENGRAM_CHECK(vector.size() == distance_.dimension());
  const double scale =
      distance_.metric() == schema::Metric::kCosine ? inverse_norm : 1;
  ScanNumbers<ScanCodes::kRows>& numbers = codes->numbers();
  const Magnitude magnitude = MagnitudeOf(vector);
  if (magnitude.largest < kMagnitudeMin) {
    EncodeNothing(row, codes);
    const double norm = std::sqrt(static_cast<double>(vector.size())) *
                        static_cast<double>(magnitude.largest) * scale;
    numbers.norm[row] = RoundedUp(norm);
    numbers.fine_off[row] = numbers.coarse_off[row] = RoundedUp(norm);
    return;
  }
  const float inverse_step = kCodeMax / magnitude.largest;
  const auto step = static_cast<double>(magnitude.largest / kCodeMax);
  Sums sums;
  ForEachPart(vector, [&](size_t begin, const float* values, size_t count) {
    EncodePart(values, count, inverse_step, codes->high(row) + begin / 2,
               codes->low(row) + begin / 2, &sums);
  });
  // The code of padding is 8, which is half a step from the midpoint; no
  // component of a query meets it.
  sums.coarse_squares -=
      0.25 * static_cast<double>(layout_.padded_dimension() - vector.size());
  const double squared = magnitude.squared_sum;
  numbers.step[row] = static_cast<float>(step * scale);
  numbers.norm[row] = RoundedUp(scale * OffBy(squared, 0, 0, 0));
  numbers.fine_off[row] = RoundedUp(
      scale * OffBy(squared, step, sums.fine_products, sums.fine_squares));
  numbers.coarse_off[row] =
      RoundedUp(scale * OffBy(squared, 16 * step, sums.coarse_products,
                              sums.coarse_squares));
}

void ScanCodec::EncodeNothing(size_t row, ScanCodes* codes) const {
  const size_t bytes = layout_.padded_dimension() / 2;
  std::memset(codes->high(row), 0, bytes);
  std::memset(codes->low(row), 0, bytes);
  ScanNumbers<ScanCodes::kRows>& numbers = codes->numbers();
  numbers.step[row] = 0;
  numbers.norm[row] = 0;
  numbers.fine_off[row] = numbers.coarse_off[row] = 0;
}

ScanQuery ScanCodec::Prepare(const PreparedQuery& prepared) const {
  const size_t dimension = distance_.dimension();
  const absl::Span<const float> vector(prepared.vector, dimension);
  ScanQuery query;
  query.codes_.resize(layout_.padded_dimension());
  const float largest = MagnitudeOf(vector).largest;
  const bool is_zero = largest < kMagnitudeMin;
  const float inverse_step = is_zero ? 0.0f : kCodeMax / largest;
  const float step = is_zero ? 0.0f : largest / kCodeMax;
  ForEachPart(vector, [&](size_t begin, const float* values, size_t count) {
    query.code_sum_ += kernels_
                           .encode_int8(values, count, inverse_step,
                                        query.codes_.data() + begin)
                           .codes;
  });
  double squared = 0;
  double squared_off = 0;
  for (size_t i = 0; i < dimension; ++i) {
    const auto x = static_cast<double>(vector[i]);
    const double off = x - static_cast<double>(step) * query.codes_[i];
    squared += x * x;
    squared_off += off * off;
  }
  const schema::Metric metric = distance_.metric();
  const bool is_l2 = metric == schema::Metric::kL2;
  const bool is_cosine = metric == schema::Metric::kCosine;
  const double weight = is_l2 ? 2 : 1;
  const double scale =
      is_cosine ? static_cast<double>(prepared.inverse_norm) : 1;
  const double norm = std::sqrt(squared) * scale;
  const double off = std::sqrt(squared_off) * scale;
  // The distance is a sum of products, or of squared differences, which are no
  // more than (|q| + |x|)^2 together.
  const double exact_error = SumError(dimension) + kBoundError;
  query.weighted_step_ = static_cast<float>(weight * step * scale);
  query.base_ = static_cast<float>(is_l2 ? squared : is_cosine ? 1 : 0);
  query.squared_norm_factor_ = is_l2 ? 1 : 0;
  double slack = kUnderflow + (is_cosine ? kBoundError : 0);
  double per_norm = off + exact_error * norm + kBoundError * (norm + off);
  per_norm *= weight;
  if (is_l2) {
    // |x|^2 is the square of a norm that was rounded up.
    const double square_error = exact_error + 2 * kPartError + kBoundError;
    slack += square_error * squared;
    per_norm += 2 * square_error * norm;
    query.per_squared_norm_ = RoundedUp(square_error);
  }
  query.slack_ = RoundedUp(slack * (1 + kBoundError));
  query.per_norm_ = RoundedUp(per_norm * (1 + kBoundError));
  query.per_off_ = RoundedUp(weight * (norm + off) * (1 + 2 * kBoundError));
  return query;
}

void ScanCodec::CoarseBounds(const ScanQuery& query, const ScanCodes& codes,
                             size_t first, size_t count, float* lower) const {
  ENGRAM_DCHECK(first + count <= ScanCodes::kRows);
  const uint8_t* rows[ScanCodes::kRows];
  rows[0] = nullptr;  // silences a false warning of g++ 12
  int32_t dots[ScanCodes::kRows];
  for (size_t i = 0; i < count; ++i) rows[i] = codes.high(first + i);
  const ScanNumbers<ScanCodes::kRows>& numbers = codes.numbers();
  // They come while the kernel reads the codes.
  const char* const begin = reinterpret_cast<const char*>(&numbers);
  for (size_t offset = 0; offset < sizeof(numbers); offset += kCacheLineBytes) {
    __builtin_prefetch(begin + offset);
  }
  kernels_.nibble_dot(query.codes_.data(), rows, count,
                      layout_.padded_dimension(), dots);
  // 16 (h - 7.5) is 8 times a whole number.
  const float step = 8 * query.weighted_step_;
  const int32_t midpoints = 15 * query.code_sum_;
  for (size_t i = 0; i < count; ++i) {
    const float norm = numbers.norm[first + i];
    const float product = step * numbers.step[first + i] *
                          static_cast<float>(2 * dots[i] - midpoints);
    const float spread =
        query.slack_ + query.per_off_ * numbers.coarse_off[first + i] +
        (query.per_norm_ + query.per_squared_norm_ * norm) * norm;
    lower[i] = query.base_ + query.squared_norm_factor_ * norm * norm -
               product - spread;
  }
}

void ScanCodec::FineBounds(const ScanQuery& query, const ScanCodes& codes,
                           const uint8_t* rows, size_t count, float* lower,
                           float* upper) const {
  ENGRAM_DCHECK(count <= ScanCodes::kRows);
  const uint8_t* high[ScanCodes::kRows];
  const uint8_t* low[ScanCodes::kRows];
  high[0] = low[0] = nullptr;  // as above
  int32_t dots[ScanCodes::kRows];
  for (size_t i = 0; i < count; ++i) {
    high[i] = codes.high(rows[i]);
    low[i] = codes.low(rows[i]);
  }
  kernels_.split_dot(query.codes_.data(), high, low, count,
                     layout_.padded_dimension(), dots);
  const ScanNumbers<ScanCodes::kRows>& numbers = codes.numbers();
  const int32_t midpoints = 128 * query.code_sum_;
  for (size_t i = 0; i < count; ++i) {
    const float norm = numbers.norm[rows[i]];
    const float product = query.weighted_step_ * numbers.step[rows[i]] *
                          static_cast<float>(dots[i] - midpoints);
    const float spread =
        query.slack_ + query.per_off_ * numbers.fine_off[rows[i]] +
        (query.per_norm_ + query.per_squared_norm_ * norm) * norm;
    const float estimate =
        query.base_ + query.squared_norm_factor_ * norm * norm - product;
    lower[i] = estimate - spread;
    upper[i] = estimate + spread;
  }
}

}  // namespace engram::index
