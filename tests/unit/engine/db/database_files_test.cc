// The folder of a database: made once, recognised, and left alone where it is
// somebody else's.

#include "engine/db/database_files.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"

namespace engram::internal {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DatabaseFilesTest : public ::testing::Test {
 protected:
  absl::Status Open(bool create = true) {
    return OpenDatabaseFiles(io::FileSystem::System(), path(), create, false)
        .status();
  }

  // The database's id, by opening it.
  std::string Id() {
    const auto files =
        OpenDatabaseFiles(io::FileSystem::System(), path(), false, false);
    EXPECT_TRUE(files.ok()) << files.status();
    return files.ok() ? DatabaseIdText(files->id) : "";
  }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(path() + "/" + name) << text;
  }
  std::string Read(const std::string& name) {
    std::ifstream in(path() + "/" + name);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  void MakeFolder(const std::string& name = "") {
    std::filesystem::create_directory(path() + "/" + name);
  }
  std::set<std::string> Names() {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }

  std::string path() const { return directory_.PathOf("db"); }

  testing::TemporaryDirectory directory_;
};

TEST_F(DatabaseFilesTest, IsMadeOnceAndRecognisedAfterwards) {
  std::string id;
  {
    const auto files =
        OpenDatabaseFiles(io::FileSystem::System(), path(), true, false);
    ASSERT_TRUE(files.ok()) << files.status();
    EXPECT_TRUE(files->created);
    EXPECT_EQ(files->wal_path, path() + "/wal");
    EXPECT_EQ(files->kv_path, path() + "/kv");
    id = DatabaseIdText(files->id);
    EXPECT_EQ(id.size(), 32u);
    EXPECT_THAT(
        Read("ENGRAM"),
        AllOf(HasSubstr("engram database\nformat 1\nid "), HasSubstr(id)));
  }
  const auto again =
      OpenDatabaseFiles(io::FileSystem::System(), path(), true, false);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(again->created);
  EXPECT_EQ(DatabaseIdText(again->id), id);
}

TEST_F(DatabaseFilesTest, TwoDatabasesHaveDifferentIds) {
  const auto first =
      OpenDatabaseFiles(io::FileSystem::System(), path(), true, false);
  const auto second = OpenDatabaseFiles(
      io::FileSystem::System(), directory_.PathOf("other"), true, false);
  EXPECT_NE(DatabaseIdText(first->id), DatabaseIdText(second->id));
}

TEST_F(DatabaseFilesTest, IsNotMadeUnlessAsked) {
  EXPECT_TRUE(absl::IsNotFound(Open(false)));
  EXPECT_FALSE(std::filesystem::exists(path()));
  MakeFolder();
  EXPECT_EQ(Open(false).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Names().empty()) << "nothing was left there";
}

TEST_F(DatabaseFilesTest, ConcurrentCreatorsAgreeOnOneDatabase) {
  for (int round = 0; round < 10; ++round) {
    std::filesystem::remove_all(path());
    std::vector<std::string> ids(4);
    std::vector<std::thread> threads;
    std::atomic<int> created{0};
    for (std::string& id : ids) {
      threads.emplace_back([&] {
        // The others hold the lock for moments.
        while (id.empty()) {
          const auto files =
              OpenDatabaseFiles(io::FileSystem::System(), path(), true, false);
          if (files.ok()) {
            id = DatabaseIdText(files->id);
            if (files->created) ++created;
          } else {
            ASSERT_TRUE(absl::IsUnavailable(files.status())) << files.status();
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(created, 1);
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 1u);
  }
}

TEST_F(DatabaseFilesTest, AnOwnerIsNamedAndAStaleOneIsReplaced) {
  {
    const auto files =
        OpenDatabaseFiles(io::FileSystem::System(), path(), true, false);
    ASSERT_TRUE(files.ok());
    EXPECT_EQ(Read("OWNER"), absl::StrCat(::getpid(), "\n"));
    const absl::Status second = Open();
    EXPECT_TRUE(absl::IsUnavailable(second)) << second;
    EXPECT_THAT(std::string(second.message()),
                HasSubstr(absl::StrCat("process ", ::getpid())));
  }
  // Left by a process that was killed: the file claims nothing.
  Write("OWNER", "4194000\n");
  EXPECT_TRUE(Open().ok()) << Open();
  EXPECT_EQ(Read("OWNER"), absl::StrCat(::getpid(), "\n"));
}

TEST_F(DatabaseFilesTest, AnOwnerTakesAwayWhatTheLastOnePublished) {
  ASSERT_TRUE(Open().ok());
  Write("STATS", "of a process that was killed");
  EXPECT_TRUE(
      OpenDatabaseFiles(io::FileSystem::System(), path(), false, true).ok());
  EXPECT_EQ(Names().count("STATS"), 1u) << "a reader writes nothing";
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(Names().count("STATS"), 0u);
}

TEST_F(DatabaseFilesTest, AnOwnerThatDiedHoldsNothing) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto files =
        OpenDatabaseFiles(io::FileSystem::System(), path(), true, false);
    ::_exit(files.ok() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(Read("OWNER"), absl::StrCat(child, "\n"));
  EXPECT_TRUE(Open().ok()) << Open();
}

// As the kernel holds it for the ring of a process that was killed.
TEST_F(DatabaseFilesTest, TheLockThatAnEndedOwnerLeftIsWaitedFor) {
  ASSERT_TRUE(Open().ok());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  auto held = io::FileSystem::System()->Lock(path() + "/wal");
  ASSERT_TRUE(held.ok()) << held.status();
  const std::string other = absl::StrCat(::getpid(), "\n");
  Write("OWNER", other);
  EXPECT_TRUE(absl::IsUnavailable(Open())) << "its owner lives";
  Write("OWNER", absl::StrCat(child, "\n"));
  std::thread kernel([&held] {
    // Longer than a living owner is waited for.
    absl::SleepFor(absl::Milliseconds(600));
    held->Release();
  });
  EXPECT_TRUE(Open().ok()) << Open();
  kernel.join();
}

// --- What may be there -------------------------------------------------------

TEST_F(DatabaseFilesTest, ANewerFormatIsUnimplementedAndNamed) {
  ASSERT_TRUE(Open().ok());
  Write("ENGRAM",
        "engram database\nformat 2\nid " + std::string(32, 'a') + "\n");
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("format version 2"));
}

TEST_F(DatabaseFilesTest, ADamagedIdentityIsDataLossNeverANewDatabase) {
  ASSERT_TRUE(Open().ok());
  const std::string intact = Read("ENGRAM");
  const std::string id = Id();
  for (size_t size = 0; size + 1 < intact.size(); ++size) {
    Write("ENGRAM", intact.substr(0, size));
    EXPECT_TRUE(absl::IsDataLoss(Open())) << size << " bytes: " << Open();
  }
  for (size_t i = 0; i < intact.size(); ++i) {
    std::string damaged = intact;
    damaged[i] = '#';
    Write("ENGRAM", damaged);
    const absl::Status status = Open();
    // The last line's end is not needed.
    if (i + 1 == intact.size() && status.ok()) continue;
    EXPECT_TRUE(absl::IsDataLoss(status)) << "byte " << i << ": " << status;
  }
  for (const std::string& text :
       {"engram database\nformat 1\nid " + std::string(31, 'a') + "\n",
        "engram database\nformat 1\nid " + std::string(33, 'a') + "\n",
        "engram database\nformat 1\nid " + std::string(32, 'g') + "\n",
        "engram database\nformat -1\nid " + std::string(32, 'a') + "\n",
        "engram database\nformat 1\n" + std::string(32, 'a') + "\n",
        std::string(10'000, 'x')}) {
    Write("ENGRAM", text);
    EXPECT_TRUE(absl::IsDataLoss(Open())) << text << ": " << Open();
  }
  Write("ENGRAM", intact);
  EXPECT_EQ(Id(), id);
}

TEST_F(DatabaseFilesTest, AForeignFolderIsRefusedByNameAndLeftUntouched) {
  MakeFolder();
  Write("thesis.txt", "precious");
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("thesis.txt"));
  EXPECT_THAT(Names(), ElementsAre("thesis.txt"));
  EXPECT_EQ(Read("thesis.txt"), "precious");
}

TEST_F(DatabaseFilesTest, ALogWithoutIdentityIsRefusedAndLeftUntouched) {
  MakeFolder();
  MakeFolder("wal");
  Write("wal/0000000001.wal", "records");
  EXPECT_EQ(Open().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Names(), ElementsAre("wal"));
  EXPECT_EQ(Read("wal/0000000001.wal"), "records");
}

TEST_F(DatabaseFilesTest, ACheckpointWithoutIdentityIsRefused) {
  MakeFolder();
  MakeFolder("kv");
  EXPECT_EQ(Open().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Names(), ElementsAre("kv"));
}

TEST_F(DatabaseFilesTest, WhatAnInterruptedCreationLeftIsTakenUp) {
  MakeFolder();
  EXPECT_TRUE(Open().ok()) << "an empty folder";
  std::filesystem::remove(path() + "/ENGRAM");
  std::filesystem::remove(path() + "/kv");
  Write("ENGRAM.tmp", "engram data");
  EXPECT_TRUE(Open().ok()) << Open();
  EXPECT_THAT(Names(), ElementsAre("ENGRAM", "OWNER", "kv", "wal"));
}

TEST_F(DatabaseFilesTest, LinksAreNotFollowed) {
  ASSERT_TRUE(Open().ok());
  const std::string elsewhere = directory_.PathOf("identity");
  std::filesystem::rename(path() + "/ENGRAM", elsewhere);
  std::filesystem::create_symlink(elsewhere, path() + "/ENGRAM");
  EXPECT_FALSE(Open().ok());
  std::filesystem::remove(path() + "/ENGRAM");
  std::filesystem::rename(elsewhere, path() + "/ENGRAM");
  std::filesystem::remove(path() + "/OWNER");
  std::ofstream(directory_.PathOf("target")) << "precious";
  std::filesystem::create_symlink(directory_.PathOf("target"),
                                  path() + "/OWNER");
  EXPECT_TRUE(Open().ok()) << "OWNER serves a message only";
  std::ifstream target(directory_.PathOf("target"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(target), {}),
            "precious");
}

TEST_F(DatabaseFilesTest, AFileIsNoDatabase) {
  std::ofstream(path()) << "text";
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("is a file"));
}

TEST_F(DatabaseFilesTest, FilesAndFoldersAreTheOwnersAlone) {
  ASSERT_TRUE(Open().ok());
  struct stat info;
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  for (const char* name : {"/wal", "/kv"}) {
    ASSERT_EQ(::stat((path() + name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u);
  }
  for (const char* name : {"/ENGRAM", "/OWNER"}) {
    ASSERT_EQ(::stat((path() + name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
  }
}

}  // namespace
}  // namespace engram::internal
