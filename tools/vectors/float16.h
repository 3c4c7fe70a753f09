// IEEE 754 binary16 to binary32. Every half is exactly a float.

#ifndef ENGRAM_TOOLS_VECTORS_FLOAT16_H_
#define ENGRAM_TOOLS_VECTORS_FLOAT16_H_

#include <bit>
#include <cstdint>

namespace engram {

// half := sign: 1   exponent: 5, biased by 15   fraction: 10
inline float Float16ToFloat32(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu;
  const uint32_t fraction = half & 0x3ffu;
  if (exponent == 0x1f) {  // infinity, or NaN with its payload
    return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  }
  if (exponent == 0) {  // zero or subnormal: fraction * 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  return std::bit_cast<float>(sign | (exponent + 127 - 15) << 23 |
                              fraction << 13);
}

}  // namespace engram

#endif  // ENGRAM_TOOLS_VECTORS_FLOAT16_H_
