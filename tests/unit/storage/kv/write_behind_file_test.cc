#include "storage/kv/write_behind_file.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::kv {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;
using ::testing::ElementsAre;

constexpr size_t kMany = size_t{1} << 20;

// What reached the file, and what fails there.
struct Calls {
  std::vector<std::string> names;
  std::string bytes;
  int writes_until_failure = -1;          // below 0: none fails
  absl::Notification* release = nullptr;  // what writes wait for
};

class FakeFile final : public rocksdb::FSWritableFile {
 public:
  explicit FakeFile(Calls* calls) : calls_(*calls) {}

  IOStatus PositionedAppend(const Slice& data, uint64_t offset,
                            const IOOptions&, IODebugContext*) override {
    if (calls_.release != nullptr) calls_.release->WaitForNotification();
    calls_.names.push_back("write");
    if (calls_.writes_until_failure-- == 0) return IOStatus::NoSpace("full");
    calls_.bytes.resize(offset);
    calls_.bytes.append(data.data(), data.size());
    return IOStatus::OK();
  }
  IOStatus Append(const Slice&, const IOOptions&, IODebugContext*) override {
    return IOStatus::NotSupported("only at an offset");
  }
  using FSWritableFile::Append;
  using FSWritableFile::PositionedAppend;

  IOStatus Truncate(uint64_t bytes, const IOOptions&,
                    IODebugContext*) override {
    calls_.names.push_back("truncate");
    calls_.bytes.resize(bytes);
    return IOStatus::OK();
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override {
    calls_.names.push_back("close");
    return IOStatus::OK();
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    calls_.names.push_back("sync");
    return IOStatus::OK();
  }

 private:
  Calls& calls_;
};

class WriteBehindFileTest : public ::testing::Test {
 protected:
  // Of a buffer that is used for something else right afterwards.
  IOStatus Write(char content, size_t bytes, uint64_t offset) {
    std::string data(bytes, content);
    IOStatus status =
        file_->PositionedAppend(data, offset, IOOptions(), nullptr);
    data.assign(bytes, '#');
    return status;
  }

  Calls calls_;
  std::unique_ptr<rocksdb::FSWritableFile> file_ =
      NewWriteBehindFile(std::make_unique<FakeFile>(&calls_));
};

TEST_F(WriteBehindFileTest, WritesWhatItWasGivenInTheOrderOfTheCalls) {
  ASSERT_TRUE(Write('a', kMany, 0).ok());
  ASSERT_TRUE(Write('b', 2 * kMany, kMany).ok());
  ASSERT_TRUE(Write('c', 100, 3 * kMany).ok());
  ASSERT_TRUE(Write('d', kMany, 3 * kMany + 100).ok());
  ASSERT_TRUE(file_->Truncate(3 * kMany + 200, IOOptions(), nullptr).ok());
  ASSERT_TRUE(file_->Sync(IOOptions(), nullptr).ok());
  ASSERT_TRUE(file_->Close(IOOptions(), nullptr).ok());
  EXPECT_THAT(calls_.names, ElementsAre("write", "write", "write", "write",
                                        "truncate", "sync", "close"));
  EXPECT_EQ(calls_.bytes, std::string(kMany, 'a') +
                              std::string(2 * kMany, 'b') +
                              std::string(100, 'c') + std::string(100, 'd'));
}

TEST_F(WriteBehindFileTest, TheCallerGoesOnUntilItWritesAgain) {
  absl::Notification release;
  calls_.release = &release;
  ASSERT_TRUE(Write('a', kMany, 0).ok());
  // What RocksDB does between two writes.
  ASSERT_TRUE(file_->Flush(IOOptions(), nullptr).ok());
  file_->PrepareWrite(kMany, kMany, IOOptions(), nullptr);
  release.Notify();
  ASSERT_TRUE(Write('b', kMany, kMany).ok());
  ASSERT_TRUE(file_->Sync(IOOptions(), nullptr).ok());
  EXPECT_EQ(calls_.bytes.size(), 2 * kMany);
}

TEST_F(WriteBehindFileTest, AFailureIsTheNextWritesAndOfAllThatFollow) {
  calls_.writes_until_failure = 0;
  Write('a', kMany, 0).PermitUncheckedError();
  EXPECT_TRUE(Write('b', kMany, kMany).IsNoSpace());
  EXPECT_TRUE(Write('c', 10, 2 * kMany).IsNoSpace());
  EXPECT_TRUE(file_->Truncate(1, IOOptions(), nullptr).IsNoSpace());
  EXPECT_TRUE(file_->Sync(IOOptions(), nullptr).IsNoSpace());
  EXPECT_TRUE(file_->Fsync(IOOptions(), nullptr).IsNoSpace());
  EXPECT_TRUE(file_->Close(IOOptions(), nullptr).IsNoSpace());
  EXPECT_THAT(calls_.names, ElementsAre("write", "close"))
      << "closed all the same";
}

TEST_F(WriteBehindFileTest, AFailureOfTheLastWriteIsThatOfTheSync) {
  calls_.writes_until_failure = 1;
  ASSERT_TRUE(Write('a', kMany, 0).ok());
  ASSERT_TRUE(Write('b', kMany, kMany).ok());
  EXPECT_TRUE(file_->Sync(IOOptions(), nullptr).IsNoSpace());
}

TEST_F(WriteBehindFileTest, WhatIsOnItsWayEndsBeforeTheFile) {
  ASSERT_TRUE(Write('a', kMany, 0).ok());
  file_.reset();
  EXPECT_EQ(calls_.bytes, std::string(kMany, 'a'));
}

}  // namespace
}  // namespace engram::kv
