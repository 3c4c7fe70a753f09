// A random orthogonal transform, the same for every vector of a space.
//
//   Rotation rotation(768, seed, simd::BestKernels());
//   rotation.Apply(values);  // 768 floats, in place
//
// After it the components of any vector look like draws from one normal
// distribution, so a quantiser needs no training: one step fits all of them.
// Distances and inner products stay what they were.
//
// Four rounds of random signs followed by a Hadamard transform, O(n log n) and
// without a matrix. The transform needs a power of two: where the length is
// none, even rounds transform the longest such prefix and odd rounds the
// equally long suffix; the part that they share carries values across.

#ifndef ENGRAM_ENGINE_INDEX_ROTATION_H_
#define ENGRAM_ENGINE_INDEX_ROTATION_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/simd/kernels.h"

namespace engram::index {

// Thread safety: constant after construction.
class Rotation {
 public:
  // `count` is a multiple of 128. Equal seeds give equal rotations, on every
  // machine and for ever: codes in files depend on it. `kernels` must outlive
  // the object.
  Rotation(size_t count, uint64_t seed, const simd::Kernels& kernels);

  size_t count() const { return count_; }

  // Transforms `values`, count() floats. Zeros stay zeros.
  void Apply(float* values) const;

 private:
  size_t count_;
  size_t window_;  // the largest power of two <= count_
  const simd::Kernels* kernels_;
  std::vector<uint8_t> sign_bits_;  // count_ bits for each round
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_ROTATION_H_
