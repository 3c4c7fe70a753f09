#include "storage/io/page_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"

namespace engram::io {
namespace {

TEST(PageFileTest, IsOverwrittenInPlace) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.PathOf("page");
  auto file = PageFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE(file->Overwrite("a longer text").ok());
  ASSERT_TRUE(file->Overwrite("short").ok());
  EXPECT_EQ(*ReadPageFile(path, 100), "shortger text");
  EXPECT_EQ(*ReadPageFile(path, 3), "sho");
  struct stat info = {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  // The next owner.
  auto again = PageFile::Open(path);
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_TRUE(again->Overwrite("SHORT").ok());
  EXPECT_EQ(*ReadPageFile(path, 5), "SHORT");
  ASSERT_TRUE(again->Remove().ok());
  EXPECT_TRUE(absl::IsNotFound(ReadPageFile(path, 100).status()));
}

TEST(PageFileTest, FollowsNoLink) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.PathOf("page");
  ASSERT_EQ(::symlink("/etc/passwd", path.c_str()), 0);
  EXPECT_FALSE(PageFile::Open(path).ok());
  EXPECT_FALSE(ReadPageFile(path, 100).ok());
}

}  // namespace
}  // namespace engram::io
