#include "storage/wal/writer.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "log_harness.h"
#include "storage/io/posix_directory.h"
#include "tests/support/memory_directory.h"
#include "tests/support/temporary_directory.h"

namespace engram::wal {
namespace {

using testing::MemoryDirectory;

// (the queue, whether O_DIRECT is tried), on the real file system.
class WriterTest
    : public ::testing::TestWithParam<std::tuple<QueueChoice, bool>> {
 protected:
  void SetUp() override {
    const auto [queue, direct] = GetParam();
    if (queue == QueueChoice::kUring) {
      const auto probe = io::CreateUringQueue(-1);
      if (!probe.ok()) GTEST_SKIP() << "no io_uring here: " << probe.status();
    }
    auto directory = io::OpenPosixDirectory(root_.path(), false, direct);
    ASSERT_TRUE(directory.ok());
    directory_ = *std::move(directory);
    options_.queue = queue;
  }

  std::unique_ptr<OpenLog> Open() {
    auto log = OpenLog::Open(directory_.get(), options_);
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }

  const testing::TemporaryDirectory root_;
  std::unique_ptr<io::Directory> directory_;
  OpenLog::Options options_;
};

INSTANTIATE_TEST_SUITE_P(
    Backends, WriterTest,
    ::testing::Combine(::testing::Values(QueueChoice::kUring,
                                         QueueChoice::kPwrite),
                       ::testing::Bool()));

TEST_P(WriterTest, WhatWasAcknowledgedIsRecoveredInOrder) {
  std::vector<LoggedRecord> written;
  {
    const auto log = Open();
    for (int i = 0; i < 50; ++i) {
      const auto lsn = log->Append({absl::StrCat("a", i), "b"});
      ASSERT_TRUE(lsn.ok()) << lsn.status();
      EXPECT_EQ(*lsn, 2u * i + 2);
      EXPECT_EQ(log->writer().durable_lsn(), *lsn);
    }
    written = log->sink().records();
    EXPECT_EQ(written.size(), 100u);
    EXPECT_EQ(
        log->writer().GetStats().queue_name,
        std::get<0>(GetParam()) == QueueChoice::kUring ? "io_uring" : "pwrite");
  }
  const auto recovered = RecoverAll(directory_.get());
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->records, written);
  EXPECT_FALSE(recovered->log.clean_close);
  EXPECT_EQ(recovered->log.position.next_lsn, 101u);
}

// Lets one append through in two.
class EverySecond final : public AppendCondition {
 public:
  absl::Status Check() override {
    EXPECT_EQ(logged_lsn, 0u);
    return ++calls_ % 2 == 0 ? absl::OkStatus()
                             : absl::AlreadyExistsError("not this one");
  }
  void OnLogged(Lsn lsn) override { logged_lsn = lsn; }

  Lsn logged_lsn = 0;

 private:
  int calls_ = 0;
};

TEST_P(WriterTest, ARefusedConditionLogsNothing) {
  std::vector<LoggedRecord> written;
  {
    const auto log = Open();
    const std::string payload = "wanted";
    const schema::RecordDraft draft = DraftOf(payload);
    const auto drafts = absl::MakeConstSpan(&draft, 1);
    EverySecond condition;
    for (Lsn lsn = 1; lsn <= 20; ++lsn) {
      EXPECT_TRUE(absl::IsAlreadyExists(
          log->writer()
              .Append(drafts, kNoWait, Durability::kSync, nullptr, &condition)
              .status()));
      EXPECT_EQ(condition.logged_lsn, 0u);
      const auto appended = log->writer().Append(
          drafts, kNoWait, Durability::kSync, nullptr, &condition);
      ASSERT_TRUE(appended.ok()) << appended.status();
      EXPECT_EQ(*appended, lsn);
      EXPECT_EQ(std::exchange(condition.logged_lsn, 0), lsn);
    }
    EXPECT_TRUE(absl::IsAlreadyExists(
        log->writer()
            .AppendAsync(
                drafts, kNoWait, Durability::kSync,
                [](Lsn, const absl::Status&) { FAIL() << "is called"; },
                &condition)
            .status()));
    written = log->sink().records();
  }
  EXPECT_EQ(written.size(), 20u);
  const auto recovered = RecoverAll(directory_.get());
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->records, written);
}

TEST_P(WriterTest, ConcurrentAppendsAreContiguousAndSeenBeforeTheirAck) {
  constexpr int kThreads = 64;
  constexpr int kAppends = 30;
  std::vector<LoggedRecord> written;
  {
    const auto log = Open();
    std::vector<std::vector<LoggedRecord>> acknowledged(kThreads);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kAppends; ++i) {
          const std::string payload = absl::StrCat(t, "/", i);
          const auto lsn = log->Append({payload});
          ASSERT_TRUE(lsn.ok()) << lsn.status();
          EXPECT_GE(log->sink().last_lsn(), *lsn);
          EXPECT_GE(log->writer().durable_lsn(), *lsn);
          acknowledged[t].push_back({*lsn, payload});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& records : acknowledged) {
      written.insert(written.end(), records.begin(), records.end());
    }
    EXPECT_LT(log->writer().GetStats().groups, written.size());
  }
  std::sort(written.begin(), written.end(),
            [](const auto& a, const auto& b) { return a.lsn < b.lsn; });
  for (size_t i = 0; i < written.size(); ++i) EXPECT_EQ(written[i].lsn, i + 1);
  const auto recovered = RecoverAll(directory_.get());
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->records, written);
}

// Through several segments, with both durabilities and all sizes at once.
TEST_P(WriterTest, PipelinedAppendsAreRecoveredInTheOrderOfTheirCallbacks) {
  constexpr Lsn kAppends = 3000;
  std::vector<LoggedRecord> written;
  {
    const auto log = Open();
    std::atomic<Lsn> called{0};
    for (Lsn i = 1; i <= kAppends; ++i) {
      const std::string payload(i % 50 == 0 ? 40'000 : i * 7 % 900, 'p');
      const schema::RecordDraft draft = DraftOf(payload);
      const auto lsn = log->writer().AppendAsync(
          absl::MakeConstSpan(&draft, 1), kLongMicros,
          i % 3 == 0 ? Durability::kProcess : Durability::kSync,
          [&called, &log, i](Lsn acknowledged, const absl::Status& status) {
            ASSERT_TRUE(status.ok()) << status;
            EXPECT_EQ(acknowledged, i);
            EXPECT_EQ(called.exchange(i), i - 1);
            EXPECT_GE(log->sink().last_lsn(), i);
            if (i % 3 != 0) {
              EXPECT_GE(log->writer().durable_lsn(), i);
            }
          });
      ASSERT_TRUE(lsn.ok()) << lsn.status();
      EXPECT_EQ(*lsn, i);
    }
    EXPECT_TRUE(log->writer().Close().ok());
    EXPECT_EQ(called, kAppends);
    written = log->sink().records();
    EXPECT_GT(log->segments().live().size(), 3u);
  }
  const auto recovered = RecoverAll(directory_.get());
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->records, written);
  EXPECT_EQ(recovered->records.size(), kAppends);
  EXPECT_TRUE(recovered->log.clean_close);
}

TEST_P(WriterTest, RollsOverSegmentsAndGoesOnAfterReopening) {
  std::vector<LoggedRecord> written;
  for (int round = 0; round < 3; ++round) {
    const auto log = Open();
    EXPECT_EQ(log->recovered().records, written);
    for (int i = 0; i < 12; ++i) {
      ASSERT_TRUE(log->Append({std::string(60'000, 'a' + i)}).ok());
    }
    for (const LoggedRecord& record : log->sink().records()) {
      written.push_back(record);
    }
    EXPECT_GE(log->segments().live().size(), 3u * (round + 1));
    if (round == 1) {
      EXPECT_TRUE(log->writer().Close().ok());
    }
  }
  const auto recovered = RecoverAll(directory_.get());
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->records, written);
  EXPECT_TRUE(recovered->log.warnings.empty());
}

TEST_P(WriterTest, ReusedSegmentsShowNoStaleRecords) {
  constexpr int kReuses = 200;
  const auto log = Open();
  Lsn low_water = 0;
  // Each append takes more than half of a segment.
  for (int i = 0; i < kReuses; ++i) {
    const auto lsn = log->Append({std::string(140'000, 'a' + i % 26)});
    ASSERT_TRUE(lsn.ok()) << lsn.status();
    low_water = *lsn - 1;
    ASSERT_TRUE(log->writer().Recycle(low_water).ok());
  }
  EXPECT_LE(directory_->List()->size(), 6u);
  RecoveryOptions options;
  options.low_water_lsn = low_water;
  const auto recovered = RecoverAll(directory_.get(), options);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  ASSERT_EQ(recovered->records.size(), 1u);
  EXPECT_EQ(recovered->records[0].lsn, static_cast<Lsn>(kReuses));
  EXPECT_TRUE(recovered->log.warnings.empty());
}

// --- On a disk in memory -----------------------------------------------------

std::unique_ptr<OpenLog> OpenOn(MemoryDirectory* directory) {
  auto log = OpenLog::Open(directory);
  EXPECT_TRUE(log.ok()) << log.status();
  return *std::move(log);
}

TEST(WriterMemoryTest, AnIdleLogSaysSo) {
  MemoryDirectory directory;
  const auto log = OpenOn(&directory);
  ASSERT_TRUE(log->Append({"a"}).ok());
  log->WaitIdle();
  const auto groups = GroupsOf(&directory, 1);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[1].header.durable_lsn, 1u);
  EXPECT_EQ(groups[1].header.first_lsn, 2u);
}

TEST(WriterMemoryTest, CloseIsRecordedAndRefusesAppends) {
  MemoryDirectory directory;
  {
    const auto log = OpenOn(&directory);
    ASSERT_TRUE(log->Append({"a"}).ok());
    EXPECT_TRUE(log->writer().Close().ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(log->Append({"b"}).status()));
    EXPECT_TRUE(log->writer().WaitDurable(1).ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(log->writer().WaitDurable(2)));
    EXPECT_TRUE(log->writer().Close().ok());
  }
  const auto recovered = RecoverAll(&directory);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_TRUE(recovered->log.clean_close);
  EXPECT_EQ(recovered->records.size(), 1u);
}

TEST(WriterMemoryTest, AnAppendLargerThanASegmentIsRefused) {
  MemoryDirectory directory;
  const auto log = OpenOn(&directory);
  const size_t overhead = schema::RecordBytes(DraftOf(""));
  const size_t largest = log->writer().record_bytes_max() - overhead;
  const std::string fits(largest / 8 * 8, 'x');
  EXPECT_TRUE(log->Append({fits}).ok());
  EXPECT_TRUE(
      absl::IsInvalidArgument(log->Append({fits + "12345678"}).status()));
  EXPECT_EQ(log->writer().last_lsn(), 1u);
  EXPECT_TRUE(log->Append({fits}).ok());
  EXPECT_TRUE(log->writer().Close().ok());
  EXPECT_EQ(RecoverAll(&directory)->records.size(), 2u);
}

// Else damage in the last group of a full segment would look like a torn tail.
TEST(WriterMemoryTest, AFullSegmentStillHasRoomForItsMarker) {
  MemoryDirectory directory;
  const auto log = OpenOn(&directory);
  // Without another segment, drops of spaces may fill the last one up.
  directory.SetFault([](const testing::DiskOperation& operation, uint64_t*) {
    return operation.kind == testing::DiskOperation::Kind::kCreate
               ? absl::ResourceExhaustedError("no space left")
               : absl::OkStatus();
  });
  const std::string payload(140'000, 'x');
  while (log->Append({payload}, 0).ok()) {
  }
  schema::RecordDraft drop;
  drop.type = schema::RecordType::kDropSpace;
  drop.space_id = 1;
  absl::Status refused;
  while (refused.ok()) refused = log->writer().Append({drop}, 0).status();
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  const uint64_t segment = log->writer().GetStats().current_segment;
  ASSERT_TRUE(log->writer().Close().ok());
  const auto groups = GroupsOf(&directory, segment);
  ASSERT_GE(groups.size(), 2u);
  EXPECT_TRUE(groups.back().marker);
  EXPECT_EQ(groups.back().offset, kSegmentBytes - 2 * schema::kWalBlockBytes);
}

TEST(WriterMemoryTest, NoBlockThatHoldsRecordsIsWrittenAgain) {
  MemoryDirectory directory;
  std::set<std::pair<std::string, uint64_t>> blocks;
  directory.SetFault([&](const testing::DiskOperation& operation, uint64_t*) {
    if (operation.kind == testing::DiskOperation::Kind::kRename) {
      blocks.clear();  // the segment's header was written under another name
    }
    if (operation.kind == testing::DiskOperation::Kind::kWrite &&
        operation.offset >= schema::kGroupsOffset) {
      for (uint64_t at = 0; at < operation.bytes; at += 4096) {
        EXPECT_TRUE(
            blocks.emplace(operation.name, operation.offset + at).second);
      }
    }
    return absl::OkStatus();
  });
  const auto log = OpenOn(&directory);
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(log->Append({std::string(1000 * (i % 7), 'x')}).ok());
  }
  EXPECT_TRUE(log->writer().Close().ok());
}

TEST(WriterMemoryTest, WaitDurableWaitsForTheAppend) {
  MemoryDirectory directory;
  const auto log = OpenOn(&directory);
  std::thread appender([&] { EXPECT_TRUE(log->Append({"a"}).ok()); });
  EXPECT_TRUE(log->writer().WaitDurable(1).ok());
  EXPECT_GE(log->writer().durable_lsn(), 1u);
  appender.join();
}

TEST(WriterMemoryTest, RecycleKeepsWhatIsAboveTheLowWaterMark) {
  MemoryDirectory directory;
  const auto log = OpenOn(&directory);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(log->Append({std::string(140'000, 'x')}).ok());
  }
  EXPECT_EQ(log->segments().live(), (std::vector<uint64_t>{1, 2, 3, 4, 5}));
  ASSERT_TRUE(log->writer().Recycle(0).ok());
  EXPECT_EQ(log->segments().live().size(), 5u);
  ASSERT_TRUE(log->writer().Recycle(2).ok());
  EXPECT_EQ(log->segments().live(), (std::vector<uint64_t>{3, 4, 5}));
  // The current segment stays, whatever is saved.
  ASSERT_TRUE(log->writer().Recycle(5).ok());
  EXPECT_EQ(log->segments().live(), std::vector<uint64_t>{5});
}

// A hole in the chain would look like loss after a restart.
TEST(WriterMemoryTest, AFailedRecycleLeavesNoHole) {
  MemoryDirectory directory;
  {
    const auto log = OpenOn(&directory);
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(log->Append({std::string(140'000, 'x')}).ok());
    }
    int failures = 1;
    directory.SetFault(
        [&failures](const testing::DiskOperation& operation, uint64_t*) {
          const bool first = operation.name == SegmentFileName(1);
          return first && failures-- > 0 ? absl::InternalError("broken")
                                         : absl::OkStatus();
        });
    EXPECT_FALSE(log->writer().Recycle(1).ok());
    EXPECT_TRUE(log->writer().Recycle(3).ok());
    EXPECT_EQ(log->segments().live(), (std::vector<uint64_t>{4, 5}));
  }
  RecoveryOptions options;
  options.low_water_lsn = 3;
  const auto recovered = RecoverAll(&directory, options);
  EXPECT_TRUE(recovered.ok()) << recovered.status();
}

}  // namespace
}  // namespace engram::wal
