#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "log_harness.h"
#include "storage/wal/writer.h"
#include "tests/support/memory_directory.h"

namespace engram::wal {
namespace {

using testing::DiskOperation;
using testing::MemoryDirectory;
using Kind = DiskOperation::Kind;

bool IsSegment(const DiskOperation& operation) {
  return SegmentFileNumber(operation.name) != 0;
}

class WriterFaultTest : public ::testing::Test {
 protected:
  void Open() {
    auto log = OpenLog::Open(&directory_);
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    ASSERT_TRUE(log_->segments().WaitReady(2, kLongMicros).ok());
  }

  // The next operation of this kind on a segment fails, later ones do not.
  void FailOnce(Kind kind, uint64_t bytes_kept = 0) {
    directory_.SetFault(
        [this, kind, bytes_kept, armed = true](const DiskOperation& operation,
                                               uint64_t* kept) mutable {
          if (!IsSegment(operation)) return absl::OkStatus();
          ++operations_;
          if (!armed || operation.kind != kind) return absl::OkStatus();
          armed = false;
          operations_ = 0;
          *kept = bytes_kept;
          return absl::UnknownError("input/output error");
        });
  }

  MemoryDirectory directory_;
  std::atomic<int> operations_{0};
  std::unique_ptr<OpenLog> log_;
};

class WriterFinalErrorTest : public WriterFaultTest,
                             public ::testing::WithParamInterface<Kind> {};

INSTANTIATE_TEST_SUITE_P(WriteAndSync, WriterFinalErrorTest,
                         ::testing::Values(Kind::kWrite, Kind::kSync));

TEST_P(WriterFinalErrorTest, NothingIsAcknowledgedAfterIt) {
  Open();
  ASSERT_TRUE(log_->Append({"before"}).ok());
  log_->WaitIdle();
  FailOnce(GetParam());
  const absl::Status first = log_->Append({"lost"}).status();
  EXPECT_EQ(first, absl::InternalError("the log has failed, reopen the "
                                       "database: input/output error"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(log_->Append({"after"}).status(), first);
  }
  EXPECT_EQ(log_->writer().WaitDurable(2), first);
  EXPECT_EQ(log_->writer().Close(), first);
  EXPECT_EQ(log_->writer().GetStats().status, first);
  EXPECT_EQ(log_->writer().durable_lsn(), 1u);
  EXPECT_EQ(log_->sink().last_lsn(), 1u);
  EXPECT_EQ(operations_, 0) << "the failed operation was tried again";
}

TEST_P(WriterFinalErrorTest, WhatWasAcknowledgedBeforeItIsRecovered) {
  Open();
  ASSERT_TRUE(log_->Append({"before"}).ok());
  log_->WaitIdle();
  FailOnce(GetParam(), 2000);
  EXPECT_FALSE(log_->Append({std::string(9000, 'x')}).ok());
  log_.reset();
  directory_.SetFault(nullptr);
  directory_.LosePower();
  Open();
  ASSERT_EQ(log_->recovered().records.size(), 1u);
  EXPECT_EQ(log_->recovered().records[0].payload, "before");
  EXPECT_TRUE(log_->Append({"again"}).ok());
}

TEST_P(WriterFinalErrorTest, AllWhoWaitAreTold) {
  Open();
  FailOnce(GetParam());
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      if (!log_->Append({"x"}).ok()) ++failed;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 16);
  EXPECT_EQ(log_->sink().last_lsn(), 0u);
}

TEST_P(WriterFinalErrorTest, AnIdleMarkerThatFailsFailsTheLog) {
  Open();
  FailOnce(GetParam());
  directory_.SetFault([kind = GetParam(), writes = 0](
                          const DiskOperation& operation, uint64_t*) mutable {
    if (!IsSegment(operation) || operation.kind != kind) {
      return absl::OkStatus();
    }
    return ++writes == 2 ? absl::UnknownError("input/output error")
                         : absl::OkStatus();
  });
  ASSERT_TRUE(log_->Append({"a"}).ok());
  EXPECT_FALSE(log_->writer().WaitDurable(2).ok());
  EXPECT_FALSE(log_->Append({"b"}).ok());
}

// Each step of taking the next segment and sealing the last fails once.
TEST_F(WriterFaultTest, AFailedRollLosesNothingThatWasAcknowledged) {
  for (int failing = 0; failing < 6; ++failing) {
    MemoryDirectory directory;
    auto log = OpenLog::Open(&directory);
    ASSERT_TRUE(log.ok());
    ASSERT_TRUE((*log)->Append({std::string(140'000, 'a')}).ok());
    (*log)->WaitIdle();
    ASSERT_TRUE((*log)->segments().WaitReady(2, kLongMicros).ok());
    directory.SetFault([failing, seen = 0](const DiskOperation& operation,
                                           uint64_t* kept) mutable {
      if (operation.kind == Kind::kCreate) return absl::OkStatus();
      *kept = 100;
      return seen++ == failing ? absl::UnknownError("input/output error")
                               : absl::OkStatus();
    });
    EXPECT_FALSE((*log)->Append({std::string(140'000, 'b')}).ok()) << failing;
    EXPECT_FALSE((*log)->Append({"c"}).ok());
    log->reset();
    directory.SetFault(nullptr);
    for (const bool power_lost : {false, true}) {
      if (power_lost) directory.LosePower();
      const auto recovered = RecoverAll(&directory);
      ASSERT_TRUE(recovered.ok()) << failing << ": " << recovered.status();
      ASSERT_EQ(recovered->records.size(), 1u);
      EXPECT_EQ(recovered->records[0].payload[0], 'a');
    }
  }
}

TEST_F(WriterFaultTest, AFullDiskRefusesBeforeAnythingIsLogged) {
  Open();
  directory_.SetFault([](const DiskOperation& operation, uint64_t*) {
    return operation.kind == Kind::kCreate
               ? absl::ResourceExhaustedError("no space left")
               : absl::OkStatus();
  });
  const std::string payload(140'000, 'x');
  Lsn acknowledged = 0;
  absl::Status refused;
  while (refused.ok()) {
    const auto lsn = log_->Append({payload}, kNoWait);
    if (lsn.ok()) acknowledged = *lsn;
    refused = lsn.status();
    ASSERT_LT(acknowledged, 10u);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_EQ(acknowledged, 3u);  // the first segment and two spares
  EXPECT_EQ(log_->writer().last_lsn(), acknowledged);
  EXPECT_TRUE(
      absl::IsResourceExhausted(log_->Append({payload}, 20'000).status()));
  // What fits in the segment is still taken, and the log is not broken.
  EXPECT_TRUE(log_->Append({"small"}, kNoWait).ok());
  directory_.SetFault(nullptr);
  EXPECT_TRUE(log_->Append({payload}, kLongMicros).ok());
  EXPECT_TRUE(log_->writer().Close().ok());
  EXPECT_EQ(RecoverAll(&directory_)->records.size(), 5u);
}

TEST_F(WriterFaultTest, OpeningOnAFullDiskFails) {
  directory_.SetFault([](const DiskOperation& operation, uint64_t*) {
    return operation.kind == Kind::kCreate
               ? absl::ResourceExhaustedError("no space left")
               : absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsResourceExhausted(OpenLog::Open(&directory_).status()));
}

}  // namespace
}  // namespace engram::wal
