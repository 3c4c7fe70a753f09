#include "storage/wal/copy_log.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "log_harness.h"
#include "tests/support/memory_directory.h"

namespace engram::wal {
namespace {

using testing::MemoryDirectory;

class CopyLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto log = OpenLog::Open(&original_);
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
  }

  void Append(int groups, size_t payload_bytes = 10) {
    for (int i = 0; i < groups; ++i) {
      ASSERT_TRUE(log_->Append({std::string(payload_bytes, 'p')}).ok());
    }
  }

  absl::Status Copy(Lsn last_lsn, Lsn low_water_lsn = 0) {
    CopyLogOptions options;
    options.database_id = kDatabase;
    options.last_lsn = last_lsn;
    options.low_water_lsn = low_water_lsn;
    return CopyLog(&original_, &copy_, options);
  }

  void ClearCopy() {
    const std::vector<std::string> names = copy_.List().value();
    for (const std::string& name : names) {
      ASSERT_TRUE(copy_.Remove(name).ok());
    }
  }

  // What an owner of the copy finds, who knows of no checkpoint.
  void ExpectCopyEndsWith(Lsn last_lsn, Lsn low_water_lsn = 0) {
    RecoveryOptions options;
    options.low_water_lsn = low_water_lsn;
    const auto recovered = RecoverAll(&copy_, options);
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    EXPECT_EQ(recovered->log.position.next_lsn, last_lsn + 1);
    EXPECT_EQ(recovered->log.durable_lsn, last_lsn) << "nothing vouches for it";
    EXPECT_TRUE(recovered->log.warnings.empty());
    OpenLog::Options open;
    open.recovery = options;
    const auto log = OpenLog::Open(&copy_, open);
    ASSERT_TRUE(log.ok()) << log.status();
    EXPECT_EQ(*(*log)->Append({"more"}), last_lsn + 1);
  }

  MemoryDirectory original_;
  MemoryDirectory copy_;
  std::unique_ptr<OpenLog> log_;
};

TEST_F(CopyLogTest, OfAnEmptyLog) {
  ASSERT_TRUE(Copy(0).ok());
  ExpectCopyEndsWith(0);
}

TEST_F(CopyLogTest, EndsAtTheCutWhateverStandsBehindIt) {
  Append(20);
  log_->WaitIdle();
  Append(5);
  for (const Lsn last : {Lsn{1}, Lsn{19}, Lsn{20}, Lsn{25}}) {
    SCOPED_TRACE(last);
    const absl::Status status = Copy(last);
    ASSERT_TRUE(status.ok()) << status;
    ExpectCopyEndsWith(last);
    ClearCopy();
  }
}

TEST_F(CopyLogTest, OfSeveralSegmentsOneOfThemNotYetWritten) {
  Append(30, 30'000);
  ASSERT_GT(log_->segments().live_count(), 3u);
  ASSERT_TRUE(Copy(30).ok());
  ExpectCopyEndsWith(30);
}

TEST_F(CopyLogTest, BehindWhatWasRecycled) {
  Append(30, 30'000);
  ASSERT_TRUE(log_->writer().Recycle(20).ok());
  EXPECT_GT(log_->segments().live().front(), 1u);
  EXPECT_TRUE(absl::IsDataLoss(Copy(30, 0))) << "records are missing";
  ClearCopy();
  ASSERT_TRUE(Copy(30, 20).ok());
  ExpectCopyEndsWith(30, 20);
}

TEST_F(CopyLogTest, OfADamagedLogIsRefused) {
  Append(10);
  const std::string name = SegmentFileName(1);
  std::string bytes = original_.Contents(name);
  const PlacedGroup damaged = GroupsOf(&original_, 1)[4];
  bytes[damaged.offset + 200] ^= 1;
  original_.SetContents(name, bytes);
  const absl::Status status = Copy(10);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

TEST_F(CopyLogTest, PinsKeepSegmentsUntilTheLastOneIsGone) {
  Append(30, 30'000);
  const size_t before = log_->segments().live_count();
  log_->writer().Pin();
  log_->writer().Pin();
  ASSERT_TRUE(log_->writer().Recycle(20).ok());
  log_->writer().Unpin();
  EXPECT_EQ(log_->segments().live_count(), before);
  log_->writer().Unpin();
  EXPECT_LT(log_->segments().live_count(), before);
  EXPECT_GT(log_->segments().live_count(), 1u);
}

}  // namespace
}  // namespace engram::wal
