#include "storage/io/posix_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "storage/base/aligned_buffer.h"
#include "tests/support/temporary_directory.h"

namespace engram::io {
namespace {

constexpr size_t kBlock = 4096;

mode_t ModeOf(const std::string& path) {
  struct stat info = {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0);
  return info.st_mode & 07777;
}

class PosixDirectoryTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    auto directory = OpenPosixDirectory(root_.path(), false, GetParam());
    ASSERT_TRUE(directory.ok()) << directory.status();
    directory_ = *std::move(directory);
  }

  void WritePlainFile(const std::string& name, const std::string& text) {
    std::ofstream(root_.PathOf(name)) << text;
  }

  absl::Status OpenStatus(const std::string& name) {
    const absl::Status read = directory_->Open(name, OpenMode::kRead).status();
    EXPECT_EQ(directory_->Open(name, OpenMode::kWrite).status().code(),
              read.code());
    return read;
  }

  const testing::TemporaryDirectory root_;
  std::unique_ptr<Directory> directory_;
};

INSTANTIATE_TEST_SUITE_P(DirectAndBuffered, PosixDirectoryTest,
                         ::testing::Bool());

TEST_P(PosixDirectoryTest, CreatesFilesOfZerosForTheOwnerAlone) {
  // Not a multiple of what is written at once.
  constexpr uint64_t kBytes = (1 << 20) + 3 * kBlock;
  const auto file = directory_->CreateZeroed("a", kBytes);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(*(*file)->Size(), kBytes);
  EXPECT_EQ(ModeOf(root_.PathOf("a")), 0600u);
  EXPECT_EQ((*file)->path(), root_.PathOf("a"));

  const auto reader = directory_->Open("a", OpenMode::kRead);
  ASSERT_TRUE(reader.ok());
  std::string bytes(kBytes + 1, 'x');
  const auto read = (*reader)->Read(0, absl::MakeSpan(&bytes[0], kBytes + 1));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, kBytes);
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), '\0'),
            static_cast<ptrdiff_t>(kBytes));
  // Every byte is allocated, not only promised.
  struct stat info = {};
  ASSERT_EQ(::stat(root_.PathOf("a").c_str(), &info), 0);
  EXPECT_GE(static_cast<uint64_t>(info.st_blocks) * 512, kBytes);
}

TEST_P(PosixDirectoryTest, TellsAFileWithHolesFromOneThatWasWritten) {
  constexpr uint64_t kBytes = 16 * kBlock;
  const auto written = directory_->CreateZeroed("written", kBytes);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_FALSE(*(*written)->HasHoles());
  WritePlainFile("sparse", "x");
  ASSERT_EQ(::truncate(root_.PathOf("sparse").c_str(), kBytes), 0);
  const auto sparse = directory_->Open("sparse", OpenMode::kWrite);
  ASSERT_TRUE(sparse.ok()) << sparse.status();
  EXPECT_TRUE(*(*sparse)->HasHoles());
}

TEST_P(PosixDirectoryTest, ReplacesAFileThatIsThere) {
  WritePlainFile("a", std::string(3 * kBlock, 'x'));
  const auto file = directory_->CreateZeroed("a", kBlock);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(*(*file)->Size(), kBlock);
}

TEST_P(PosixDirectoryTest, ReadsWhatWasWritten) {
  auto file = directory_->CreateZeroed("a", 4 * kBlock);
  ASSERT_TRUE(file.ok()) << file.status();
  AlignedBuffer block(kBlock);
  std::fill_n(block.data(), kBlock, 'w');
  ASSERT_TRUE(
      (*file)->Write(kBlock, absl::MakeConstSpan(block.data(), kBlock)).ok());
  ASSERT_TRUE((*file)->SyncData().ok());
  ASSERT_TRUE((*file)->Sync().ok());
  std::string bytes(4 * kBlock, 'x');
  const auto reader = directory_->Open("a", OpenMode::kRead);
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE((*reader)->Read(0, absl::MakeSpan(&bytes[0], 4 * kBlock)).ok());
  EXPECT_EQ(bytes, std::string(kBlock, '\0') + std::string(kBlock, 'w') +
                       std::string(2 * kBlock, '\0'));
  EXPECT_EQ(*(*reader)->Read(5 * kBlock, absl::MakeSpan(&bytes[0], 10)), 0u);
}

TEST_P(PosixDirectoryTest, SaysWhetherItIsDirect) {
  auto file = directory_->CreateZeroed("a", kBlock);
  ASSERT_TRUE(file.ok());
  const int flags = ::fcntl((*file)->fd(), F_GETFL);
  EXPECT_EQ((*file)->direct(), (flags & O_DIRECT) != 0);
  EXPECT_TRUE(GetParam() || !(*file)->direct());
  EXPECT_EQ(flags & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl((*file)->fd(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_FALSE((*directory_->Open("a", OpenMode::kRead))->direct());
}

TEST_P(PosixDirectoryTest, RefusesSymbolicLinks) {
  WritePlainFile("target", "text");
  ASSERT_EQ(::symlink("target", root_.PathOf("link").c_str()), 0);
  EXPECT_FALSE(OpenStatus("link").ok());
  EXPECT_FALSE(directory_->CreateZeroed("link", kBlock).ok());
  EXPECT_EQ(*(*directory_->Open("target", OpenMode::kRead))->Size(), 4u);
}

TEST_P(PosixDirectoryTest, RefusesHardLinksAndLeavesThemAsTheyAre) {
  WritePlainFile("target", "text");
  ASSERT_EQ(
      ::link(root_.PathOf("target").c_str(), root_.PathOf("link").c_str()), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenStatus("link")));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      directory_->CreateZeroed("link", kBlock).status()));
  ASSERT_TRUE(directory_->Remove("link").ok());
  EXPECT_EQ(*(*directory_->Open("target", OpenMode::kRead))->Size(), 4u);
}

TEST_P(PosixDirectoryTest, RefusesWhatIsNoRegularFileWithoutWaiting) {
  ASSERT_EQ(::mkfifo(root_.PathOf("pipe").c_str(), 0600), 0);
  ASSERT_EQ(::mkdir(root_.PathOf("folder").c_str(), 0700), 0);
  EXPECT_FALSE(OpenStatus("pipe").ok());
  EXPECT_FALSE(directory_->Open("folder", OpenMode::kRead).ok());
  EXPECT_FALSE(directory_->Open("folder", OpenMode::kWrite).ok());
}

TEST_P(PosixDirectoryTest, ListsNamesSorted) {
  for (const char* const name : {"b", "a", ".hidden", "c"}) {
    WritePlainFile(name, "");
  }
  const auto names = directory_->List();
  ASSERT_TRUE(names.ok()) << names.status();
  EXPECT_EQ(*names, (std::vector<std::string>{".hidden", "a", "b", "c"}));
}

TEST_P(PosixDirectoryTest, RenamesAndRemoves) {
  WritePlainFile("a", "text");
  ASSERT_TRUE(directory_->Rename("a", "b").ok());
  EXPECT_TRUE(absl::IsNotFound(OpenStatus("a")));
  EXPECT_TRUE(OpenStatus("b").ok());
  EXPECT_TRUE(directory_->Sync().ok());
  ASSERT_TRUE(directory_->Remove("b").ok());
  EXPECT_TRUE(absl::IsNotFound(OpenStatus("b")));
  EXPECT_TRUE(absl::IsNotFound(directory_->Remove("b")));
  EXPECT_TRUE(absl::IsNotFound(directory_->Rename("b", "c")));
}

TEST(OpenPosixDirectoryTest, CreatesTheFolderForTheOwnerAlone) {
  const testing::TemporaryDirectory root;
  EXPECT_TRUE(
      absl::IsNotFound(OpenPosixDirectory(root.PathOf("d"), false).status()));
  ASSERT_TRUE(OpenPosixDirectory(root.PathOf("d"), true).ok());
  EXPECT_EQ(ModeOf(root.PathOf("d")), 0700u);
  EXPECT_TRUE(OpenPosixDirectory(root.PathOf("d"), true).ok());
}

TEST(OpenPosixDirectoryTest, RefusesASymbolicLinkAndAFile) {
  const testing::TemporaryDirectory root;
  ASSERT_EQ(::symlink(root.path().c_str(), root.PathOf("link").c_str()), 0);
  EXPECT_FALSE(OpenPosixDirectory(root.PathOf("link"), true).ok());
  std::ofstream(root.PathOf("file")) << "x";
  EXPECT_FALSE(OpenPosixDirectory(root.PathOf("file"), true).ok());
}

TEST_P(PosixDirectoryTest, AFileIsHeldForReadingUntilItIsClosed) {
  WritePlainFile("a", "text");
  const auto is_held = [&] {
    auto file = directory_->Open("a", OpenMode::kRead);
    EXPECT_TRUE(file.ok()) << file.status();
    return (*file)->IsHeldForReading();
  };
  EXPECT_FALSE(is_held());
  auto first = *directory_->Open("a", OpenMode::kReadDirect);
  first->HoldForReading();
  auto second = *directory_->Open("a", OpenMode::kReadDirect);
  second->HoldForReading();
  EXPECT_TRUE(is_held());
  first.reset();
  EXPECT_TRUE(is_held());
  second.reset();
  EXPECT_FALSE(is_held());
}

TEST_P(PosixDirectoryTest, WhoSawNoReaderKeepsThemOut) {
  WritePlainFile("a", "text");
  auto owner = *directory_->Open("a", OpenMode::kRead);
  EXPECT_FALSE(owner->IsHeldForReading());
  const auto reader = *directory_->Open("a", OpenMode::kReadDirect);
  reader->HoldForReading();  // too late
  owner.reset();
  EXPECT_FALSE((*directory_->Open("a", OpenMode::kRead))->IsHeldForReading());
}

TEST(LocksAreHintsTest, EverywhereButWithSmb) {
  EXPECT_TRUE(LocksAreHintsOn(0xEF53));  // ext4
  EXPECT_FALSE(LocksAreHintsOn(0xFE534D42));
  EXPECT_FALSE(LocksAreHintsOn(0xFF534D42));
  EXPECT_FALSE(LocksAreHintsOn(static_cast<int32_t>(0xFF534D42)));
}

}  // namespace
}  // namespace engram::io
