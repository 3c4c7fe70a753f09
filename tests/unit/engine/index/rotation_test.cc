#include "engine/index/rotation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace engram::index {
namespace {

constexpr size_t kCounts[] = {128, 256, 384, 640, 768, 896, 1024, 1536};

std::vector<float> NormalValues(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

double Dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum += static_cast<double>(a[i]) * b[i];
  }
  return sum;
}

TEST(RotationTest, KeepsNormsAndInnerProducts) {
  for (size_t count : kCounts) {
    const Rotation rotation(count, 7, simd::BestKernels());
    const std::vector<float> a = NormalValues(count, 1);
    const std::vector<float> b = NormalValues(count, 2);
    std::vector<float> rotated_a = a;
    std::vector<float> rotated_b = b;
    rotation.Apply(rotated_a.data());
    rotation.Apply(rotated_b.data());
    const double norm = Dot(a, a);
    EXPECT_NEAR(Dot(rotated_a, rotated_a), norm, 1e-4 * norm) << count;
    EXPECT_NEAR(Dot(rotated_a, rotated_b), Dot(a, b), 1e-4 * norm) << count;
  }
}

TEST(RotationTest, ASeedGivesOneRotationInEveryTable) {
  for (size_t count : kCounts) {
    std::vector<float> expected = NormalValues(count, 3);
    const std::vector<float> input = expected;
    Rotation(count, 7, *simd::KernelsByName("generic")).Apply(expected.data());
    for (const char* name : {"generic", "avx2", "avx512"}) {
      const simd::Kernels* kernels = simd::KernelsByName(name);
      if (kernels == nullptr) continue;
      std::vector<float> actual = input;
      Rotation(count, 7, *kernels).Apply(actual.data());
      EXPECT_EQ(actual, expected) << name << " " << count;
    }
  }
}

TEST(RotationTest, AnotherSeedGivesAnotherRotation) {
  std::vector<float> a = NormalValues(768, 4);
  std::vector<float> b = a;
  Rotation(768, 7, simd::BestKernels()).Apply(a.data());
  Rotation(768, 8, simd::BestKernels()).Apply(b.data());
  EXPECT_NE(a, b);
}

// Codes in files depend on it.
TEST(RotationTest, StaysWhatItIs) {
  std::vector<float> values(128);
  values[0] = 8.0f;
  values[5] = 4.0f;
  Rotation(128, 42, simd::BestKernels()).Apply(values.data());
  const float expected[] = {-245, 297, 59, 289};
  for (size_t i = 0; i < std::size(expected); ++i) {
    EXPECT_NEAR(values[i], expected[i] / 256, 1e-5) << i;
  }
}

// A vector with all its weight in one component is what a quantiser with one
// step for all components handles worst; after the rotation it looks like any
// other. 1 / sqrt(count) is the component of an even spread.
TEST(RotationTest, SpreadsASingleComponent) {
  for (size_t count : kCounts) {
    const Rotation rotation(count, 7, simd::BestKernels());
    for (const size_t place : {size_t{0}, count / 2, count - 1}) {
      std::vector<float> values(count);
      values[place] = std::sqrt(static_cast<float>(count));
      rotation.Apply(values.data());
      float largest = 0;
      for (float x : values) largest = std::max(largest, std::abs(x));
      EXPECT_LT(largest, 5.5f) << place << " of " << count;
    }
  }
}

TEST(RotationTest, KeepsZerosZero) {
  std::vector<float> values(768);
  Rotation(768, 7, simd::BestKernels()).Apply(values.data());
  for (float x : values) EXPECT_EQ(x, 0.0f);
}

}  // namespace
}  // namespace engram::index
