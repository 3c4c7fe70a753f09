#include "tools/bench/noisy_rows.h"

#include <cmath>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace engram::bench {
namespace {

constexpr uint32_t kDimension = 400;

std::vector<float> Copy(absl::Span<const float> row) {
  return {row.begin(), row.end()};
}

float Dot(absl::Span<const float> a, absl::Span<const float> b) {
  float sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Rows that are orthogonal, of lengths 1, 2 and 3.
Matrix ThreeRows() {
  Matrix matrix;
  for (uint32_t row = 0; row < 3; ++row) {
    std::vector<float> values(kDimension, 0);
    for (uint32_t i = row; i < kDimension; i += 3) {
      values[i] = static_cast<float>(row + 1) /
                  std::sqrt(static_cast<float>((kDimension - row + 2) / 3));
    }
    matrix.Append(values);
  }
  return matrix;
}

TEST(NoisyRowsTest, AreNearARowOfTheMatrixAndOfLengthOne) {
  const Matrix matrix = ThreeRows();
  NoisyRows rows(matrix, 7);
  std::set<uint32_t> seen;
  for (int i = 0; i < 100; ++i) {
    const std::vector<float> row = Copy(rows.Next());
    EXPECT_NEAR(Dot(row, row), 1, 1e-4);
    for (uint32_t base = 0; base < matrix.count(); ++base) {
      const float cosine =
          Dot(row, matrix.row(base)) / static_cast<float>(base + 1);
      if (cosine < 0.5f) continue;
      seen.insert(base);
      // 1 / sqrt(1 + .05^2), but for chance.
      EXPECT_NEAR(cosine, 0.99875, 0.0005);
    }
  }
  EXPECT_EQ(seen.size(), 3u);
}

TEST(NoisyRowsTest, AreNewEachTimeAndTheSameForASeed) {
  const Matrix matrix = ThreeRows();
  NoisyRows rows(matrix, 7);
  NoisyRows same(matrix, 7);
  NoisyRows other(matrix, 8);
  std::set<std::vector<float>> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::vector<float> row = Copy(rows.Next());
    EXPECT_EQ(row, Copy(same.Next()));
    EXPECT_NE(row, Copy(other.Next()));
    EXPECT_TRUE(seen.insert(row).second) << i;
  }
}

}  // namespace
}  // namespace engram::bench
