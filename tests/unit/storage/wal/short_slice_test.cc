#include "storage/wal/short_slice.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "gtest/gtest.h"

namespace engram::wal {
namespace {

bool KernelHasSlices() {
  utsname name;
  if (::uname(&name) != 0) return false;
  char* rest = nullptr;
  const long major = std::strtol(name.release, &rest, 10);
  const long minor = std::strtol(rest + 1, nullptr, 10);
  return major > 6 || (major == 6 && minor >= 12);
}

// In a thread of its own: what it changes stays.
TEST(ShortSliceTest, IsGrantedAndKeepsTheRest) {
  if (!KernelHasSlices()) GTEST_SKIP() << "needs Linux 6.12";
  std::thread([] {
    const auto self = static_cast<id_t>(::gettid());
    ASSERT_EQ(::setpriority(PRIO_PROCESS, self, 3), 0);
    EXPECT_TRUE(RequestShortSlice(100));
    EXPECT_EQ(::getpriority(PRIO_PROCESS, self), 3);
  }).join();
}

TEST(ShortSliceTest, AnImpossibleOneIsNotGranted) {
  std::thread([] { EXPECT_FALSE(RequestShortSlice(1)); }).join();
}

}  // namespace
}  // namespace engram::wal
