// Going on in the next segment before this one is full.

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "log_harness.h"
#include "storage/base/clock.h"
#include "tests/support/memory_directory.h"

namespace engram::wal {
namespace {

using testing::DiskOperation;
using testing::MemoryDirectory;

std::unique_ptr<OpenLog> OpenIt(MemoryDirectory* directory,
                                uint64_t segments_max = 1000) {
  OpenLog::Options options;
  options.segments_max = segments_max;
  auto log = OpenLog::Open(directory, options);
  EXPECT_TRUE(log.ok()) << log.status();
  return *std::move(log);
}

TEST(RollTest, ASegmentEndsWhereAnIdleLogWasAskedTo) {
  MemoryDirectory directory;
  std::unique_ptr<OpenLog> log = OpenIt(&directory);
  ASSERT_TRUE(log->Append({"a"}).ok());
  log->WaitIdle();
  const uint64_t first = log->segments().live().back();
  const absl::StatusOr<uint64_t> next = log->writer().Roll(kLongMicros);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(*next, first + 1);
  EXPECT_EQ(log->segments().live(), (std::vector<uint64_t>{first, first + 1}));
  ASSERT_TRUE(log->Append({"b"}).ok());
  // What was there before can be given back, and just that.
  ASSERT_TRUE(log->writer().Recycle(1).ok());
  EXPECT_EQ(log->segments().live(), (std::vector<uint64_t>{first + 1}));
}

TEST(RollTest, SegmentsWithoutRecordsAreRecovered) {
  MemoryDirectory directory;
  {
    std::unique_ptr<OpenLog> log = OpenIt(&directory);
    ASSERT_TRUE(log->Append({"a"}).ok());
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(log->writer().Roll(kLongMicros).ok());
    }
    ASSERT_TRUE(log->Append({"b"}).ok());
    ASSERT_TRUE(log->writer().Roll(kLongMicros).ok());
  }
  directory.LosePower();
  const std::unique_ptr<OpenLog> log = OpenIt(&directory);
  EXPECT_EQ(log->recovered().records,
            (std::vector<LoggedRecord>{{1, "a"}, {2, "b"}}));
}

TEST(RollTest, AppendsGoOnMeanwhile) {
  constexpr int kThreads = 3;
  constexpr int kRolls = 20;
  MemoryDirectory directory;
  std::vector<Lsn> last(kThreads);
  {
    std::unique_ptr<OpenLog> log = OpenIt(&directory);
    std::atomic<bool> done = false;
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        while (!done) {
          const absl::StatusOr<Lsn> lsn = log->Append({absl::StrCat(t)});
          ASSERT_TRUE(lsn.ok()) << lsn.status();
          last[t] = *lsn;
        }
      });
    }
    for (int i = 0; i < kRolls; ++i) {
      const Lsn before = log->writer().durable_lsn();
      const absl::StatusOr<uint64_t> next = log->writer().Roll(kLongMicros);
      ASSERT_TRUE(next.ok()) << next.status();
      // What was durable before stands in the segments before.
      const auto groups = GroupsOf(&directory, *next);
      if (groups.empty()) continue;
      EXPECT_GT(groups[0].header.first_lsn, before);
    }
    done = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_GT(log->segments().live().back(), uint64_t{kRolls});
  }
  directory.LosePower();
  const std::unique_ptr<OpenLog> log = OpenIt(&directory);
  const std::vector<LoggedRecord>& records = log->recovered().records;
  ASSERT_FALSE(records.empty());
  for (const Lsn lsn : last) EXPECT_LE(lsn, records.back().lsn);
}

TEST(RollTest, WithoutRoomForASegmentItSaysSo) {
  MemoryDirectory directory;
  std::unique_ptr<OpenLog> log = OpenIt(&directory, 1);
  ASSERT_TRUE(log->Append({"a"}).ok());
  const absl::Status status = log->writer().Roll(kNoWait).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_TRUE(log->Append({"b"}).ok());
}

TEST(RollTest, AFailureIsTheLogs) {
  MemoryDirectory directory;
  std::unique_ptr<OpenLog> log = OpenIt(&directory);
  ASSERT_TRUE(log->Append({"a"}).ok());
  log->WaitIdle();
  ASSERT_TRUE(log->segments().WaitReady(2, kLongMicros).ok());
  directory.SetFault([](const DiskOperation& operation, uint64_t*) {
    return operation.kind == DiskOperation::Kind::kRename
               ? absl::InternalError("bad block")
               : absl::OkStatus();
  });
  const absl::Status status = log->writer().Roll(kLongMicros).status();
  EXPECT_NE(status.message().find("bad block"), absl::string_view::npos)
      << status;
  EXPECT_FALSE(log->Append({"b"}).ok());
  EXPECT_FALSE(log->writer().Roll(kLongMicros).ok());
}

}  // namespace
}  // namespace engram::wal
