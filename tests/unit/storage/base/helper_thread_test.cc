#include "storage/base/helper_thread.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <system_error>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/slow_build.h"

namespace engram {
namespace {

TEST(HelperThreadTest, WorksBesideAndIsDoneAfterJoin) {
  std::thread::id where;
  HelperThread helper([&where] { where = std::this_thread::get_id(); });
  helper.Join();
  EXPECT_NE(where, std::thread::id());
  EXPECT_NE(where, std::this_thread::get_id());
}

TEST(HelperThreadTest, ItsEndJoins) {
  int times = 0;
  {
    HelperThread helper([&times] { ++times; });
  }
  EXPECT_EQ(times, 1);
}

TEST(HelperThreadTest, JoiningAgainDoesNothing) {
  int times = 0;
  HelperThread helper([&times] { ++times; });
  helper.Join();
  helper.Join();
  EXPECT_EQ(times, 1);
}

// Leaves a child process no room for another stack; stacks of threads that have
// ended are used up.
void UseUpStacks() {
  std::vector<std::thread> threads;
  threads.reserve(1000);
  const rlimit none = {1, 1};
  if (::setrlimit(RLIMIT_AS, &none) != 0) ::_exit(2);
  try {
    while (threads.size() < threads.capacity()) threads.emplace_back(::pause);
  } catch (const std::system_error&) {
    for (std::thread& thread : threads) thread.detach();
    return;
  }
  ::_exit(3);
}

TEST(HelperThreadTest, WithoutAThreadJoinWorks) {
  if (testing::kSanitizer) GTEST_SKIP() << "needs address space itself";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    UseUpStacks();
    std::thread::id where;
    HelperThread helper([&where] { where = std::this_thread::get_id(); });
    if (where != std::thread::id()) ::_exit(4);
    helper.Join();
    ::_exit(where == std::this_thread::get_id() ? 0 : 5);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace engram
