// A system that refuses io_uring, as container runtimes do by default.

#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "gtest/gtest.h"
#include "log_harness.h"
#include "storage/io/io_queue.h"
#include "storage/io/posix_directory.h"
#include "tests/support/refused_calls.h"
#include "tests/support/temporary_directory.h"

namespace engram::wal {
namespace {

constexpr int kNoSeccomp = 99;

// Runs `check` in a process without io_uring and returns what it returns.
int WithoutUring(const std::function<int()>& check) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(testing::RefuseUring() ? check() : kNoSeccomp);
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define SKIP_WITHOUT_SECCOMP(result) \
  if ((result) == kNoSeccomp) GTEST_SKIP() << "no seccomp filters here"

TEST(RefusedUringTest, TheQueueSaysPermissionDenied) {
  const int code = WithoutUring([] {
    return static_cast<int>(io::CreateUringQueue(-1).status().code());
  });
  SKIP_WITHOUT_SECCOMP(code);
  EXPECT_EQ(code, static_cast<int>(absl::StatusCode::kPermissionDenied));
}

TEST(RefusedUringTest, TheWriterFallsBackToPwriteOnlyIfItMay) {
  const testing::TemporaryDirectory root;
  const int result = WithoutUring([&root] {
    auto directory = io::OpenPosixDirectory(root.path(), false);
    if (!directory.ok()) return 1;
    OpenLog::Options options;
    options.queue = QueueChoice::kUring;
    if (!absl::IsPermissionDenied(
            OpenLog::Open(directory->get(), options).status())) {
      return 2;
    }
    options.queue = QueueChoice::kAuto;
    auto log = OpenLog::Open(directory->get(), options);
    if (!log.ok()) return 3;
    if ((*log)->writer().GetStats().queue_name != "pwrite") return 4;
    if (!(*log)->Append({"a"}).ok()) return 5;
    return (*log)->writer().Close().ok() ? 0 : 6;
  });
  SKIP_WITHOUT_SECCOMP(result);
  ASSERT_EQ(result, 0);
  auto directory = io::OpenPosixDirectory(root.path(), false);
  ASSERT_TRUE(directory.ok());
  EXPECT_EQ(RecoverAll(directory->get())->records.size(), 1u);
}

}  // namespace
}  // namespace engram::wal
