// Kernels for any CPU. Sixteen independent sums break the chain of dependent
// additions, so that the compiler can keep four 4-float registers busy
// without being allowed to reorder floating-point arithmetic.

#include "engine/simd/kernel_tables.h"

namespace engram::simd {
namespace {

constexpr size_t kLanes = 16;
constexpr size_t kRowsAhead = 2;
constexpr size_t kPrefetchBytesMax = 1024;  // the hardware follows from there
constexpr size_t kCacheLineBytes = 64;

void PrefetchRow(const float* row, size_t dimension) {
  const size_t row_bytes = dimension * sizeof(float);
  const size_t bytes =
      row_bytes < kPrefetchBytesMax ? row_bytes : kPrefetchBytesMax;
  const char* begin = reinterpret_cast<const char*>(row);
  for (size_t offset = 0; offset < bytes; offset += kCacheLineBytes) {
    __builtin_prefetch(begin + offset);
  }
}

float SumOfLanes(const float* lanes) {
  float sums[4];
  for (size_t j = 0; j < 4; ++j) {
    sums[j] = (lanes[j] + lanes[j + 4]) + (lanes[j + 8] + lanes[j + 12]);
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

struct SquaredDifference {
  static float Term(float a, float b) { return (a - b) * (a - b); }
};

struct Product {
  static float Term(float a, float b) { return a * b; }
};

template <typename Operation>
float OneRow(const float* query, const float* row, size_t dimension) {
  float lanes[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= dimension; i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) {
      lanes[j] += Operation::Term(query[i + j], row[i + j]);
    }
  }
  for (size_t j = 0; i + j < dimension; ++j) {
    lanes[j] += Operation::Term(query[i + j], row[i + j]);
  }
  return SumOfLanes(lanes);
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

const Kernels kGenericKernels = {
    .l2_squared = Batch<SquaredDifference>,
    .dot = Batch<Product>,
    .name = "generic",
};

}  // namespace engram::simd
