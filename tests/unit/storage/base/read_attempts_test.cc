#include "storage/base/read_attempts.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

constexpr int64_t kNoRest = 0;

TEST(ReadAttemptsTest, SuccessIsBelievedAtOnce) {
  ReadAttempts attempts(kNoRest);
  EXPECT_FALSE(attempts.StartOver(absl::OkStatus()));
  EXPECT_TRUE(attempts.Verdict("/db", absl::OkStatus()).ok());
}

TEST(ReadAttemptsTest, WhatIsFoundAgainAndAgainIsReal) {
  ReadAttempts attempts(kNoRest);
  const absl::Status damage = absl::DataLossError("block 7 is damaged");
  for (int i = 1; i < ReadAttempts::kSameFindings; ++i) {
    EXPECT_TRUE(attempts.StartOver(damage)) << i;
  }
  EXPECT_FALSE(attempts.StartOver(damage));
  EXPECT_EQ(attempts.Verdict("/db", damage), damage);
}

TEST(ReadAttemptsTest, OtherFindingsInBetweenBeginTheCountAnew) {
  ReadAttempts attempts(kNoRest);
  const absl::Status damage = absl::DataLossError("block 7 is damaged");
  EXPECT_TRUE(attempts.StartOver(damage));
  EXPECT_TRUE(attempts.StartOver(damage));
  EXPECT_TRUE(attempts.StartOver(absl::InternalError("block 7 is damaged")));
  EXPECT_TRUE(attempts.StartOver(damage));
  EXPECT_TRUE(attempts.StartOver(damage));
  EXPECT_FALSE(attempts.StartOver(damage));
}

TEST(ReadAttemptsTest, WhatChangesEachTimeIsNeverDamage) {
  ReadAttempts attempts(kNoRest);
  absl::Status finding;
  int count = 0;
  do {
    finding = absl::DataLossError(absl::StrCat("file ", ++count, " is gone"));
  } while (attempts.StartOver(finding));
  EXPECT_EQ(count, ReadAttempts::kAttemptsMax);
  const absl::Status verdict = attempts.Verdict("/db", finding);
  EXPECT_TRUE(absl::IsUnavailable(verdict));
  EXPECT_EQ(verdict.message(),
            "/db: its owner changed it each of the 100 times that it was read; "
            "the last time: DATA_LOSS: file 100 is gone");
}

TEST(ReadAttemptsTest, ThatTheOwnerMovedOnIsNeverBelieved) {
  ReadAttempts attempts(kNoRest);
  const absl::Status moved = absl::AbortedError("has got a new use");
  int count = 1;
  while (attempts.StartOver(moved)) ++count;
  EXPECT_EQ(count, ReadAttempts::kAttemptsMax);
  EXPECT_TRUE(absl::IsUnavailable(attempts.Verdict("/db", moved)));
}

}  // namespace
}  // namespace engram
