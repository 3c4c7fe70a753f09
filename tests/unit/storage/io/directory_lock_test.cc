#include "storage/io/directory_lock.h"

#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "gtest/gtest.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "tests/support/temporary_directory.h"

namespace engram::io {
namespace {

TEST(DirectoryLockTest, ExcludesOtherDescriptorsOfTheSameProcess) {
  const testing::TemporaryDirectory directory;
  const auto first = DirectoryLock::Acquire(directory.path());
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_GE(first->fd(), 0);
  const auto second = DirectoryLock::Acquire(directory.path());
  EXPECT_TRUE(absl::IsUnavailable(second.status())) << second.status();
}

TEST(DirectoryLockTest, LetsGoWhenItIsDestroyed) {
  const testing::TemporaryDirectory directory;
  { ASSERT_TRUE(DirectoryLock::Acquire(directory.path()).ok()); }
  EXPECT_TRUE(DirectoryLock::Acquire(directory.path()).ok());
}

TEST(DirectoryLockTest, FailsWithoutTheFolder) {
  const testing::TemporaryDirectory directory;
  EXPECT_TRUE(absl::IsNotFound(
      DirectoryLock::Acquire(directory.PathOf("missing")).status()));
}

TEST(DirectoryLockTest, AskingWhetherItIsHeldTakesNothingAway) {
  const testing::TemporaryDirectory directory;
  EXPECT_FALSE(DirectoryLock::IsHeld(directory.path()).value());
  {
    const auto lock = DirectoryLock::Acquire(directory.path());
    ASSERT_TRUE(lock.ok()) << lock.status();
    EXPECT_TRUE(DirectoryLock::IsHeld(directory.path()).value());
    EXPECT_TRUE(DirectoryLock::IsHeld(directory.path()).value());
  }
  EXPECT_FALSE(DirectoryLock::IsHeld(directory.path()).value());
  EXPECT_TRUE(absl::IsNotFound(
      DirectoryLock::IsHeld(directory.PathOf("missing")).status()));
}

// A process that takes the lock, says so, and waits to be told to exit.
class LockingProcess {
 public:
  explicit LockingProcess(const std::string& path) {
    int ready[2];
    int release[2];
    ENGRAM_CHECK(::pipe(ready) == 0 && ::pipe(release) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(release[1]);
      const auto lock = DirectoryLock::Acquire(path);
      char byte = lock.ok() ? 'y' : 'n';
      if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
      // Ends with the parent's descriptor at the latest.
      if (::read(release[0], &byte, 1) < 0) ::_exit(1);
      ::_exit(0);
    }
    ::close(ready[1]);
    ::close(release[0]);
    release_fd_ = release[1];
    char byte = 'n';
    locked_ = ::read(ready[0], &byte, 1) == 1 && byte == 'y';
    ::close(ready[0]);
  }
  ~LockingProcess() { End(); }

  bool locked() const { return locked_; }

  void End() {
    if (pid_ < 0) return;
    ::close(release_fd_);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  int release_fd_ = -1;
  bool locked_ = false;
};

TEST(DirectoryLockTest, ExcludesOtherProcessesUntilTheyEnd) {
  const testing::TemporaryDirectory directory;
  LockingProcess other(directory.path());
  ASSERT_TRUE(other.locked());
  EXPECT_TRUE(
      absl::IsUnavailable(DirectoryLock::Acquire(directory.path()).status()));
  other.End();
  EXPECT_TRUE(DirectoryLock::Acquire(directory.path()).ok());
}

}  // namespace
}  // namespace engram::io
