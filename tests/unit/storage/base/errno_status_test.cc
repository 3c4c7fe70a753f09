#include "storage/base/errno_status.h"

#include <cerrno>

#include "gtest/gtest.h"

namespace engram {
namespace {

absl::StatusCode CodeOf(int error) {
  return ErrnoStatus(error, "open", "/x").code();
}

TEST(ErrnoStatusTest, MapsEachErrorThatCallersDistinguish) {
  EXPECT_EQ(CodeOf(ENOSPC), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(CodeOf(EDQUOT), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(CodeOf(ENOENT), absl::StatusCode::kNotFound);
  EXPECT_EQ(CodeOf(EACCES), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(EPERM), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(CodeOf(EINVAL), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(CodeOf(EIO), absl::StatusCode::kOk);
}

TEST(ErrnoStatusTest, NamesOperationPathAndError) {
  EXPECT_EQ(ErrnoStatus(ENOSPC, "open", "/db/wal/1.log").message(),
            "open /db/wal/1.log: No space left on device");
}

}  // namespace
}  // namespace engram
