#include "tools/vectors/float16.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "gtest/gtest.h"

namespace engram {
namespace {

// The value as the standard defines it, in double arithmetic.
double Defined(uint16_t half) {
  const double sign = half & 0x8000 ? -1 : 1;
  const int exponent = half >> 10 & 0x1f;
  const int fraction = half & 0x3ff;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

TEST(Float16Test, EveryFiniteHalfIsExact) {
  for (uint32_t half = 0; half <= 0xffff; ++half) {
    if ((half & 0x7c00) == 0x7c00) continue;
    const float value = Float16ToFloat32(static_cast<uint16_t>(half));
    ASSERT_EQ(static_cast<double>(value), Defined(half)) << half;
    ASSERT_EQ(std::signbit(value), (half & 0x8000) != 0) << half;
  }
}

TEST(Float16Test, NamedValues) {
  EXPECT_EQ(Float16ToFloat32(0x3c00), 1.0f);
  EXPECT_EQ(Float16ToFloat32(0xc000), -2.0f);
  EXPECT_EQ(Float16ToFloat32(0x7bff), 65504.0f);
  EXPECT_EQ(Float16ToFloat32(0x0400), 0x1p-14f);
  EXPECT_EQ(Float16ToFloat32(0x03ff), 0x1.ff8p-15f);
  EXPECT_EQ(Float16ToFloat32(0x0001), 0x1p-24f);
  EXPECT_EQ(std::bit_cast<uint32_t>(Float16ToFloat32(0x8000)), 0x80000000u);
}

TEST(Float16Test, InfinitiesAndNaN) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Float16ToFloat32(0x7c00), infinity);
  EXPECT_EQ(Float16ToFloat32(0xfc00), -infinity);
  for (uint32_t fraction = 1; fraction <= 0x3ff; ++fraction) {
    ASSERT_TRUE(std::isnan(Float16ToFloat32(0x7c00 | fraction)));
    ASSERT_TRUE(std::isnan(Float16ToFloat32(0xfc00 | fraction)));
  }
}

}  // namespace
}  // namespace engram
