#include "engine/index/flat_index.h"

#include <algorithm>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace engram::index {
namespace {

constexpr uint32_t kDimension = 5;

class FlatIndexTest : public ::testing::TestWithParam<schema::Metric> {
 protected:
  static std::vector<float> Vector(uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> vector(kDimension);
    for (float& component : vector) component = normal(random);
    return vector;
  }

  VectorDistance distance_{GetParam(), kDimension, simd::BestKernels()};
  FlatIndex index_{distance_};
};

TEST_P(FlatIndexTest, AnEmptyOneFindsNothing) {
  std::vector<Neighbor> found = {{1, 1}};
  EXPECT_EQ(index_.ScanExact(
                Vector(1), 3, [](uint32_t) { return true; }, &found),
            0u);
  EXPECT_TRUE(found.empty());
  EXPECT_EQ(index_.memory_bytes(), 0u);
}

TEST_P(FlatIndexTest, FindsTheNearestOfTheAcceptedAndKeepsRows) {
  constexpr uint32_t kCount = 777;
  std::vector<const float*> first_rows;
  for (uint32_t slot = 0; slot < kCount; ++slot) {
    index_.GrowTo(slot + 1);
    index_.Fill(slot, Vector(slot));
    first_rows.push_back(index_.row(slot).data());
  }
  for (uint32_t slot = 0; slot < kCount; ++slot) {
    EXPECT_EQ(index_.row(slot).data(), first_rows[slot]) << "has moved";
    ASSERT_EQ(
        std::vector<float>(index_.row(slot).begin(), index_.row(slot).end()),
        Vector(slot));
  }
  const auto accept = [](uint32_t slot) { return slot % 3 != 0; };
  const std::vector<float> query = Vector(9999);
  std::vector<Neighbor> expected;
  for (uint32_t slot = 0; slot < kCount; ++slot) {
    if (!accept(slot)) continue;
    const std::vector<float> row = Vector(slot);
    const float* const rows[] = {row.data()};
    const float inverse_norm = distance_.InverseNorm(row);
    Neighbor neighbor{0, slot};
    distance_.DistancesToRows(distance_.Prepare(query), rows, &inverse_norm, 1,
                              &neighbor.distance);
    expected.push_back(neighbor);
  }
  std::sort(expected.begin(), expected.end(),
            [](const Neighbor& a, const Neighbor& b) {
              return KeyOf(a.distance, a.slot) < KeyOf(b.distance, b.slot);
            });
  for (const size_t k : {size_t{0}, size_t{1}, size_t{10}, size_t{5000}}) {
    std::vector<Neighbor> found;
    const uint64_t compared = index_.ScanExact(query, k, accept, &found);
    EXPECT_EQ(compared, k == 0 ? 0 : expected.size());
    ASSERT_EQ(found.size(), std::min(k, expected.size()));
    for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], expected[i]);
  }
}

TEST_P(FlatIndexTest, ASlotMayBeFilledAnew) {
  index_.GrowTo(2);
  index_.Fill(0, Vector(1));
  index_.Fill(1, Vector(2));
  const uint64_t bytes = index_.memory_bytes();
  index_.Fill(0, Vector(3));
  std::vector<Neighbor> found;
  index_.ScanExact(
      Vector(3), 2, [](uint32_t) { return true; }, &found);
  if (GetParam() != schema::Metric::kInnerProduct) {
    EXPECT_EQ(found[0].slot, 0u);
  }
  EXPECT_EQ(found.size(), 2u);
  EXPECT_EQ(index_.memory_bytes(), bytes);
}

INSTANTIATE_TEST_SUITE_P(, FlatIndexTest,
                         ::testing::Values(schema::Metric::kL2,
                                           schema::Metric::kCosine,
                                           schema::Metric::kInnerProduct));

}  // namespace
}  // namespace engram::index
