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
constexpr size_t kBlockBytes = 64;
constexpr size_t kBytes = 32;  // in a register
constexpr size_t kCodeRowsAhead = 6;
constexpr size_t kRowNumberBytes = 8;  // behind a row's codes

// Eight ones followed by eight zeros: a window at kTailMask + 8 - n selects
// the first n lanes.
alignas(64) constexpr int kTailMask[2 * kLanes] = {
    -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

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

__m256i Load(const void* bytes) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(bytes));
}

void Store(void* to, __m256i bytes) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), bytes);
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
    if (i + kRowsAhead < count) {
      Prefetch(rows[i + kRowsAhead], dimension * sizeof(float));
    }
    out[i] = OneRow<Operation>(query, rows[i], dimension);
  }
}

// Adds products of unsigned bytes of at most 15 with signed ones to sums of 16
// bits: at most 2 * 15 * 127 each, so that eight of them fit.
__m256i AddProducts(__m256i sums, __m256i bytes, const int8_t* query) {
  return _mm256_add_epi16(sums, _mm256_maddubs_epi16(bytes, Load(query)));
}

__m256i Widened(__m256i sums16) {
  return _mm256_madd_epi16(sums16, _mm256_set1_epi16(1));
}

int32_t SumOfLanes(__m256i lanes) {
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(lanes),
                              _mm256_extracti128_si256(lanes, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4E));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xB1));
  return _mm_cvtsi128_si32(sum);
}

// Bits kShift and up of every byte, as many as `mask` has. The shift drags bits
// of the neighbor byte in, which the mask removes.
template <int kShift>
__m256i Field(__m256i bytes, __m256i mask) {
  return _mm256_and_si256(_mm256_srli_epi16(bytes, kShift), mask);
}

struct Nibbles {
  static constexpr size_t kCodesPerByte = 2;

  static __m256i Block(const int8_t* query, const uint8_t* row) {
    const __m256i mask = _mm256_set1_epi8(15);
    __m256i sums = _mm256_setzero_si256();
    for (size_t k = 0; k < kBlockBytes; k += kBytes) {
      const __m256i bytes = Load(row + k);
      sums = AddProducts(sums, _mm256_and_si256(bytes, mask), query + k);
      sums = AddProducts(sums, Field<4>(bytes, mask), query + 64 + k);
    }
    return Widened(sums);
  }
};

struct Crumbs {
  static constexpr size_t kCodesPerByte = 4;

  static __m256i Block(const int8_t* query, const uint8_t* row) {
    const __m256i mask = _mm256_set1_epi8(3);
    __m256i sums = _mm256_setzero_si256();
    for (size_t k = 0; k < kBlockBytes; k += kBytes) {
      const __m256i bytes = Load(row + k);
      sums = AddProducts(sums, _mm256_and_si256(bytes, mask), query + k);
      sums = AddProducts(sums, Field<2>(bytes, mask), query + 64 + k);
      sums = AddProducts(sums, Field<4>(bytes, mask), query + 128 + k);
      sums = AddProducts(sums, Field<6>(bytes, mask), query + 192 + k);
    }
    return Widened(sums);
  }
};

template <typename Codes>
__m256i RowSums(const int8_t* query, const uint8_t* row, size_t code_count) {
  __m256i sums = _mm256_setzero_si256();
  for (size_t i = 0; i < code_count; i += Codes::kCodesPerByte * kBlockBytes) {
    sums = _mm256_add_epi32(
        sums, Codes::Block(query + i, row + i / Codes::kCodesPerByte));
  }
  return sums;
}

template <typename Codes>
void CodeBatch(const int8_t* query, const uint8_t* const* rows, size_t count,
               size_t code_count, int32_t* out) {
  const size_t row_bytes = code_count / Codes::kCodesPerByte + kRowNumberBytes;
  for (size_t i = 0; i < count; ++i) {
    if (i + kCodeRowsAhead < count) {
      Prefetch(rows[i + kCodeRowsAhead], row_bytes);
    }
    out[i] = SumOfLanes(RowSums<Codes>(query, rows[i], code_count));
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
    const __m256i high = RowSums<Nibbles>(query, high_rows[i], code_count);
    const __m256i low = RowSums<Nibbles>(query, low_rows[i], code_count);
    out[i] = SumOfLanes(_mm256_add_epi32(_mm256_slli_epi32(high, 4), low));
  }
}

// One stage inside a register: `signs` negates the lanes that become the
// difference of their partner and themselves.
__m256 Butterfly(__m256 x, __m256 partners, __m256 signs) {
  return _mm256_add_ps(partners, _mm256_xor_ps(x, signs));
}

void Butterfly(__m256* lower, __m256* upper) {
  const __m256 sum = _mm256_add_ps(*lower, *upper);
  *upper = _mm256_sub_ps(*lower, *upper);
  *lower = sum;
}

// The stages of distance 1, 2 and 4.
__m256 HadamardInside(__m256 x) {
  const __m256 ones = _mm256_setr_ps(0, -0.0f, 0, -0.0f, 0, -0.0f, 0, -0.0f);
  const __m256 twos = _mm256_setr_ps(0, 0, -0.0f, -0.0f, 0, 0, -0.0f, -0.0f);
  const __m256 fours = _mm256_setr_ps(0, 0, 0, 0, -0.0f, -0.0f, -0.0f, -0.0f);
  x = Butterfly(x, _mm256_permute_ps(x, 0xB1), ones);
  x = Butterfly(x, _mm256_permute_ps(x, 0x4E), twos);
  return Butterfly(x, _mm256_permute2f128_ps(x, x, 0x01), fours);
}

// The stages of distance `half` and 2 * half for four registers that stand
// `half` apart.
void HadamardFour(__m256* x) {
  Butterfly(&x[0], &x[1]);
  Butterfly(&x[2], &x[3]);
  Butterfly(&x[0], &x[2]);
  Butterfly(&x[1], &x[3]);
}

// Two stages per pass over memory.
void Hadamard(float* values, size_t count) {
  const __m256 scale =
      _mm256_set1_ps(1.0f / __builtin_sqrtf(static_cast<float>(count)));
  __m256 x[4];
  for (size_t i = 0; i < count; i += 4 * kLanes) {
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) {
      x[j] = HadamardInside(
          _mm256_mul_ps(_mm256_loadu_ps(values + i + j * kLanes), scale));
    }
    HadamardFour(x);
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) {
      _mm256_storeu_ps(values + i + j * kLanes, x[j]);
    }
  }
  size_t half = 4 * kLanes;
  for (; 4 * half <= count; half *= 4) {
    for (size_t begin = 0; begin < count; begin += 4 * half) {
      for (size_t i = begin; i < begin + half; i += kLanes) {
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; ++j) {
          x[j] = _mm256_loadu_ps(values + i + j * half);
        }
        HadamardFour(x);
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; ++j) {
          _mm256_storeu_ps(values + i + j * half, x[j]);
        }
      }
    }
  }
  if (half == count) return;
  for (size_t i = 0; i < half; i += kLanes) {
    x[0] = _mm256_loadu_ps(values + i);
    x[1] = _mm256_loadu_ps(values + i + half);
    Butterfly(&x[0], &x[1]);
    _mm256_storeu_ps(values + i, x[0]);
    _mm256_storeu_ps(values + i + half, x[1]);
  }
}

void FlipSigns(float* values, const uint8_t* sign_bits, size_t count) {
  const __m256i bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256 sign = _mm256_set1_ps(-0.0f);
  for (size_t i = 0; i < count; i += kLanes) {
    const __m256i byte = _mm256_set1_epi32(sign_bits[i / 8]);
    const __m256 set = _mm256_castsi256_ps(
        _mm256_cmpeq_epi32(_mm256_and_si256(byte, bits), bits));
    _mm256_storeu_ps(values + i, _mm256_xor_ps(_mm256_loadu_ps(values + i),
                                               _mm256_and_ps(set, sign)));
  }
}

float LargestLane(__m256 lanes) {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(lanes),
                                 _mm256_extractf128_ps(lanes, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

Magnitude MagnitudeOf(const float* values, size_t count) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  __m256 largest = _mm256_setzero_ps();
  __m256 squared[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(),
                       _mm256_setzero_ps(), _mm256_setzero_ps()};
  for (size_t i = 0; i < count; i += 4 * kLanes) {
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) {
      const __m256 x = _mm256_loadu_ps(values + i + j * kLanes);
      squared[j] = _mm256_fmadd_ps(x, x, squared[j]);
      largest = _mm256_max_ps(largest, _mm256_andnot_ps(sign, x));
    }
  }
  return {LargestLane(largest),
          SumOfLanes(_mm256_add_ps(_mm256_add_ps(squared[0], squared[1]),
                                   _mm256_add_ps(squared[2], squared[3])))};
}

// Four times eight numbers of 32 bits as 32 bytes, in order.
__m256i PackBytes(const __m256i* numbers) {
  // The packs work on halves of registers: their order is mended at the end.
  const __m256i bytes =
      _mm256_packs_epi16(_mm256_packs_epi32(numbers[0], numbers[1]),
                         _mm256_packs_epi32(numbers[2], numbers[3]));
  return _mm256_permutevar8x32_epi32(bytes,
                                     _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

CodeSums EncodeInt8(const float* values, size_t count, float inverse_step,
                    int8_t* codes) {
  const __m256 scale = _mm256_set1_ps(inverse_step);
  __m256i sum = _mm256_setzero_si256();
  __m256 products[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (size_t i = 0; i < count; i += kBytes) {
    __m256i code[4];
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) {
      const __m256 x = _mm256_loadu_ps(values + i + j * kLanes);
      code[j] = _mm256_cvtps_epi32(_mm256_mul_ps(x, scale));
      sum = _mm256_add_epi32(sum, code[j]);
      products[j % 2] =
          _mm256_fmadd_ps(x, _mm256_cvtepi32_ps(code[j]), products[j % 2]);
    }
    Store(codes + i, PackBytes(code));
  }
  return {SumOfLanes(sum), SumOfLanes(_mm256_add_ps(products[0], products[1]))};
}

// Adds values[j] * (nibbles[j] - 7.5) for 32 components.
void AddNibbleProducts(const float* values, __m256i nibbles, __m256* products) {
  const __m128i low = _mm256_castsi256_si128(nibbles);
  const __m128i high = _mm256_extracti128_si256(nibbles, 1);
  const __m128i parts[4] = {low, _mm_srli_si128(low, 8), high,
                            _mm_srli_si128(high, 8)};
#pragma GCC unroll 4
  for (size_t j = 0; j < 4; ++j) {
    const __m256 level =
        _mm256_sub_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(parts[j])),
                      _mm256_set1_ps(7.5f));
    products[j % 2] = _mm256_fmadd_ps(_mm256_loadu_ps(values + j * kLanes),
                                      level, products[j % 2]);
  }
}

float SplitInt8(const int8_t* codes, const float* values, size_t count,
                uint8_t* high, uint8_t* low) {
  const __m256i mask = _mm256_set1_epi8(15);
  const __m256i midpoint = _mm256_set1_epi8(-128);
  __m256 products[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
  for (size_t i = 0; i < count; i += kNibbleBlock) {
    for (size_t k = 0; k < kBlockBytes; k += kBytes) {
      const __m256i first = _mm256_xor_si256(Load(codes + i + k), midpoint);
      const __m256i second =
          _mm256_xor_si256(Load(codes + i + 64 + k), midpoint);
      const __m256i first_high = Field<4>(first, mask);
      const __m256i second_high = Field<4>(second, mask);
      Store(high + i / 2 + k,
            _mm256_or_si256(first_high, _mm256_andnot_si256(mask, second)));
      Store(low + i / 2 + k,
            _mm256_or_si256(
                _mm256_and_si256(first, mask),
                _mm256_andnot_si256(mask, _mm256_slli_epi16(second, 4))));
      AddNibbleProducts(values + i + k, first_high, products);
      AddNibbleProducts(values + i + 64 + k, second_high, products);
    }
  }
  return SumOfLanes(_mm256_add_ps(products[0], products[1]));
}

int32_t JoinInt8(const uint8_t* high, const uint8_t* low, size_t count,
                 int8_t* codes) {
  const __m256i mask = _mm256_set1_epi8(15);
  const __m256i midpoint = _mm256_set1_epi8(-128);
  const __m256i ones = _mm256_set1_epi8(1);
  __m256i sums = _mm256_setzero_si256();
  for (size_t i = 0; i < count; i += kNibbleBlock) {
    for (size_t k = 0; k < kBlockBytes; k += kBytes) {
      const __m256i upper = Load(high + i / 2 + k);
      const __m256i lower = Load(low + i / 2 + k);
      const __m256i first = _mm256_xor_si256(
          midpoint, _mm256_or_si256(
                        _mm256_andnot_si256(mask, _mm256_slli_epi16(upper, 4)),
                        _mm256_and_si256(mask, lower)));
      const __m256i second = _mm256_xor_si256(
          midpoint, _mm256_or_si256(_mm256_andnot_si256(mask, upper),
                                    Field<4>(lower, mask)));
      Store(codes + i + k, first);
      Store(codes + i + 64 + k, second);
      sums = _mm256_add_epi32(
          sums, Widened(_mm256_add_epi16(_mm256_maddubs_epi16(ones, first),
                                         _mm256_maddubs_epi16(ones, second))));
    }
  }
  return SumOfLanes(sums);
}

float EncodeCrumbs(const float* values, size_t count, float inverse_step,
                   uint8_t* crumbs) {
  const __m256 scale = _mm256_set1_ps(inverse_step);
  const __m256i least = _mm256_set1_epi32(-2);
  const __m256i most = _mm256_set1_epi32(1);
  __m256 products[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(),
                        _mm256_setzero_ps(), _mm256_setzero_ps()};
  for (size_t i = 0; i < count; i += kCrumbBlock) {
    for (size_t k = 0; k < kBlockBytes; k += kBytes) {
      __m256i packed[4];
      for (size_t lane = 0; lane < 4; ++lane) {
        packed[lane] = _mm256_setzero_si256();
#pragma GCC unroll 4
        for (size_t j = 4; j-- > 0;) {
          const __m256 x =
              _mm256_loadu_ps(values + i + k + lane * kLanes + j * kBlockBytes);
          const __m256i floor =
              _mm256_cvttps_epi32(_mm256_floor_ps(_mm256_mul_ps(x, scale)));
          const __m256i step =
              _mm256_min_epi32(_mm256_max_epi32(floor, least), most);
          products[j] = _mm256_fmadd_ps(
              x, _mm256_add_ps(_mm256_cvtepi32_ps(step), _mm256_set1_ps(0.5f)),
              products[j]);
          packed[lane] = _mm256_add_epi32(_mm256_slli_epi32(packed[lane], 2),
                                          _mm256_sub_epi32(step, least));
        }
        // The packs saturate signed numbers: 128 .. 255 must look negative.
        packed[lane] =
            _mm256_srai_epi32(_mm256_slli_epi32(packed[lane], 24), 24);
      }
      Store(crumbs + i / 4 + k, PackBytes(packed));
    }
  }
  return SumOfLanes(_mm256_add_ps(_mm256_add_ps(products[0], products[1]),
                                  _mm256_add_ps(products[2], products[3])));
}

}  // namespace

const Kernels kAvx2Kernels = {
    .l2_squared = Batch<SquaredDifference>,
    .dot = Batch<Product>,
    .nibble_dot = CodeBatch<Nibbles>,
    .crumb_dot = CodeBatch<Crumbs>,
    .split_dot = SplitDot,
    .hadamard = Hadamard,
    .flip_signs = FlipSigns,
    .magnitude = MagnitudeOf,
    .encode_int8 = EncodeInt8,
    .split_int8 = SplitInt8,
    .join_int8 = JoinInt8,
    .encode_crumbs = EncodeCrumbs,
    .name = "avx2",
};

}  // namespace engram::simd

#endif  // defined(__x86_64__)
