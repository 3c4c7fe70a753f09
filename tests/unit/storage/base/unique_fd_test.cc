#include "storage/base/unique_fd.h"

#include <fcntl.h>

#include <utility>

#include "gtest/gtest.h"

namespace engram {
namespace {

UniqueFd OpenNull() { return UniqueFd(::open("/dev/null", O_RDONLY)); }

bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFdTest, ClosesWhenItGoes) {
  int fd = -1;
  {
    const UniqueFd owner = OpenNull();
    fd = owner.get();
    EXPECT_TRUE(owner.valid());
    EXPECT_TRUE(IsOpen(fd));
  }
  EXPECT_FALSE(IsOpen(fd));
}

TEST(UniqueFdTest, HasNoDescriptorOfItsOwn) {
  EXPECT_FALSE(UniqueFd().valid());
  EXPECT_EQ(UniqueFd().get(), -1);
}

TEST(UniqueFdTest, MovingHandsTheDescriptorOver) {
  UniqueFd first = OpenNull();
  const int fd = first.get();
  UniqueFd second = std::move(first);
  EXPECT_EQ(second.get(), fd);
  EXPECT_EQ(first.get(), -1);

  UniqueFd third = OpenNull();
  const int replaced = third.get();
  third = std::move(second);
  EXPECT_EQ(third.get(), fd);
  EXPECT_FALSE(IsOpen(replaced));
  EXPECT_TRUE(IsOpen(fd));
}

}  // namespace
}  // namespace engram
