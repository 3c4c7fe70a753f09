#include "storage/wal/hand_over_policy.h"

#include "gtest/gtest.h"

namespace engram::wal {
namespace {

TEST(HandOverPolicyTest, AsksWhileThoseWhoAreAskedComeSoon) {
  HandOverPolicy policy;
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(policy.Ask());
    policy.OnDelay(i % 10 == 0 ? 500 : 30);  // a late one now and then
  }
}

TEST(HandOverPolicyTest, StopsWhenTheyComeLateAndTriesAgain) {
  HandOverPolicy policy;
  int asked = 0;
  for (int i = 0; i < 1000; ++i) {
    if (!policy.Ask()) continue;
    ++asked;
    policy.OnDelay(4000);
  }
  EXPECT_GE(asked, 5);
  EXPECT_LE(asked, 50);
}

TEST(HandOverPolicyTest, ComesBackWhenTheProcessorsAreFreeAgain) {
  HandOverPolicy policy;
  for (int i = 0; i < 20; ++i) policy.OnDelay(4000);
  for (int i = 0; i < 1000; ++i) {
    if (policy.Ask()) policy.OnDelay(20);
  }
  EXPECT_TRUE(policy.Ask());
  EXPECT_TRUE(policy.Ask());
}

}  // namespace
}  // namespace engram::wal
