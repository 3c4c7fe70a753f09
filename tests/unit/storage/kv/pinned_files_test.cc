#include "storage/kv/pinned_files.h"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "rocksdb/env.h"
#include "store_harness.h"

namespace engram::kv {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;

using Strings = std::map<std::string, std::string>;

class PinnedFilesTest : public StoreHarness {
 protected:
  void SetUp() override {
    OpenWithFamily();
    Commit({{"a", "1"}});
    files_ =
        std::make_shared<PinnedFiles>(rocksdb::FileSystem::Default(), path());
    tables_ = Tables();
    ASSERT_THAT(tables_, Not(IsEmpty()));
  }

  std::vector<std::string> Tables() const {
    std::vector<std::string> tables;
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      if (entry.path().extension() == ".sst") {
        tables.push_back(entry.path().filename());
      }
    }
    return tables;
  }

  // The owner goes on: other tables, and another manifest.
  void MoveOn() {
    Commit({{"a", "2"}});
    ASSERT_TRUE(store_->CompactFamily(kFamily).ok());
    ASSERT_TRUE(store_->RemoveObsoleteFiles().ok());
    Open();
    for (const std::string& table : tables_) {
      ASSERT_FALSE(std::filesystem::exists(path() + "/" + table)) << table;
    }
  }

  // What a reader finds in these files.
  absl::StatusOr<std::string> Read() {
    const auto env = rocksdb::NewCompositeEnv(files_);
    StoreOptions options;
    options.read_only = true;
    options.env = env.get();
    auto reader = Store::Open(path(), options);
    if (!reader.ok()) return reader.status();
    return (*reader)->Get(kFamily, "a");
  }

  std::shared_ptr<PinnedFiles> files_;
  std::vector<std::string> tables_;
};

TEST_F(PinnedFilesTest, AReaderFindsTheMomentAtWhichTheyWerePinned) {
  ASSERT_TRUE(files_->Pin(/*tables=*/true).ok());
  MoveOn();
  const auto pinned = Read();
  ASSERT_TRUE(pinned.ok()) << pinned.status();
  EXPECT_EQ(*pinned, "1");
  files_->Release();
  const auto released = Read();
  ASSERT_TRUE(released.ok()) << released.status();
  EXPECT_EQ(*released, "2");
}

TEST_F(PinnedFilesTest, TablesAreHeldOnlyIfThatIsAskedFor) {
  ASSERT_TRUE(files_->Pin(/*tables=*/false).ok());
  MoveOn();
  EXPECT_TRUE(absl::IsDataLoss(Read().status())) << Read().status();
}

TEST_F(PinnedFilesTest, WhatWasOpenedOutlivesTheRelease) {
  ASSERT_TRUE(files_->Pin(/*tables=*/true).ok());
  MoveOn();
  const std::string table = path() + "/" + tables_[0];
  std::unique_ptr<rocksdb::FSRandomAccessFile> file;
  ASSERT_TRUE(files_->NewRandomAccessFile(table, {}, &file, nullptr).ok());
  std::vector<std::string> names;
  ASSERT_TRUE(files_->GetChildren(path(), {}, &names, nullptr).ok());
  EXPECT_THAT(names, Contains(tables_[0]));
  files_->Release();
  char byte = 0;
  rocksdb::Slice read;
  ASSERT_TRUE(file->Read(0, 1, {}, &read, &byte, nullptr).ok());
  EXPECT_EQ(read.size(), 1u);
  std::unique_ptr<rocksdb::FSRandomAccessFile> other;
  EXPECT_FALSE(files_->NewRandomAccessFile(table, {}, &other, nullptr).ok());
  ASSERT_TRUE(files_->GetChildren(path(), {}, &names, nullptr).ok());
  EXPECT_THAT(names, Not(Contains(tables_[0])));
}

// Calls back after the folder was listed for the n-th time.
class ListingHook final : public rocksdb::FileSystemWrapper {
 public:
  ListingHook(int listings, std::function<void()> hook)
      : FileSystemWrapper(rocksdb::FileSystem::Default()),
        listings_left_(listings),
        hook_(std::move(hook)) {}

  const char* Name() const override { return "ListingHook"; }

  rocksdb::IOStatus GetChildren(const std::string& path,
                                const rocksdb::IOOptions& options,
                                std::vector<std::string>* names,
                                rocksdb::IODebugContext* debug) override {
    const rocksdb::IOStatus status =
        target()->GetChildren(path, options, names, debug);
    if (--listings_left_ == 0) hook_();
    return status;
  }

 private:
  int listings_left_;
  const std::function<void()> hook_;
};

TEST_F(PinnedFilesTest, AReaderPinsBeforeRocksDbReadsAnything) {
  // Once to count the tables, twice to open them.
  constexpr int kListings = 3;
  bool moved_on = false;
  const auto env =
      rocksdb::NewCompositeEnv(std::make_shared<ListingHook>(kListings, [&] {
        MoveOn();
        moved_on = true;
      }));
  StoreOptions options;
  options.read_only = true;
  options.env = env.get();
  const auto reader = Store::Open(path(), options);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_TRUE(moved_on);
  const auto value = (*reader)->Get(kFamily, "a");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(*value, "1");
}

TEST_F(PinnedFilesTest, AFolderWithoutAStoreSaysSo) {
  files_ = std::make_shared<PinnedFiles>(rocksdb::FileSystem::Default(),
                                         directory_.path());
  EXPECT_TRUE(files_->Pin(/*tables=*/true).IsPathNotFound());
}

}  // namespace
}  // namespace engram::kv
