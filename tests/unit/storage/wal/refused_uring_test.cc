// A system that refuses io_uring, as container runtimes do by default.

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <iterator>

#include "gtest/gtest.h"
#include "log_harness.h"
#include "storage/io/io_queue.h"
#include "storage/io/posix_directory.h"
#include "tests/support/temporary_directory.h"

namespace engram::wal {
namespace {

// Makes io_uring_setup, _enter and _register (425 to 427) fail with EPERM for
// the rest of this process.
bool RefuseUring() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 425, 0, 2),
      BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 427, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  sock_fprog filter = {};
  filter.len = static_cast<unsigned short>(std::size(program));
  filter.filter = program;
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

constexpr int kNoSeccomp = 99;

// Runs `check` in a process without io_uring and returns what it returns.
int WithoutUring(const std::function<int()>& check) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(RefuseUring() ? check() : kNoSeccomp);
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
