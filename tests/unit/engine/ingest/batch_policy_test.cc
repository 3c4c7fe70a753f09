#include "engine/ingest/batch_policy.h"

#include "gtest/gtest.h"

namespace engram::ingest {
namespace {

TEST(BatchPolicyTest, AWorkerAloneTakesWhatWaits) {
  EXPECT_EQ(BatchSize(0), 10u);
  EXPECT_EQ(BatchSize(1), 10u);
  EXPECT_EQ(BatchSize(11), 11u);
  EXPECT_EQ(BatchSize(99), 99u);
  EXPECT_EQ(BatchSize(500), 500u);
  EXPECT_EQ(BatchSize(501), 500u);
  EXPECT_EQ(BatchSize(1'000'000), 500u);
}

TEST(BatchPolicyTest, AmongSeveralTheSizeStepsUpWithTheDepth) {
  EXPECT_EQ(BatchSize(0, 2), 10u);
  EXPECT_EQ(BatchSize(99, 2), 10u);
  EXPECT_EQ(BatchSize(100, 2), 100u);
  EXPECT_EQ(BatchSize(999, 2), 100u);
  EXPECT_EQ(BatchSize(1000, 2), 500u);
}

TEST(BatchPolicyTest, SeveralServersShareALargeBatch) {
  EXPECT_EQ(BatchSize(5000, 1), 500u);
  EXPECT_EQ(BatchSize(5000, 2), 500u);
  EXPECT_EQ(BatchSize(5000, 4), 250u);
  EXPECT_EQ(BatchSize(50, 4), 10u);
}

}  // namespace
}  // namespace engram::ingest
