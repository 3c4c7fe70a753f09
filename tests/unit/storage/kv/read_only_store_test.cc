// A store that is read while its owner changes it.

#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rocksdb/env.h"
#include "storage/base/read_attempts.h"
#include "storage/kv/read_only_files.h"
#include "store_harness.h"
#include "tests/support/child_process.h"

namespace engram::kv {
namespace {

using ::testing::ElementsAre;

class ReadOnlyStoreTest : public StoreHarness {
 protected:
  // Beside store_, which is the owner's.
  absl::StatusOr<std::unique_ptr<Store>> Reader() {
    StoreOptions options;
    options.read_only = true;
    return Store::Open(path(), options);
  }

  // Names and sizes of all files.
  std::map<std::string, uintmax_t> Files() {
    std::map<std::string, uintmax_t> files;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(path())) {
      files[entry.path().string()] =
          entry.is_regular_file() ? entry.file_size() : 0;
    }
    return files;
  }
};

TEST_F(ReadOnlyStoreTest, ReadsWhatItsOwnerHasCommitted) {
  OpenWithFamily();
  Commit({{"r/a", "1"}});
  const auto first = Reader();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ((*first)->Get(kFamily, "r/a").value_or("nothing"), "1");
  Commit({{"r/a", "2"}});
  EXPECT_EQ((*first)->Get(kFamily, "r/a").value_or("nothing"), "1")
      << "as it was when opened";
  const auto second = Reader();
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ((*second)->Get(kFamily, "r/a").value_or("nothing"), "2");
}

TEST_F(ReadOnlyStoreTest, KeepsWhatTheOwnerRemovesMeanwhile) {
  OpenWithFamily();
  ASSERT_TRUE(store_->CreateFamily("p000002").ok());
  const std::string large(100'000, 'x');
  for (int i = 0; i < 4; ++i) {
    Commit({{"r/a", absl::StrCat(i, large)}, {"v/a", large}});
  }
  Commit({{"r/b", large}}, "p000002");
  const auto reader = Reader();
  ASSERT_TRUE(reader.ok()) << reader.status();
  const auto before = Files();
  ASSERT_TRUE(store_->CompactAll().ok());
  ASSERT_TRUE(store_->DropFamily("p000002").ok());
  ASSERT_NE(Files(), before) << "the test is about files that are gone";
  EXPECT_EQ((*reader)->Get(kFamily, "r/a").value_or("nothing"),
            absl::StrCat("3", large));
  EXPECT_EQ((*reader)->Get(kFamily, "v/a").value_or("nothing"), large);
  EXPECT_EQ((*reader)->Get("p000002", "r/b").value_or("nothing"), large);
  EXPECT_THAT((*reader)->Families(), ElementsAre(kFamily, "p000002"));
}

TEST_F(ReadOnlyStoreTest, LeavesNoTraceAndRemovesNothing) {
  OpenWithFamily();
  Commit({{"r/a", "1"}});
  // A table that the owner is about to name in its manifest.
  std::ofstream(path() + "/009999.sst") << "not named yet";
  const auto before = Files();
  for (int i = 0; i < 2; ++i) {
    const auto reader = Reader();
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_EQ(Files(), before);
  }
  EXPECT_EQ(Files(), before);
  store_.reset();
  std::filesystem::remove(path() + "/009999.sst");
}

TEST_F(ReadOnlyStoreTest, TakesNoLock) {
  OpenWithFamily();
  store_.reset();
  const auto reader = Reader();
  ASSERT_TRUE(reader.ok()) << reader.status();
  Open();
  Commit({{"r/a", "1"}});
}

// The owner, in this process, keeps its own tables open as it likes.
TEST_F(ReadOnlyStoreTest, ReadsWithFewerDescriptorsThanTables) {
  if (!testing::kChildrenMayStartThreads) GTEST_SKIP() << "forks threads";
  OpenWithFamily();
  constexpr int kTables = 60;
  for (int i = 0; i < kTables; ++i) Commit({{absl::StrCat("r/", i), "1"}});
  store_.reset();
  const int result = testing::RunInChild([this] {
    const rlimit few = {50, 50};
    if (::setrlimit(RLIMIT_NOFILE, &few) != 0) return 1;
    const auto reader = Reader();
    if (!reader.ok()) return 2;
    for (int i = 0; i < kTables; ++i) {
      if (!(*reader)->Get(kFamily, absl::StrCat("r/", i)).ok()) return 3;
    }
    // As the owner removes them.
    for (const auto& [file, bytes] : Files()) {
      if (file.find(".sst") != file.npos) std::filesystem::remove(file);
    }
    for (int i = 0; i < kTables; ++i) {
      const auto row = (*reader)->Get(kFamily, absl::StrCat("r/", i));
      if (!row.ok() && !absl::IsUnavailable(row.status())) return 4;
      if (!row.ok()) return 0;
    }
    return 5;
  });
  EXPECT_EQ(result, 0);
}

TEST(ReadOnlyEnvTest, NothingCanBeChangedThroughIt) {
  testing::TemporaryDirectory folder;
  std::ofstream(folder.PathOf("a")) << "text";
  const auto env = NewReadOnlyEnv(rocksdb::FileSystem::Default());
  const std::string a = folder.PathOf("a");
  const std::string b = folder.PathOf("b");
  std::unique_ptr<rocksdb::WritableFile> writable;
  std::unique_ptr<rocksdb::RandomRWFile> both;
  rocksdb::FileLock* lock = nullptr;
  const rocksdb::EnvOptions options;
  EXPECT_FALSE(env->NewWritableFile(b, &writable, options).ok());
  EXPECT_FALSE(env->ReopenWritableFile(a, &writable, options).ok());
  EXPECT_FALSE(env->ReuseWritableFile(b, a, &writable, options).ok());
  EXPECT_FALSE(env->NewRandomRWFile(a, &both, options).ok());
  EXPECT_FALSE(env->DeleteFile(a).ok());
  EXPECT_FALSE(env->Truncate(a, 0).ok());
  EXPECT_FALSE(env->CreateDir(b).ok());
  EXPECT_FALSE(env->CreateDirIfMissing(b).ok());
  EXPECT_FALSE(env->DeleteDir(folder.path()).ok());
  EXPECT_FALSE(env->RenameFile(a, b).ok());
  EXPECT_FALSE(env->LinkFile(a, b).ok());
  EXPECT_FALSE(env->LockFile(b, &lock).ok());
  EXPECT_TRUE(env->FileExists(a).ok());
  EXPECT_FALSE(std::filesystem::exists(b));
  EXPECT_EQ(std::filesystem::file_size(a), 4u);
}

// The owner writes two keys in each commit, the same, and compacts them away;
// families come and go. Each reader sees one moment of that.
TEST_F(ReadOnlyStoreTest, EachReaderSeesOneMomentOfABusyOwner) {
  OpenWithFamily();
  Commit({{"r/a", "0"}, {"v/a", "0"}});
  std::atomic<bool> stop{false};  // relaxed: nothing else hangs on it
  std::atomic<int> committed{0};  // released by the owner
  std::thread owner([&] {
    for (int i = 1; !stop.load(std::memory_order_relaxed); ++i) {
      const std::string value = absl::StrCat(i);
      Commit({{"r/a", value}, {"v/a", value}});
      committed.store(i, std::memory_order_release);
      if (i % 5 == 0) {
        ASSERT_TRUE(store_->CompactAll().ok());
      }
      const std::string family = absl::StrCat("p", 100'000 + i);
      ASSERT_TRUE(store_->CreateFamily(family).ok());
      Commit({{"r/a", value}}, family);
      ASSERT_TRUE(store_->DropFamily(family).ok());
    }
  });
  const absl::Cleanup join = [&] {
    stop.store(true, std::memory_order_relaxed);
    owner.join();
  };
  for (int i = 0; i < 50; ++i) {
    const int before = committed.load(std::memory_order_acquire);
    ReadAttempts attempts;
    absl::StatusOr<std::unique_ptr<Store>> reader;
    do {
      reader = Reader();
    } while (attempts.StartOver(reader.status()));
    ASSERT_TRUE(reader.ok()) << reader.status();
    const auto row = (*reader)->Get(kFamily, "r/a");
    ASSERT_TRUE(row.ok()) << row.status();
    EXPECT_GE(std::stoi(*row), before);
    EXPECT_EQ((*reader)->Get(kFamily, "v/a").value_or(""), *row);
  }
}

}  // namespace
}  // namespace engram::kv
