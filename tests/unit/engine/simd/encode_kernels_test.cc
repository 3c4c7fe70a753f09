// The kernels that rotate and encode: what they write must be the same in every
// table, their sums the same up to rounding.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "engine/simd/kernels.h"
#include "gtest/gtest.h"

namespace engram::simd {
namespace {

constexpr double kTolerance = 1e-5;

std::vector<float> NormalValues(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

// The codes at their documented place, one by one.
int NibbleAt(const std::vector<uint8_t>& row, size_t j) {
  return row[j / 128 * 64 + j % 64] >> (j % 128 / 64 * 4) & 15;
}

int CrumbAt(const std::vector<uint8_t>& row, size_t j) {
  return row[j / 256 * 64 + j % 64] >> (j % 256 / 64 * 2) & 3;
}

class EncodeKernelsTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    kernels_ = KernelsByName(GetParam());
    if (kernels_ == nullptr) GTEST_SKIP() << "this CPU lacks " << GetParam();
  }

  const Kernels* kernels_ = nullptr;
};

TEST_P(EncodeKernelsTest, HadamardIsTheMatrixDividedByTheRoot) {
  for (size_t count = 64; count <= 1024; count *= 2) {
    const std::vector<float> values = NormalValues(count, 1);
    std::vector<float> actual = values;
    kernels_->hadamard(actual.data(), count);
    for (size_t i = 0; i < count; ++i) {
      double expected = 0;
      for (size_t j = 0; j < count; ++j) {
        expected += __builtin_parityll(i & j) != 0 ? -values[j] : values[j];
      }
      expected /= std::sqrt(static_cast<double>(count));
      ASSERT_NEAR(actual[i], expected, kTolerance) << i << " of " << count;
    }
  }
}

TEST_P(EncodeKernelsTest, HadamardIsTheSameBitForBitInEveryTable) {
  const Kernels* generic = KernelsByName("generic");
  for (size_t count = 64; count <= 65536; count *= 2) {
    std::vector<float> actual = NormalValues(count, 2);
    std::vector<float> expected = actual;
    kernels_->hadamard(actual.data(), count);
    generic->hadamard(expected.data(), count);
    ASSERT_EQ(std::memcmp(actual.data(), expected.data(), count * 4), 0)
        << count;
  }
}

TEST_P(EncodeKernelsTest, FlipSignsNegatesWhereABitIsSet) {
  const size_t count = 384;
  const std::vector<float> values = NormalValues(count, 3);
  std::vector<uint8_t> bits(count / 8);
  std::mt19937 random(4);
  for (uint8_t& byte : bits) byte = static_cast<uint8_t>(random());
  std::vector<float> actual = values;
  kernels_->flip_signs(actual.data(), bits.data(), count);
  for (size_t j = 0; j < count; ++j) {
    const bool is_set = (bits[j / 8] >> (j % 8) & 1) != 0;
    EXPECT_EQ(actual[j], is_set ? -values[j] : values[j]) << j;
  }
}

TEST_P(EncodeKernelsTest, MagnitudeFindsTheLargestWhereverItStands) {
  const size_t count = 256;
  for (size_t place = 0; place < count; ++place) {
    std::vector<float> values = NormalValues(count, 5);
    values[place] = place % 2 == 0 ? 9.0f : -9.0f;
    double squared_sum = 0;
    for (float x : values) squared_sum += static_cast<double>(x) * x;
    const Magnitude actual = kernels_->magnitude(values.data(), count);
    EXPECT_EQ(actual.largest, 9.0f) << place;
    EXPECT_NEAR(actual.squared_sum, squared_sum, kTolerance * squared_sum);
  }
}

TEST_P(EncodeKernelsTest, EncodeInt8RoundsToNearestEven) {
  const size_t count = 768;
  std::vector<float> values = NormalValues(count, 6);
  const float halves[] = {0.5f,   1.5f,   2.5f,    -0.5f,  -1.5f,   -2.5f,
                          126.5f, 125.5f, -126.5f, 127.0f, -127.0f, 0.0f};
  const float inverse_step = 16.0f;
  for (size_t j = 0; j < std::size(halves); ++j) {
    values[3 * j] = halves[j] / inverse_step;
  }
  std::vector<int8_t> codes(count);
  const CodeSums sums =
      kernels_->encode_int8(values.data(), count, inverse_step, codes.data());
  int32_t code_sum = 0;
  double products = 0;
  for (size_t j = 0; j < count; ++j) {
    ASSERT_EQ(codes[j], std::nearbyint(values[j] * inverse_step)) << j;
    code_sum += codes[j];
    products += static_cast<double>(values[j]) * codes[j];
  }
  EXPECT_EQ(sums.codes, code_sum);
  EXPECT_NEAR(sums.products, products, kTolerance * products);
}

TEST_P(EncodeKernelsTest, SplitWritesNibblesThatJoinTakesBack) {
  const size_t count = 512;
  const std::vector<float> values = NormalValues(count, 7);
  std::vector<int8_t> codes(count);
  int32_t code_sum = 0;
  double products = 0;
  double magnitude = 0;
  for (size_t j = 0; j < count; ++j) {
    codes[j] = static_cast<int8_t>(j % 256);
    code_sum += codes[j];
  }
  std::vector<uint8_t> high(count / 2);
  std::vector<uint8_t> low(count / 2);
  const float actual = kernels_->split_int8(codes.data(), values.data(), count,
                                            high.data(), low.data());
  for (size_t j = 0; j < count; ++j) {
    ASSERT_EQ(NibbleAt(high, j), (codes[j] + 128) / 16) << j;
    ASSERT_EQ(NibbleAt(low, j), (codes[j] + 128) % 16) << j;
    products += values[j] * (NibbleAt(high, j) - 7.5);
    magnitude += std::abs(values[j] * (NibbleAt(high, j) - 7.5));
  }
  EXPECT_NEAR(actual, products, kTolerance * magnitude);
  std::vector<int8_t> joined(count);
  EXPECT_EQ(kernels_->join_int8(high.data(), low.data(), count, joined.data()),
            code_sum);
  EXPECT_EQ(joined, codes);
}

TEST_P(EncodeKernelsTest, EncodeCrumbsFloorsAndLimits) {
  const size_t count = 768;
  std::vector<float> values = NormalValues(count, 8);
  const float edges[] = {-1.0f, -1.0001f, -0.0f, 0.0f,   -0.0001f,
                         1.0f,  0.9999f,  90.0f, -90.0f, 2.0f};
  for (size_t j = 0; j < std::size(edges); ++j) values[7 * j] = edges[j];
  std::vector<uint8_t> crumbs(count / 4);
  const float actual =
      kernels_->encode_crumbs(values.data(), count, 1.0f, crumbs.data());
  double products = 0;
  for (size_t j = 0; j < count; ++j) {
    const double code = std::clamp(std::floor(values[j]) + 2, 0.0f, 3.0f);
    ASSERT_EQ(CrumbAt(crumbs, j), code) << j << ": " << values[j];
    products += values[j] * (code - 1.5);
  }
  EXPECT_NEAR(actual, products, kTolerance * products);
}

TEST_P(EncodeKernelsTest, CodesAreTheSameInEveryTable) {
  const Kernels* generic = KernelsByName("generic");
  for (uint32_t seed = 0; seed < 50; ++seed) {
    const size_t count = 1536;
    const std::vector<float> values = NormalValues(count, 100 + seed);
    const float inverse_step =
        127.0f / generic->magnitude(values.data(), count).largest;
    std::vector<int8_t> expected(count);
    std::vector<int8_t> actual(count);
    generic->encode_int8(values.data(), count, inverse_step, expected.data());
    kernels_->encode_int8(values.data(), count, inverse_step, actual.data());
    ASSERT_EQ(actual, expected);
    std::vector<uint8_t> expected_crumbs(count / 4);
    std::vector<uint8_t> actual_crumbs(count / 4);
    generic->encode_crumbs(values.data(), count, 1.004f,
                           expected_crumbs.data());
    kernels_->encode_crumbs(values.data(), count, 1.004f, actual_crumbs.data());
    ASSERT_EQ(actual_crumbs, expected_crumbs);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryTable, EncodeKernelsTest,
                         testing::Values("generic", "avx2", "avx512"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace engram::simd
