#include "tools/bench/ingest_seconds.h"

#include "gtest/gtest.h"

namespace engram::bench {
namespace {

// 100 records a second are accepted and acknowledged within 2 ms, half of them
// indexed within 40 ms; looked at every `every_s` until `end_s`.
std::vector<IngestMoment> Steady(double end_s, double every_s) {
  std::vector<IngestMoment> moments;
  for (int i = 0; i * every_s <= end_s + 1e-9; ++i) {
    const double s = i * every_s;
    const auto accepted = static_cast<uint64_t>(s * 100 + 0.5);
    const auto indexed = static_cast<uint64_t>(s * 50 + 0.5);
    moments.push_back(
        {.s = s,
         .accepted = accepted,
         .indexed = indexed,
         .refused = 0,
         .pending = accepted - indexed,
         .acknowledging = {accepted, static_cast<double>(accepted) * .002},
         .indexing = {indexed, static_cast<double>(indexed) * .040}});
  }
  return moments;
}

TEST(PerSecondTest, RatesAreThoseOfEachSecondWhereverItIsLookedAt) {
  for (const double every_s : {0.1, 0.3, 0.7}) {
    const std::vector<IngestSecond> seconds = PerSecond(Steady(4.2, every_s));
    ASSERT_EQ(seconds.size(), 4u) << every_s;
    for (size_t i = 0; i < seconds.size(); ++i) {
      EXPECT_DOUBLE_EQ(seconds[i].at_s, static_cast<double>(i) + 0.5);
      EXPECT_NEAR(seconds[i].accepted_per_s, 100, 1e-6);
      EXPECT_NEAR(seconds[i].indexed_per_s, 50, 1e-6);
      EXPECT_EQ(seconds[i].refused_per_s, 0);
      EXPECT_NEAR(seconds[i].pending, 50 * seconds[i].at_s, 1);
      EXPECT_NEAR(seconds[i].acknowledged_ms.value(), 2, 1e-6);
      EXPECT_NEAR(seconds[i].indexed_ms.value(), 40, 1e-6);
    }
  }
}

TEST(PerSecondTest, ALatencyIsThatOfItsOwnSecond) {
  std::vector<IngestMoment> moments = Steady(2, 1);
  moments[2].indexing.sum_s = moments[1].indexing.sum_s + 50 * 0.3;
  moments[2].refused = 7;
  const std::vector<IngestSecond> seconds = PerSecond(moments);
  ASSERT_EQ(seconds.size(), 2u);
  EXPECT_NEAR(seconds[0].indexed_ms.value(), 40, 1e-6);
  EXPECT_NEAR(seconds[1].indexed_ms.value(), 300, 1e-6);
  EXPECT_NEAR(seconds[1].refused_per_s, 7, 1e-6);
}

TEST(PerSecondTest, WhereNothingWasIndexedThereIsNoLatency) {
  std::vector<IngestMoment> moments = Steady(1, 0.1);
  for (IngestMoment& moment : moments) moment.indexing = {};
  const std::vector<IngestSecond> seconds = PerSecond(moments);
  ASSERT_EQ(seconds.size(), 1u);
  EXPECT_FALSE(seconds[0].indexed_ms.has_value());
  EXPECT_TRUE(seconds[0].acknowledged_ms.has_value());
}

TEST(PerSecondTest, TheLastOneMayBeShort) {
  const std::vector<IngestSecond> most = PerSecond(Steady(2.6, 0.1));
  ASSERT_EQ(most.size(), 3u);
  EXPECT_NEAR(most[2].at_s, 2.3, 1e-6);
  EXPECT_NEAR(most[2].accepted_per_s, 100, 1e-6);
  const std::vector<IngestSecond> only = PerSecond(Steady(0.2, 0.1));
  ASSERT_EQ(only.size(), 1u);
  EXPECT_NEAR(only[0].accepted_per_s, 100, 1e-6);
  EXPECT_TRUE(PerSecond(Steady(0, 0.1)).empty());
  EXPECT_TRUE(PerSecond({}).empty());
}

}  // namespace
}  // namespace engram::bench
