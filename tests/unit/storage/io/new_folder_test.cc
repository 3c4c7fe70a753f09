#include "storage/io/new_folder.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"

namespace engram::io {
namespace {

namespace fs = std::filesystem;

class NewFolderTest : public ::testing::Test {
 protected:
  std::string path() const { return root_.PathOf("a"); }
  std::string unfinished() const { return root_.PathOf("a.unfinished"); }
  absl::StatusOr<std::unique_ptr<NewFolder>> Create() const {
    return NewFolder::Create(FileSystem::System(), path());
  }

  const testing::TemporaryDirectory root_;
};

TEST_F(NewFolderTest, AppearsWithAllItHolds) {
  {
    const auto folder = Create();
    ASSERT_TRUE(folder.ok()) << folder.status();
    EXPECT_EQ((*folder)->building_path(), unfinished());
    std::ofstream(unfinished() + "/file") << "x";
    EXPECT_FALSE(fs::exists(path()));
    ASSERT_TRUE((*folder)->Publish().ok());
    EXPECT_TRUE(fs::exists(path() + "/file"));
  }
  EXPECT_TRUE(fs::exists(path() + "/file"));
  EXPECT_FALSE(fs::exists(path() + "/UNFINISHED"));
  EXPECT_FALSE(fs::exists(unfinished()));
}

TEST_F(NewFolderTest, LeavesNothingWithoutPublish) {
  {
    const auto folder = Create();
    ASSERT_TRUE(folder.ok()) << folder.status();
    fs::create_directories(unfinished() + "/b/c");
    std::ofstream(unfinished() + "/b/c/file") << "x";
  }
  EXPECT_TRUE(fs::is_empty(root_.path()));
}

TEST_F(NewFolderTest, IsBuiltByOneAtATime) {
  const auto folder = Create();
  ASSERT_TRUE(folder.ok()) << folder.status();
  std::ofstream(unfinished() + "/file") << "x";
  EXPECT_TRUE(absl::IsUnavailable(Create().status()));
  EXPECT_TRUE(fs::exists(unfinished() + "/file"));
}

TEST_F(NewFolderTest, WhatAppearedMeanwhileIsNotReplaced) {
  const auto folder = Create();
  ASSERT_TRUE(folder.ok()) << folder.status();
  fs::create_directory(path());
  EXPECT_TRUE(absl::IsAlreadyExists((*folder)->Publish()));
  EXPECT_TRUE(fs::is_empty(path()));
}

// Nothing outside of it is removed through a link in it.
TEST_F(NewFolderTest, FollowsNoLinksWhenItCleansUp) {
  fs::create_directory(root_.PathOf("precious"));
  std::ofstream(root_.PathOf("precious/file")) << "x";
  {
    const auto folder = Create();
    ASSERT_TRUE(folder.ok()) << folder.status();
    fs::create_directory_symlink(root_.PathOf("precious"),
                                 unfinished() + "/link");
  }
  EXPECT_TRUE(fs::exists(root_.PathOf("precious/file")));
}

TEST_F(NewFolderTest, LiesInLooksThroughLinksAndNames) {
  fs::create_directory(root_.PathOf("db"));
  fs::create_directory_symlink(root_.PathOf("db"), root_.PathOf("link"));
  EXPECT_TRUE(LiesIn(root_.PathOf("db"), root_.PathOf("db")));
  EXPECT_TRUE(LiesIn(root_.PathOf("db/x/y"), root_.PathOf("db")));
  EXPECT_TRUE(LiesIn(root_.PathOf("link/x"), root_.PathOf("db")));
  EXPECT_TRUE(LiesIn(root_.PathOf("c/../db/x"), root_.PathOf("db")));
  EXPECT_FALSE(LiesIn(root_.PathOf("db2"), root_.PathOf("db")));
  EXPECT_FALSE(LiesIn(root_.path(), root_.PathOf("db")));
}

TEST_F(NewFolderTest, FullPathNamesAnEntry) {
  EXPECT_EQ(*FullPath("/a/b/"), "/a/b");
  EXPECT_EQ(*FullPath("/a/./c/../b//"), "/a/b");
  EXPECT_EQ((*FullPath("b")).front(), '/');
  for (const char* path : {"", "/", "//"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(FullPath(path).status())) << path;
  }
}

}  // namespace
}  // namespace engram::io
