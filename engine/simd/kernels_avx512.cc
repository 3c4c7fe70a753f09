// Kernels for AVX-512 with VNNI, whose dpbusd multiplies 64 unsigned by 64
// signed bytes and adds the products in fours into 16 sums. Code kernels take
// four rows at once: four independent chains of additions cover the
// instruction's latency, the query is loaded once, and the four horizontal sums
// share most of their work.

#include "engine/simd/kernel_tables.h"

#if defined(__x86_64__)

#include <immintrin.h>

namespace engram::simd {
namespace {

constexpr size_t kLanes = 16;
constexpr size_t kRowsAhead = 2;
constexpr size_t kRowsAtOnce = 4;
constexpr size_t kCodeRowsAhead = 16;
constexpr size_t kRowNumberBytes = 8;       // behind a row's codes
constexpr size_t kPrefetchBytesMax = 1024;  // the hardware follows from there
constexpr size_t kCacheLineBytes = 64;
constexpr size_t kBlockBytes = 64;

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

struct SquaredDifference {
  static __m512 Add(__m512 sum, __m512 a, __m512 b) {
    const __m512 difference = _mm512_sub_ps(a, b);
    return _mm512_fmadd_ps(difference, difference, sum);
  }
};

struct Product {
  static __m512 Add(__m512 sum, __m512 a, __m512 b) {
    return _mm512_fmadd_ps(a, b, sum);
  }
};

template <typename Operation>
float OneRow(const float* query, const float* row, size_t dimension) {
  __m512 sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(),
                    _mm512_setzero_ps(), _mm512_setzero_ps()};
  size_t i = 0;
  for (; i + 4 * kLanes <= dimension; i += 4 * kLanes) {
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) {
      sums[j] = Operation::Add(sums[j], _mm512_loadu_ps(query + i + j * kLanes),
                               _mm512_loadu_ps(row + i + j * kLanes));
    }
  }
  for (; i + kLanes <= dimension; i += kLanes) {
    sums[0] = Operation::Add(sums[0], _mm512_loadu_ps(query + i),
                             _mm512_loadu_ps(row + i));
  }
  if (i < dimension) {
    const auto mask = static_cast<__mmask16>((1u << (dimension - i)) - 1);
    sums[1] = Operation::Add(sums[1], _mm512_maskz_loadu_ps(mask, query + i),
                             _mm512_maskz_loadu_ps(mask, row + i));
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sums[0], sums[1]),
                                            _mm512_add_ps(sums[2], sums[3])));
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

// Bits kShift and up of every byte, as many as `mask` has. The shift drags bits
// of the neighbor byte in, which the mask removes.
template <int kShift>
__m512i Field(__m512i bytes, __m512i mask) {
  return _mm512_and_si512(_mm512_srli_epi16(bytes, kShift), mask);
}

// The three kinds of rows: where row i's codes are, and how one block of it is
// multiplied with a block of the query.
struct NibbleRows {
  static constexpr size_t kBlock = kNibbleBlock;

  NibbleRows From(size_t i) const { return {rows + i}; }
  void PrefetchRow(size_t i, size_t code_count) const {
    Prefetch(rows[i], code_count / 2 + kRowNumberBytes);
  }
  __m512i Add(__m512i sum, size_t i, size_t block, const int8_t* query) const {
    const __m512i bytes = _mm512_loadu_si512(rows[i] + block * kBlockBytes);
    const __m512i mask = _mm512_set1_epi8(15);
    sum = _mm512_dpbusd_epi32(sum, _mm512_and_si512(bytes, mask),
                              _mm512_loadu_si512(query));
    return _mm512_dpbusd_epi32(sum, Field<4>(bytes, mask),
                               _mm512_loadu_si512(query + 64));
  }

  const uint8_t* const* rows;
};

struct CrumbRows {
  static constexpr size_t kBlock = kCrumbBlock;

  CrumbRows From(size_t i) const { return {rows + i}; }
  void PrefetchRow(size_t i, size_t code_count) const {
    Prefetch(rows[i], code_count / 4 + kRowNumberBytes);
  }
  __m512i Add(__m512i sum, size_t i, size_t block, const int8_t* query) const {
    const __m512i bytes = _mm512_loadu_si512(rows[i] + block * kBlockBytes);
    const __m512i mask = _mm512_set1_epi8(3);
    sum = _mm512_dpbusd_epi32(sum, _mm512_and_si512(bytes, mask),
                              _mm512_loadu_si512(query));
    sum = _mm512_dpbusd_epi32(sum, Field<2>(bytes, mask),
                              _mm512_loadu_si512(query + 64));
    sum = _mm512_dpbusd_epi32(sum, Field<4>(bytes, mask),
                              _mm512_loadu_si512(query + 128));
    return _mm512_dpbusd_epi32(sum, Field<6>(bytes, mask),
                               _mm512_loadu_si512(query + 192));
  }

  const uint8_t* const* rows;
};

// The 8-bit codes of a block's first and second half.
struct JoinedBlock {
  JoinedBlock(const uint8_t* high_bytes, const uint8_t* low_bytes) {
    const __m512i high = _mm512_loadu_si512(high_bytes);
    const __m512i low = _mm512_loadu_si512(low_bytes);
    const __m512i mask = _mm512_set1_epi8(15);
    // 0xCA: bits of the second operand where the first has ones, else of the
    // third.
    first =
        _mm512_ternarylogic_epi32(mask, low, _mm512_slli_epi16(high, 4), 0xCA);
    second =
        _mm512_ternarylogic_epi32(mask, _mm512_srli_epi16(low, 4), high, 0xCA);
  }

  __m512i first;
  __m512i second;
};

struct SplitRows {
  static constexpr size_t kBlock = kNibbleBlock;

  SplitRows From(size_t i) const { return {high_rows + i, low_rows + i}; }
  void PrefetchRow(size_t i, size_t code_count) const {
    Prefetch(high_rows[i], code_count / 2 + kRowNumberBytes);
    Prefetch(low_rows[i], code_count / 2 + kRowNumberBytes);
  }
  __m512i Add(__m512i sum, size_t i, size_t block, const int8_t* query) const {
    const JoinedBlock codes(high_rows[i] + block * kBlockBytes,
                            low_rows[i] + block * kBlockBytes);
    sum = _mm512_dpbusd_epi32(sum, codes.first, _mm512_loadu_si512(query));
    return _mm512_dpbusd_epi32(sum, codes.second,
                               _mm512_loadu_si512(query + 64));
  }

  const uint8_t* const* high_rows;
  const uint8_t* const* low_rows;
};

// The sums of the lanes of four registers.
__m128i SumsOfLanes(const __m512i* sums) {
  const __m512i even =
      _mm512_add_epi32(_mm512_unpacklo_epi32(sums[0], sums[1]),
                       _mm512_unpackhi_epi32(sums[0], sums[1]));
  const __m512i odd = _mm512_add_epi32(_mm512_unpacklo_epi32(sums[2], sums[3]),
                                       _mm512_unpackhi_epi32(sums[2], sums[3]));
  const __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(even, odd),
                                       _mm512_unpackhi_epi64(even, odd));
  const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all),
                                        _mm512_extracti64x4_epi64(all, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half),
                       _mm256_extracti128_si256(half, 1));
}

template <size_t kRows, typename Rows>
void SomeRows(const int8_t* query, const Rows& rows, size_t code_count,
              int32_t* out) {
  __m512i sums[kRowsAtOnce] = {_mm512_setzero_si512(), _mm512_setzero_si512(),
                               _mm512_setzero_si512(), _mm512_setzero_si512()};
  for (size_t block = 0; block < code_count / Rows::kBlock; ++block) {
#pragma GCC unroll 4
    for (size_t i = 0; i < kRows; ++i) {
      sums[i] = rows.Add(sums[i], i, block, query + block * Rows::kBlock);
    }
  }
  const auto mask = static_cast<__mmask8>((1u << kRows) - 1);
  _mm_mask_storeu_epi32(out, mask, SumsOfLanes(sums));
}

template <typename Rows>
void CodeBatch(const int8_t* query, const Rows& rows, size_t count,
               size_t code_count, int32_t* out) {
  const size_t ahead = count < kCodeRowsAhead ? count : kCodeRowsAhead;
  size_t fetched = 0;
  for (; fetched < ahead; ++fetched) rows.PrefetchRow(fetched, code_count);
  size_t i = 0;
  for (; i + kRowsAtOnce <= count; i += kRowsAtOnce) {
    const size_t wanted = i + kRowsAtOnce + kCodeRowsAhead;
    for (; fetched < count && fetched < wanted; ++fetched) {
      rows.PrefetchRow(fetched, code_count);
    }
    SomeRows<kRowsAtOnce>(query, rows.From(i), code_count, out + i);
  }
  switch (count - i) {
    case 1:
      return SomeRows<1>(query, rows.From(i), code_count, out + i);
    case 2:
      return SomeRows<2>(query, rows.From(i), code_count, out + i);
    case 3:
      return SomeRows<3>(query, rows.From(i), code_count, out + i);
    default:
      return;
  }
}

void NibbleDot(const int8_t* query, const uint8_t* const* rows, size_t count,
               size_t code_count, int32_t* out) {
  CodeBatch(query, NibbleRows{rows}, count, code_count, out);
}

void CrumbDot(const int8_t* query, const uint8_t* const* rows, size_t count,
              size_t code_count, int32_t* out) {
  CodeBatch(query, CrumbRows{rows}, count, code_count, out);
}

void SplitDot(const int8_t* query, const uint8_t* const* high_rows,
              const uint8_t* const* low_rows, size_t count, size_t code_count,
              int32_t* out) {
  CodeBatch(query, SplitRows{high_rows, low_rows}, count, code_count, out);
}

// One stage inside a register: lanes without a bit of kUpper become the sum of
// themselves and their partner in `partners`, lanes with one the difference.
template <int kUpper>
__m512 Butterfly(__m512 x, __m512 partners) {
  return _mm512_mask_sub_ps(_mm512_add_ps(x, partners), kUpper, partners, x);
}

void Butterfly(__m512* lower, __m512* upper) {
  const __m512 sum = _mm512_add_ps(*lower, *upper);
  *upper = _mm512_sub_ps(*lower, *upper);
  *lower = sum;
}

// The stages of distance 1 to 8.
__m512 HadamardInside(__m512 x) {
  x = Butterfly<0xAAAA>(x, _mm512_permute_ps(x, 0xB1));
  x = Butterfly<0xCCCC>(x, _mm512_permute_ps(x, 0x4E));
  x = Butterfly<0xF0F0>(x, _mm512_shuffle_f32x4(x, x, 0xB1));
  return Butterfly<0xFF00>(x, _mm512_shuffle_f32x4(x, x, 0x4E));
}

// The stages of distance `half` and 2 * half for four registers that stand
// `half` apart.
void HadamardFour(__m512* x) {
  Butterfly(&x[0], &x[1]);
  Butterfly(&x[2], &x[3]);
  Butterfly(&x[0], &x[2]);
  Butterfly(&x[1], &x[3]);
}

// Two stages per pass over memory.
void Hadamard(float* values, size_t count) {
  const __m512 scale =
      _mm512_set1_ps(1.0f / __builtin_sqrtf(static_cast<float>(count)));
  __m512 x[4];
  for (size_t i = 0; i < count; i += 4 * kLanes) {
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) {
      x[j] = HadamardInside(
          _mm512_mul_ps(_mm512_loadu_ps(values + i + j * kLanes), scale));
    }
    HadamardFour(x);
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; ++j) {
      _mm512_storeu_ps(values + i + j * kLanes, x[j]);
    }
  }
  size_t half = 4 * kLanes;
  for (; 4 * half <= count; half *= 4) {
    for (size_t begin = 0; begin < count; begin += 4 * half) {
      for (size_t i = begin; i < begin + half; i += kLanes) {
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; ++j) {
          x[j] = _mm512_loadu_ps(values + i + j * half);
        }
        HadamardFour(x);
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; ++j) {
          _mm512_storeu_ps(values + i + j * half, x[j]);
        }
      }
    }
  }
  if (half == count) return;
  for (size_t i = 0; i < half; i += kLanes) {
    x[0] = _mm512_loadu_ps(values + i);
    x[1] = _mm512_loadu_ps(values + i + half);
    Butterfly(&x[0], &x[1]);
    _mm512_storeu_ps(values + i, x[0]);
    _mm512_storeu_ps(values + i + half, x[1]);
  }
}

void FlipSigns(float* values, const uint8_t* sign_bits, size_t count) {
  const __m512 sign = _mm512_set1_ps(-0.0f);
  for (size_t i = 0; i < count; i += kLanes) {
    const auto mask =
        static_cast<__mmask16>(sign_bits[i / 8] | sign_bits[i / 8 + 1] << 8);
    const __m512 x = _mm512_loadu_ps(values + i);
    _mm512_storeu_ps(values + i, _mm512_mask_xor_ps(x, mask, x, sign));
  }
}

Magnitude MagnitudeOf(const float* values, size_t count) {
  __m512 largest = _mm512_setzero_ps();
  __m512 squared[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  for (size_t i = 0; i < count; i += 2 * kLanes) {
    const __m512 x = _mm512_loadu_ps(values + i);
    const __m512 y = _mm512_loadu_ps(values + i + kLanes);
    squared[0] = _mm512_fmadd_ps(x, x, squared[0]);
    squared[1] = _mm512_fmadd_ps(y, y, squared[1]);
    largest = _mm512_max_ps(largest,
                            _mm512_max_ps(_mm512_abs_ps(x), _mm512_abs_ps(y)));
  }
  return {_mm512_reduce_max_ps(largest),
          _mm512_reduce_add_ps(_mm512_add_ps(squared[0], squared[1]))};
}

CodeSums EncodeInt8(const float* values, size_t count, float inverse_step,
                    int8_t* codes) {
  const __m512 scale = _mm512_set1_ps(inverse_step);
  __m512i sum = _mm512_setzero_si512();
  __m512 products[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  for (size_t i = 0; i < count; i += 2 * kLanes) {
#pragma GCC unroll 2
    for (size_t j = 0; j < 2; ++j) {
      const __m512 x = _mm512_loadu_ps(values + i + j * kLanes);
      const __m512i code = _mm512_cvtps_epi32(_mm512_mul_ps(x, scale));
      sum = _mm512_add_epi32(sum, code);
      products[j] = _mm512_fmadd_ps(x, _mm512_cvtepi32_ps(code), products[j]);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + i + j * kLanes),
                       _mm512_cvtepi32_epi8(code));
    }
  }
  return {_mm512_reduce_add_epi32(sum),
          _mm512_reduce_add_ps(_mm512_add_ps(products[0], products[1]))};
}

// Adds values[j] * (nibbles[j] - 7.5) for 64 components.
void AddNibbleProducts(const float* values, __m512i nibbles, __m512* products) {
  const __m512 levels =
      _mm512_setr_ps(-7.5f, -6.5f, -5.5f, -4.5f, -3.5f, -2.5f, -1.5f, -0.5f,
                     0.5f, 1.5f, 2.5f, 3.5f, 4.5f, 5.5f, 6.5f, 7.5f);
  const __m128i parts[4] = {_mm512_castsi512_si128(nibbles),
                            _mm512_extracti32x4_epi32(nibbles, 1),
                            _mm512_extracti32x4_epi32(nibbles, 2),
                            _mm512_extracti32x4_epi32(nibbles, 3)};
#pragma GCC unroll 4
  for (size_t j = 0; j < 4; ++j) {
    const __m512 level =
        _mm512_permutexvar_ps(_mm512_cvtepu8_epi32(parts[j]), levels);
    products[j % 2] = _mm512_fmadd_ps(_mm512_loadu_ps(values + j * kLanes),
                                      level, products[j % 2]);
  }
}

float SplitInt8(const int8_t* codes, const float* values, size_t count,
                uint8_t* high, uint8_t* low) {
  const __m512i mask = _mm512_set1_epi8(15);
  const __m512i midpoint = _mm512_set1_epi8(-128);
  __m512 products[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  for (size_t i = 0; i < count; i += kNibbleBlock) {
    const __m512i first =
        _mm512_xor_si512(_mm512_loadu_si512(codes + i), midpoint);
    const __m512i second =
        _mm512_xor_si512(_mm512_loadu_si512(codes + i + 64), midpoint);
    const __m512i first_high = Field<4>(first, mask);
    _mm512_storeu_si512(high + i / 2, _mm512_ternarylogic_epi32(
                                          mask, first_high, second, 0xCA));
    _mm512_storeu_si512(low + i / 2,
                        _mm512_ternarylogic_epi32(
                            mask, first, _mm512_slli_epi16(second, 4), 0xCA));
    AddNibbleProducts(values + i, first_high, products);
    AddNibbleProducts(values + i + 64, Field<4>(second, mask), products);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(products[0], products[1]));
}

int32_t JoinInt8(const uint8_t* high, const uint8_t* low, size_t count,
                 int8_t* codes) {
  const __m512i ones = _mm512_set1_epi8(1);
  const __m512i midpoint = _mm512_set1_epi8(-128);
  __m512i sums[2] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  for (size_t i = 0; i < count; i += kNibbleBlock) {
    const JoinedBlock block(high + i / 2, low + i / 2);
    const __m512i first = _mm512_xor_si512(block.first, midpoint);
    const __m512i second = _mm512_xor_si512(block.second, midpoint);
    sums[0] = _mm512_dpbusd_epi32(sums[0], ones, first);
    sums[1] = _mm512_dpbusd_epi32(sums[1], ones, second);
    _mm512_storeu_si512(codes + i, first);
    _mm512_storeu_si512(codes + i + 64, second);
  }
  return _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1]));
}

float EncodeCrumbs(const float* values, size_t count, float inverse_step,
                   uint8_t* crumbs) {
  const __m512 scale = _mm512_set1_ps(inverse_step);
  const __m512i least = _mm512_set1_epi32(-2);
  const __m512i most = _mm512_set1_epi32(1);
  __m512 products[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(),
                        _mm512_setzero_ps(), _mm512_setzero_ps()};
  for (size_t i = 0; i < count; i += kCrumbBlock) {
    for (size_t k = 0; k < kBlockBytes; k += kLanes) {
      __m512i packed = _mm512_setzero_si512();
#pragma GCC unroll 4
      for (size_t j = 4; j-- > 0;) {
        const __m512 x = _mm512_loadu_ps(values + i + k + j * kBlockBytes);
        const __m512i floor = _mm512_cvt_roundps_epi32(
            _mm512_mul_ps(x, scale), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
        const __m512i step =
            _mm512_min_epi32(_mm512_max_epi32(floor, least), most);
        products[j] = _mm512_fmadd_ps(
            x, _mm512_add_ps(_mm512_cvtepi32_ps(step), _mm512_set1_ps(0.5f)),
            products[j]);
        packed = _mm512_add_epi32(_mm512_slli_epi32(packed, 2),
                                  _mm512_sub_epi32(step, least));
      }
      _mm_storeu_si128(reinterpret_cast<__m128i*>(crumbs + i / 4 + k),
                       _mm512_cvtepi32_epi8(packed));
    }
  }
  return _mm512_reduce_add_ps(
      _mm512_add_ps(_mm512_add_ps(products[0], products[1]),
                    _mm512_add_ps(products[2], products[3])));
}

}  // namespace

const Kernels kAvx512Kernels = {
    .l2_squared = Batch<SquaredDifference>,
    .dot = Batch<Product>,
    .nibble_dot = NibbleDot,
    .crumb_dot = CrumbDot,
    .split_dot = SplitDot,
    .hadamard = Hadamard,
    .flip_signs = FlipSigns,
    .magnitude = MagnitudeOf,
    .encode_int8 = EncodeInt8,
    .split_int8 = SplitInt8,
    .join_int8 = JoinInt8,
    .encode_crumbs = EncodeCrumbs,
    .name = "avx512",
};

}  // namespace engram::simd

#endif  // defined(__x86_64__)
