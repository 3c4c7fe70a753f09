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
constexpr size_t kBlockBytes = 64;
constexpr size_t kCodeRowsAhead = 6;
constexpr size_t kRowNumberBytes = 8;  // behind a row's codes

void Prefetch(const void* row, size_t row_bytes) {
  const size_t bytes =
      row_bytes < kPrefetchBytesMax ? row_bytes : kPrefetchBytesMax;
  const char* begin = static_cast<const char*>(row);
  for (size_t offset = 0; offset < bytes; offset += kCacheLineBytes) {
    __builtin_prefetch(begin + offset, kPrefetchToRead, kPrefetchIntoL2);
  }
  // A row need not start on a cache line: it may end in one more.
  __builtin_prefetch(begin + bytes - 1, kPrefetchToRead, kPrefetchIntoL2);
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
    if (i + kRowsAhead < count) {
      Prefetch(rows[i + kRowsAhead], dimension * sizeof(float));
    }
    out[i] = OneRow<Operation>(query, rows[i], dimension);
  }
}

int32_t NibbleDot(const int8_t* query, const uint8_t* row, size_t code_count) {
  int32_t sum = 0;
  for (size_t i = 0; i < code_count; i += kNibbleBlock, row += kBlockBytes) {
    for (size_t k = 0; k < kBlockBytes; ++k) {
      sum += query[i + k] * (row[k] & 15) +
             query[i + kBlockBytes + k] * (row[k] >> 4);
    }
  }
  return sum;
}

int32_t CrumbDot(const int8_t* query, const uint8_t* row, size_t code_count) {
  int32_t sum = 0;
  for (size_t i = 0; i < code_count; i += kCrumbBlock, row += kBlockBytes) {
    const int8_t* part = query + i;
    for (size_t k = 0; k < kBlockBytes; ++k) {
      sum += part[k] * (row[k] & 3) +
             part[kBlockBytes + k] * (row[k] >> 2 & 3) +
             part[2 * kBlockBytes + k] * (row[k] >> 4 & 3) +
             part[3 * kBlockBytes + k] * (row[k] >> 6);
    }
  }
  return sum;
}

template <int32_t (*kOneRow)(const int8_t*, const uint8_t*, size_t),
          size_t kCodesPerByte>
void CodeBatch(const int8_t* query, const uint8_t* const* rows, size_t count,
               size_t code_count, int32_t* out) {
  const size_t row_bytes = code_count / kCodesPerByte + kRowNumberBytes;
  for (size_t i = 0; i < count; ++i) {
    if (i + kCodeRowsAhead < count) {
      Prefetch(rows[i + kCodeRowsAhead], row_bytes);
    }
    out[i] = kOneRow(query, rows[i], code_count);
  }
}

void SplitDot(const int8_t* query, const uint8_t* const* high_rows,
              const uint8_t* const* low_rows, size_t count, size_t code_count,
              int32_t* out) {
  const size_t row_bytes = code_count / 2 + kRowNumberBytes;
  for (size_t i = 0; i < count; ++i) {
    if (i + kCodeRowsAhead < count) {
      Prefetch(high_rows[i + kCodeRowsAhead], row_bytes);
      Prefetch(low_rows[i + kCodeRowsAhead], row_bytes);
    }
    out[i] = 16 * NibbleDot(query, high_rows[i], code_count) +
             NibbleDot(query, low_rows[i], code_count);
  }
}

// Stages in ascending order, each a sum and a difference: the other tables
// group the same operations differently, so results agree bit for bit.
void Hadamard(float* values, size_t count) {
  const float scale = 1.0f / __builtin_sqrtf(static_cast<float>(count));
  for (size_t i = 0; i < count; ++i) values[i] *= scale;
  for (size_t half = 1; half < count; half *= 2) {
    for (size_t begin = 0; begin < count; begin += 2 * half) {
      float* lower = values + begin;
      float* upper = lower + half;
      for (size_t j = 0; j < half; ++j) {
        const float sum = lower[j] + upper[j];
        upper[j] = lower[j] - upper[j];
        lower[j] = sum;
      }
    }
  }
}

void FlipSigns(float* values, const uint8_t* sign_bits, size_t count) {
  for (size_t i = 0; i < count; i += 8) {
    for (size_t j = 0; j < 8; ++j) {
      values[i + j] *= sign_bits[i / 8] >> j & 1 ? -1.0f : 1.0f;
    }
  }
}

Magnitude MagnitudeOf(const float* values, size_t count) {
  float largest[kLanes] = {};
  float squared[kLanes] = {};
  for (size_t i = 0; i < count; i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) {
      const float x = values[i + j];
      const float absolute = x < 0 ? -x : x;
      largest[j] = absolute > largest[j] ? absolute : largest[j];
      squared[j] += x * x;
    }
  }
  for (size_t j = 1; j < kLanes; ++j) {
    largest[0] = largest[j] > largest[0] ? largest[j] : largest[0];
  }
  return {largest[0], SumOfLanes(squared)};
}

CodeSums EncodeInt8(const float* values, size_t count, float inverse_step,
                    int8_t* codes) {
  // Adding 1.5 * 2^23 leaves the number, rounded as the hardware rounds, in
  // the lowest bits. Unlike nearbyintf() the compiler can vectorise it.
  constexpr float kRounder = 12582912.0f;
  float products[kLanes] = {};
  int32_t sum = 0;
  for (size_t i = 0; i < count; i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) {
      const float rounded =
          (values[i + j] * inverse_step + kRounder) - kRounder;
      const auto code = static_cast<int32_t>(rounded);
      codes[i + j] = static_cast<int8_t>(code);
      sum += code;
      products[j] += values[i + j] * rounded;
    }
  }
  return {sum, SumOfLanes(products)};
}

float SplitInt8(const int8_t* codes, const float* values, size_t count,
                uint8_t* high, uint8_t* low) {
  float products[kLanes] = {};
  for (size_t i = 0; i < count; i += kNibbleBlock) {
    for (size_t k = 0; k < kBlockBytes; ++k) {
      const int first = codes[i + k] + 128;
      const int second = codes[i + kBlockBytes + k] + 128;
      high[i / 2 + k] = static_cast<uint8_t>(first >> 4 | (second & 0xF0));
      low[i / 2 + k] = static_cast<uint8_t>((first & 15) | (second & 15) << 4);
    }
    for (size_t k = 0; k < kNibbleBlock; ++k) {
      const int nibble = (codes[i + k] + 128) >> 4;
      products[k % kLanes] +=
          values[i + k] * (static_cast<float>(nibble) - 7.5f);
    }
  }
  return SumOfLanes(products);
}

int32_t JoinInt8(const uint8_t* high, const uint8_t* low, size_t count,
                 int8_t* codes) {
  int32_t sum = 0;
  for (size_t i = 0; i < count; i += kNibbleBlock) {
    for (size_t k = 0; k < kBlockBytes; ++k) {
      const int upper = high[i / 2 + k];
      const int lower = low[i / 2 + k];
      const int first = ((upper & 15) << 4 | (lower & 15)) - 128;
      const int second = ((upper & 0xF0) | lower >> 4) - 128;
      codes[i + k] = static_cast<int8_t>(first);
      codes[i + kBlockBytes + k] = static_cast<int8_t>(second);
      sum += first + second;
    }
  }
  return sum;
}

float EncodeCrumbs(const float* values, size_t count, float inverse_step,
                   uint8_t* crumbs) {
  float products[kLanes] = {};
  for (size_t i = 0; i < count; i += kCrumbBlock) {
    uint8_t codes[kCrumbBlock];
    for (size_t k = 0; k < kCrumbBlock; ++k) {
      // Comparisons instead of a floor that must be limited afterwards.
      const float steps = values[i + k] * inverse_step;
      const int code = (steps >= -1.0f) + (steps >= 0.0f) + (steps >= 1.0f);
      codes[k] = static_cast<uint8_t>(code);
      products[k % kLanes] += values[i + k] * (static_cast<float>(code) - 1.5f);
    }
    for (size_t k = 0; k < kBlockBytes; ++k) {
      crumbs[i / 4 + k] = static_cast<uint8_t>(
          codes[k] | codes[kBlockBytes + k] << 2 |
          codes[2 * kBlockBytes + k] << 4 | codes[3 * kBlockBytes + k] << 6);
    }
  }
  return SumOfLanes(products);
}

}  // namespace

const Kernels kGenericKernels = {
    .l2_squared = Batch<SquaredDifference>,
    .dot = Batch<Product>,
    .nibble_dot = CodeBatch<NibbleDot, 2>,
    .crumb_dot = CodeBatch<CrumbDot, 4>,
    .split_dot = SplitDot,
    .hadamard = Hadamard,
    .flip_signs = FlipSigns,
    .magnitude = MagnitudeOf,
    .encode_int8 = EncodeInt8,
    .split_int8 = SplitInt8,
    .join_int8 = JoinInt8,
    .encode_crumbs = EncodeCrumbs,
    .name = "generic",
};

}  // namespace engram::simd
