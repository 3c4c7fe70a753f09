#include "storage/base/status_macros.h"

#include <memory>

#include "gtest/gtest.h"

namespace engram {
namespace {

absl::StatusOr<std::unique_ptr<int>> Make(int value) {
  if (value < 0) return absl::OutOfRangeError("negative");
  return std::make_unique<int>(value);
}

absl::Status Check(int value, bool* went_on) {
  ENGRAM_RETURN_IF_ERROR(Make(value).status());
  *went_on = true;
  return absl::OkStatus();
}

absl::StatusOr<int> Add(int a, int b) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<int> first, Make(a));
  std::unique_ptr<int> second;
  ENGRAM_ASSIGN_OR_RETURN(second, Make(b));
  return *first + *second;
}

TEST(StatusMacrosTest, ReturnIfErrorGoesOnAfterOk) {
  bool went_on = false;
  EXPECT_TRUE(Check(1, &went_on).ok());
  EXPECT_TRUE(went_on);
}

TEST(StatusMacrosTest, ReturnIfErrorReturnsTheError) {
  bool went_on = false;
  EXPECT_EQ(Check(-1, &went_on), absl::OutOfRangeError("negative"));
  EXPECT_FALSE(went_on);
}

TEST(StatusMacrosTest, AssignOrReturnMovesTheValue) {
  EXPECT_EQ(*Add(2, 3), 5);
}

TEST(StatusMacrosTest, AssignOrReturnReturnsTheFirstError) {
  EXPECT_EQ(Add(-1, 3).status(), absl::OutOfRangeError("negative"));
  EXPECT_EQ(Add(2, -1).status(), absl::OutOfRangeError("negative"));
}

}  // namespace
}  // namespace engram
