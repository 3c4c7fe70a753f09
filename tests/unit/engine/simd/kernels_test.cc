#include "engine/simd/kernels.h"

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace engram::simd {
namespace {

constexpr size_t kRowCount = 5;
constexpr double kTolerance = 1e-5;

std::vector<size_t> Dimensions() {
  std::vector<size_t> dimensions;
  for (size_t dimension = 1; dimension <= 130; ++dimension) {
    dimensions.push_back(dimension);
  }
  for (size_t dimension : {768, 1000, 65535}) dimensions.push_back(dimension);
  return dimensions;
}

// A query and rows, each exactly as long as its dimension and one float off
// any alignment that the allocator gives. A sanitizer sees reads behind them.
struct Vectors {
  explicit Vectors(size_t dimension) {
    std::mt19937 random(static_cast<uint32_t>(dimension));
    std::normal_distribution<float> normal;
    memory.resize(kRowCount + 1);
    for (std::vector<float>& vector : memory) {
      vector.resize(dimension + 1);
      for (float& component : vector) component = normal(random);
    }
    query = memory[0].data() + 1;
    for (size_t i = 0; i < kRowCount; ++i) {
      rows.push_back(memory[i + 1].data() + 1);
    }
  }

  std::vector<std::vector<float>> memory;
  const float* query;
  std::vector<const float*> rows;
};

// The result in double precision, and the sum of the terms' magnitudes, to
// which rounding errors are relative.
struct Reference {
  double value = 0;
  double magnitude = 0;
};

Reference SquaredL2(const float* a, const float* b, size_t dimension) {
  Reference reference;
  for (size_t i = 0; i < dimension; ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    reference.value += difference * difference;
  }
  reference.magnitude = reference.value;
  return reference;
}

Reference Dot(const float* a, const float* b, size_t dimension) {
  Reference reference;
  for (size_t i = 0; i < dimension; ++i) {
    const double product = static_cast<double>(a[i]) * b[i];
    reference.value += product;
    reference.magnitude += std::abs(product);
  }
  return reference;
}

class KernelsTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    kernels_ = KernelsByName(GetParam());
    if (kernels_ == nullptr) GTEST_SKIP() << "this CPU lacks " << GetParam();
  }

  const Kernels* kernels_ = nullptr;
};

TEST_P(KernelsTest, SquaredL2AgreesWithDoublePrecisionAtEveryTailLength) {
  for (size_t dimension : Dimensions()) {
    const Vectors vectors(dimension);
    std::vector<float> out(kRowCount);
    kernels_->l2_squared(vectors.query, vectors.rows.data(), kRowCount,
                         dimension, out.data());
    for (size_t i = 0; i < kRowCount; ++i) {
      const Reference expected =
          SquaredL2(vectors.query, vectors.rows[i], dimension);
      EXPECT_NEAR(out[i], expected.value, kTolerance * expected.magnitude)
          << "dimension " << dimension << " row " << i;
    }
  }
}

TEST_P(KernelsTest, DotAgreesWithDoublePrecisionAtEveryTailLength) {
  for (size_t dimension : Dimensions()) {
    const Vectors vectors(dimension);
    std::vector<float> out(kRowCount);
    kernels_->dot(vectors.query, vectors.rows.data(), kRowCount, dimension,
                  out.data());
    for (size_t i = 0; i < kRowCount; ++i) {
      const Reference expected = Dot(vectors.query, vectors.rows[i], dimension);
      EXPECT_NEAR(out[i], expected.value, kTolerance * expected.magnitude)
          << "dimension " << dimension << " row " << i;
    }
  }
}

TEST_P(KernelsTest, ARowsResultDoesNotDependOnItsPlaceInTheBatch) {
  constexpr size_t kDimension = 77;
  const Vectors vectors(kDimension);
  const std::vector<const float*> same_row(kRowCount, vectors.rows[0]);
  std::vector<float> out(kRowCount);
  kernels_->dot(vectors.query, same_row.data(), kRowCount, kDimension,
                out.data());
  for (float product : out) EXPECT_EQ(product, out[0]);
}

TEST_P(KernelsTest, AnEmptyBatchWritesNothing) {
  const float query = 1.0f;
  float out = 7.0f;
  kernels_->dot(&query, nullptr, 0, 1, &out);
  kernels_->l2_squared(&query, nullptr, 0, 1, &out);
  EXPECT_EQ(out, 7.0f);
}

INSTANTIATE_TEST_SUITE_P(EveryTable, KernelsTest,
                         testing::Values("generic", "avx2", "avx512"),
                         [](const auto& tested) { return tested.param; });

TEST(KernelTablesTest, TheBestTableIsOneThatCanBeAskedForByName) {
  EXPECT_EQ(KernelsByName(BestKernels().name), &BestKernels());
}

TEST(KernelTablesTest, TheEnvironmentChoosesTheTable) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto name_under = [](const char* forced) {
    setenv("ENGRAM_SIMD", forced, 1);
    std::fprintf(stderr, "chose %s", BestKernels().name);
    std::_Exit(0);
  };
  EXPECT_EXIT(name_under("generic"), testing::ExitedWithCode(0),
              "chose generic");
  if (KernelsByName("avx2") != nullptr) {
    EXPECT_EXIT(name_under("avx2"), testing::ExitedWithCode(0), "chose avx2");
  }
  EXPECT_DEATH(name_under("avx9000"), "ENGRAM_SIMD=avx9000");
}

TEST(KernelTablesTest, AnUnknownNameGivesNoTable) {
  EXPECT_EQ(KernelsByName("avx9000"), nullptr);
  EXPECT_EQ(KernelsByName(""), nullptr);
}

}  // namespace
}  // namespace engram::simd
