// Distance kernels with run-time dispatch.
//
//   const simd::Kernels& kernels = simd::BestKernels();
//   kernels.dot(query, rows, row_count, dimension, products);
//
// A call covers one hop of a graph walk (about 15 rows), not one pair: the
// indirect call is paid once per hop, and the kernel prefetches the rows ahead
// of the one that it reads.

#ifndef ENGRAM_ENGINE_SIMD_KERNELS_H_
#define ENGRAM_ENGINE_SIMD_KERNELS_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace engram::simd {

// Writes out[i] for the row rows[i], 0 <= i < count. The query and the rows
// hold `dimension` floats each and need no alignment. A row's result depends
// on the query and the row alone, not on its place in the batch: equal rows
// get equal results.
using BatchKernel = void (*)(const float* query, const float* const* rows,
                             size_t count, size_t dimension, float* out);

// One instruction set's kernels. The tables are constants.
struct Kernels {
  // out[i] = sum over j of (query[j] - rows[i][j])^2.
  BatchKernel l2_squared;
  // out[i] = sum over j of query[j] * rows[i][j].
  BatchKernel dot;
  const char* name;
};

// The fastest table that this CPU can run; the same one on every call.
const Kernels& BestKernels();

// The table called `name` ("generic", "avx2"), or nullptr where there is none
// or this CPU cannot run it. Lets tests force each table.
const Kernels* KernelsByName(absl::string_view name);

}  // namespace engram::simd

#endif  // ENGRAM_ENGINE_SIMD_KERNELS_H_
