// The range of what vectors are encoded to, and from.

#ifndef ENGRAM_ENGINE_INDEX_CODE_RANGE_H_
#define ENGRAM_ENGINE_INDEX_CODE_RANGE_H_

namespace engram::index {

// The largest code of 8 bits; the smallest is its negative.
inline constexpr float kCodeMax = 127.0f;

// Below it squares of components are no longer normal floats: a vector without
// a larger component is encoded as zero.
inline constexpr float kMagnitudeMin = 1e-18f;

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_CODE_RANGE_H_
