// Kernels for AVX2 with FMA. Four accumulators of eight floats cover the
// latency of a fused multiply-add; the tail is read through a mask, so that no
// byte behind a row is touched.

#include "engine/simd/kernel_tables.h"

#if defined(__x86_64__)

#include <immintrin.h>

namespace engram::simd {
namespace {

constexpr size_t kLanes = 8;
constexpr size_t kRowsAhead = 2;
constexpr size_t kPrefetchBytesMax = 1024;  // the hardware follows from there
constexpr size_t kCacheLineBytes = 64;

// Eight ones followed by eight zeros: a window at kTailMask + 8 - n selects
// the first n lanes.
alignas(64) constexpr int kTailMask[2 * kLanes] = {
    -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

void PrefetchRow(const float* row, size_t dimension) {
  const size_t row_bytes = dimension * sizeof(float);
  const size_t bytes =
      row_bytes < kPrefetchBytesMax ? row_bytes : kPrefetchBytesMax;
  const char* begin = reinterpret_cast<const char*>(row);
  for (size_t offset = 0; offset < bytes; offset += kCacheLineBytes) {
    __builtin_prefetch(begin + offset);
  }
}

float SumOfLanes(__m256 lanes) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(lanes),
                                 _mm256_extractf128_ps(lanes, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

struct SquaredDifference {
  static __m256 Add(__m256 sum, __m256 a, __m256 b) {
    const __m256 difference = _mm256_sub_ps(a, b);
    return _mm256_fmadd_ps(difference, difference, sum);
  }
};

struct Product {
  static __m256 Add(__m256 sum, __m256 a, __m256 b) {
    return _mm256_fmadd_ps(a, b, sum);
  }
};

template <typename Operation>
float OneRow(const float* query, const float* row, size_t dimension) {
  __m256 sum0 = _mm256_setzero_ps();
  __m256 sum1 = _mm256_setzero_ps();
  __m256 sum2 = _mm256_setzero_ps();
  __m256 sum3 = _mm256_setzero_ps();
  size_t i = 0;
  for (; i + 4 * kLanes <= dimension; i += 4 * kLanes) {
    sum0 = Operation::Add(sum0, _mm256_loadu_ps(query + i),
                          _mm256_loadu_ps(row + i));
    sum1 = Operation::Add(sum1, _mm256_loadu_ps(query + i + kLanes),
                          _mm256_loadu_ps(row + i + kLanes));
    sum2 = Operation::Add(sum2, _mm256_loadu_ps(query + i + 2 * kLanes),
                          _mm256_loadu_ps(row + i + 2 * kLanes));
    sum3 = Operation::Add(sum3, _mm256_loadu_ps(query + i + 3 * kLanes),
                          _mm256_loadu_ps(row + i + 3 * kLanes));
  }
  for (; i + kLanes <= dimension; i += kLanes) {
    sum0 = Operation::Add(sum0, _mm256_loadu_ps(query + i),
                          _mm256_loadu_ps(row + i));
  }
  if (i < dimension) {
    const __m256i mask = _mm256_loadu_si256(
        reinterpret_cast<const __m256i*>(kTailMask + kLanes - (dimension - i)));
    sum1 = Operation::Add(sum1, _mm256_maskload_ps(query + i, mask),
                          _mm256_maskload_ps(row + i, mask));
  }
  return SumOfLanes(
      _mm256_add_ps(_mm256_add_ps(sum0, sum1), _mm256_add_ps(sum2, sum3)));
}

template <typename Operation>
void Batch(const float* query, const float* const* rows, size_t count,
           size_t dimension, float* out) {
  for (size_t i = 0; i < count; ++i) {
    if (i + kRowsAhead < count) PrefetchRow(rows[i + kRowsAhead], dimension);
    out[i] = OneRow<Operation>(query, rows[i], dimension);
  }
}

}  // namespace

const Kernels kAvx2Kernels = {
    .l2_squared = Batch<SquaredDifference>,
    .dot = Batch<Product>,
    .name = "avx2",
};

}  // namespace engram::simd

#endif  // defined(__x86_64__)
