#include "engine/ingest/batch_policy.h"

#include "gtest/gtest.h"

namespace engram::ingest {
namespace {

TEST(BatchPolicyTest, TheSizeStepsUpWithTheDepth) {
  EXPECT_EQ(BatchSize(0), 10u);
  EXPECT_EQ(BatchSize(1), 10u);
  EXPECT_EQ(BatchSize(99), 10u);
  EXPECT_EQ(BatchSize(100), 100u);
  EXPECT_EQ(BatchSize(999), 100u);
  EXPECT_EQ(BatchSize(1000), 500u);
  EXPECT_EQ(BatchSize(1'000'000), 500u);
}

TEST(BatchPolicyTest, SeveralServersShareALargeBatch) {
  EXPECT_EQ(BatchSize(5000, 1), 500u);
  EXPECT_EQ(BatchSize(5000, 2), 500u);
  EXPECT_EQ(BatchSize(5000, 4), 250u);
  EXPECT_EQ(BatchSize(50, 4), 10u);
}

}  // namespace
}  // namespace engram::ingest
