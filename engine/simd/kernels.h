// Distance and code kernels with run-time dispatch.
//
//   const simd::Kernels& kernels = simd::BestKernels();
//   kernels.dot(query, rows, row_count, dimension, products);
//
// A call covers one hop of a graph walk (10 to 30 rows), not one pair: the
// indirect call is paid once per hop, and the kernel prefetches the rows ahead
// of the one that it reads.
//
// Codes: a component of a stored vector is an unsigned number of 2, 4 or 8
// bits, a component of a query a signed one of 8 bits. Integer results are the
// same bit for bit in every table, and so are the codes that the encoders
// write and the output of hadamard; floating-point sums differ by rounding.

#ifndef ENGRAM_ENGINE_SIMD_KERNELS_H_
#define ENGRAM_ENGINE_SIMD_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace engram::simd {

// Code rows come in blocks of 64 bytes. Byte k of nibble block b holds the
// components 128b + k (low half) and 128b + 64 + k (high half); byte k of crumb
// block b holds 256b + k (lowest bits), + 64, + 128 and + 192.
inline constexpr size_t kNibbleBlock = 128;
inline constexpr size_t kCrumbBlock = 256;

// How __builtin_prefetch() shall fetch what is compared: for reading, into the
// second-level cache and no further. A core follows two dozen misses of its
// first-level cache at a time; such a fetch holds its place among them for a
// shorter time, and 32 rows of three lines that no cache has take 60 % of the
// time (Zen 4). The first-level cache gets a row while it is compared.
inline constexpr int kPrefetchToRead = 0;
inline constexpr int kPrefetchIntoL2 = 2;

// Writes out[i] for the row rows[i], 0 <= i < count. The query and the rows
// hold `dimension` floats each and need no alignment. A row's result depends
// on the query and the row alone, not on its place in the batch: equal rows
// get equal results.
using BatchKernel = void (*)(const float* query, const float* const* rows,
                             size_t count, size_t dimension, float* out);

// out[i] = sum over j < code_count of query[j] * (code j of rows[i]).
// code_count is a multiple of the kind's block and at most 65,536, so that no
// sum overflows. Rows need no alignment; the 8 bytes behind a row's codes,
// where the row's own numbers stand, are prefetched with them but not read.
using CodeKernel = void (*)(const int8_t* query, const uint8_t* const* rows,
                            size_t count, size_t code_count, int32_t* out);

// The same for 8-bit codes that stand in two rows of nibbles: a code is
// 16 * (nibble of high_rows[i]) + (nibble of low_rows[i]).
using SplitCodeKernel = void (*)(const int8_t* query,
                                 const uint8_t* const* high_rows,
                                 const uint8_t* const* low_rows, size_t count,
                                 size_t code_count, int32_t* out);

struct Magnitude {
  float largest;      // max |x|
  float squared_sum;  // sum of x^2
};

struct CodeSums {
  int32_t codes;   // sum of the codes
  float products;  // sum of x * code
};

// One instruction set's kernels. The tables are constants. In the kernels that
// take `values`, count is a multiple of 128 (256 for crumbs).
struct Kernels {
  // out[i] = sum over j of (query[j] - rows[i][j])^2.
  BatchKernel l2_squared;
  // out[i] = sum over j of query[j] * rows[i][j].
  BatchKernel dot;

  CodeKernel nibble_dot;  // 4-bit codes
  CodeKernel crumb_dot;   // 2-bit codes
  SplitCodeKernel split_dot;

  // Fast Walsh-Hadamard transform in place, divided by sqrt(count): it keeps
  // norms and is its own inverse. count is a power of two, at least 64.
  void (*hadamard)(float* values, size_t count);
  // Negates values[j] where bit j % 8 of sign_bits[j / 8] is set.
  void (*flip_signs)(float* values, const uint8_t* sign_bits, size_t count);

  Magnitude (*magnitude)(const float* values, size_t count);
  // codes[j] = values[j] * inverse_step rounded to nearest, ties to even. The
  // products must lie in [-127.5, 127.5).
  CodeSums (*encode_int8)(const float* values, size_t count, float inverse_step,
                          int8_t* codes);
  // Writes the two nibble rows of codes[j] + 128. Returns the sum of
  // values[j] * (high nibble - 7.5).
  float (*split_int8)(const int8_t* codes, const float* values, size_t count,
                      uint8_t* high, uint8_t* low);
  // The inverse of split_int8. Returns the sum of the codes.
  int32_t (*join_int8)(const uint8_t* high, const uint8_t* low, size_t count,
                       int8_t* codes);
  // Code j = floor(values[j] * inverse_step) + 2, limited to 0 .. 3. Returns
  // the sum of values[j] * (code - 1.5).
  float (*encode_crumbs)(const float* values, size_t count, float inverse_step,
                         uint8_t* crumbs);

  const char* name;
};

// The table named by the environment variable ENGRAM_SIMD if that is set and
// not empty (the process ends if there is none or this CPU cannot run it: a
// test that asks for a table must not pass with another), else the fastest
// table that this CPU can run. The same one on every call.
const Kernels& BestKernels();

// The table called `name` ("generic", "avx2", "avx512"), or nullptr where there
// is none or this CPU cannot run it. Lets tests force each table.
const Kernels* KernelsByName(absl::string_view name);

}  // namespace engram::simd

#endif  // ENGRAM_ENGINE_SIMD_KERNELS_H_
