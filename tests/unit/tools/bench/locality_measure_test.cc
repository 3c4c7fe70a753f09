#include "tools/bench/locality_measure.h"

#include <algorithm>
#include <random>

#include "gtest/gtest.h"
#include "tools/bench/dataset.h"
#include "tools/bench/locality_spaces.h"

namespace engram::bench {
namespace {

constexpr uint32_t kDimension = 8;
constexpr int kSpaces = 6;

Matrix Vectors() {
  Matrix base;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (int row = 0; row < 100; ++row) {
    std::vector<float> vector(kDimension);
    for (float& value : vector) value = normal(random);
    base.Append(vector);
  }
  return base;
}

LocalityResult Measure(int workers, uint32_t preload) {
  const Matrix base = Vectors();
  IngestOptions options;
  options.workers = workers;
  options.preload = preload;
  options.seconds = 0.01;
  NoisyRows rows(base, 1);
  const absl::StatusOr<LocalityResult> result =
      MeasureLocality(kSpaces, kDimension, options, &rows);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.value_or(LocalityResult());
}

// Of a single space, batch after batch: what the busier of two workers indexes.
double LargerShare(Placement placement) {
  const Matrix base = Vectors();
  IngestOptions options;
  options.workers = 2;
  NoisyRows rows(base, 1);
  LocalitySpaces spaces(1, kDimension, options, &rows);
  Indexed all;
  for (int i = 0; i < 40; ++i) {
    const absl::StatusOr<Indexed> one =
        spaces.IndexOneBatchEach(placement, {10});
    EXPECT_TRUE(one.ok()) << one.status();
    all += one.value_or(Indexed());
  }
  EXPECT_EQ(all.records, 400u);
  EXPECT_EQ(spaces.CountLive(), 400u);
  EXPECT_EQ(all.by_worker.size(), 2u);
  const uint64_t most =
      *std::max_element(all.by_worker.begin(), all.by_worker.end());
  return static_cast<double>(most) / static_cast<double>(all.records);
}

TEST(LocalitySpacesTest, ASpaceHasOneHomeAndAnyOfTheWorkersByChance) {
  // All, unless its home was so slow that the other one had to help.
  EXPECT_GT(LargerShare(Placement::kHome), 0.9);
  EXPECT_LT(LargerShare(Placement::kRandom), 0.8);
}

TEST(MeasureLocalityTest, ComparesBothPlacementsWithEachSizeOfBatches) {
  const LocalityResult result = Measure(2, 1500);
  EXPECT_EQ(result.spaces, kSpaces);
  EXPECT_EQ(result.workers, 2);
  EXPECT_GT(result.memory_bytes_before,
            uint64_t{kSpaces} * 1490 * kDimension * sizeof(float));
  EXPECT_GT(result.memory_bytes_after, result.memory_bytes_before);
  ASSERT_EQ(result.rows.size(), 4u);
  for (size_t i = 0; i < result.rows.size(); ++i) {
    const LocalityRow& row = result.rows[i];
    EXPECT_EQ(row.placement, i % 2 == 0 ? "home" : "random");
    EXPECT_EQ(row.batch, i < 2 ? 100u : 10u);
    // Whole batches of all spaces.
    EXPECT_GT(row.indexed, 0u);
    EXPECT_EQ(row.indexed % (row.batch * kSpaces), 0u);
    EXPECT_EQ(row.cpu_us.size(), result.rows[0].cpu_us.size());
    for (const double us : row.cpu_us) EXPECT_GT(us, 0);
    for (const double per_s : row.per_s) EXPECT_GT(per_s, 0);
  }
}

TEST(MeasureLocalityTest, OneWorkerHasNobodyToTakeFrom) {
  const LocalityResult result = Measure(1, 20);
  EXPECT_EQ(result.workers, 1);
  ASSERT_EQ(result.rows.size(), 4u);
  for (const LocalityRow& row : result.rows) EXPECT_EQ(row.moves, 0u);
}

}  // namespace
}  // namespace engram::bench
