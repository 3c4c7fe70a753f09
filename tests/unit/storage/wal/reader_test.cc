#include "storage/wal/reader.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "log_harness.h"
#include "tests/support/damage.h"
#include "tests/support/memory_directory.h"

namespace engram::wal {
namespace {

using testing::FlipBit;
using testing::MemoryDirectory;

// Two records in each segment.
class ReaderTest : public ::testing::Test {
 protected:
  void Write(int groups) {
    written_ = WriteClosedLog(&directory_, groups, 100'000);
  }

  absl::Status RecoverStatus(RecoveryOptions options = {}) {
    return RecoverAll(&directory_, options).status();
  }

  MemoryDirectory directory_;
  std::vector<LoggedRecord> written_;
};

TEST_F(ReaderTest, AnEmptyFolderHoldsNoLog) {
  const auto recovered = RecoverAll(&directory_);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_FALSE(recovered->log.exists);
  EXPECT_EQ(recovered->log.position.next_lsn, 1u);
  EXPECT_EQ(recovered->log.position.next_segment, 1u);
}

TEST_F(ReaderTest, AMissingLogWhoseRecordsAreNeededIsDataLoss) {
  RecoveryOptions options;
  options.known_durable_lsn = 9;
  EXPECT_TRUE(absl::IsDataLoss(RecoverStatus(options)));
  options.low_water_lsn = 9;
  EXPECT_TRUE(RecoverStatus(options).ok());
}

TEST_F(ReaderTest, OtherFilesAreIgnored) {
  Write(3);
  directory_.SetContents("spare-4", "half a spare");
  directory_.SetContents("notes.txt", "x");
  EXPECT_EQ(RecoverAll(&directory_)->records, written_);
}

TEST_F(ReaderTest, DescribesEachSegment) {
  Write(5);
  const auto recovered = RecoverAll(&directory_);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->records, written_);
  const auto& segments = recovered->log.segments;
  ASSERT_EQ(segments.size(), 3u);
  for (size_t i = 0; i < segments.size(); ++i) {
    EXPECT_EQ(segments[i].number, i + 1);
    EXPECT_EQ(segments[i].first_lsn, 2 * i + 1);
    EXPECT_EQ(segments[i].last_lsn, i == 2 ? 5 : 2 * i + 2);
    EXPECT_EQ(segments[i].file_bytes, kSegmentBytes);
  }
  const LogPosition& position = recovered->log.position;
  EXPECT_EQ(position.next_segment, 4u);
  EXPECT_EQ(position.next_lsn, 6u);
  EXPECT_EQ(position.predecessor.number, 3u);
  EXPECT_EQ(position.predecessor.last_lsn, 5u);
  EXPECT_EQ(position.complete,
            (std::map<uint64_t, Lsn>{{1, 2}, {2, 4}, {3, 5}}));
}

TEST_F(ReaderTest, AnErrorOfTheVisitorEndsRecovery) {
  Write(3);
  RecoveryOptions options;
  options.database_id = kDatabase;
  int visits = 0;
  const absl::Status status =
      Recover(&directory_, options, [&](std::shared_ptr<const Group>) {
        ++visits;
        return absl::CancelledError("enough");
      }).status();
  EXPECT_TRUE(absl::IsCancelled(status));
  EXPECT_EQ(visits, 1);
}

TEST_F(ReaderTest, ASegmentOfAnotherDatabaseIsRefused) {
  Write(1);
  RecoveryOptions options;
  options.database_id = {{9, 9, 9}};
  const absl::Status status =
      Recover(&directory_, options, [](std::shared_ptr<const Group>) {
        return absl::OkStatus();
      }).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST_F(ReaderTest, ARenamedSegmentIsDataLoss) {
  Write(1);
  ASSERT_TRUE(directory_.Rename(SegmentFileName(1), SegmentFileName(2)).ok());
  EXPECT_TRUE(absl::IsDataLoss(RecoverStatus()));
}

// --- Missing segments --------------------------------------------------------

TEST_F(ReaderTest, AMissingMiddleSegmentIsDataLoss) {
  Write(7);
  ASSERT_TRUE(directory_.Remove(SegmentFileName(2)).ok());
  EXPECT_TRUE(absl::IsDataLoss(RecoverStatus())) << RecoverStatus();
}

TEST_F(ReaderTest, AMissingSuccessorOfASealedSegmentIsDataLoss) {
  Write(7);
  ASSERT_TRUE(directory_.Remove(SegmentFileName(4)).ok());
  const absl::Status status = RecoverStatus();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find("LSN 7"), absl::string_view::npos) << status;
}

TEST_F(ReaderTest, AMissingFirstSegmentIsDataLossUnlessItIsSaved) {
  Write(7);
  ASSERT_TRUE(directory_.Remove(SegmentFileName(1)).ok());
  RecoveryOptions options;
  options.low_water_lsn = 1;
  const absl::Status status = RecoverStatus(options);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find("LSN 2 to 2"), absl::string_view::npos)
      << status;
  options.low_water_lsn = 2;
  const auto recovered = RecoverAll(&directory_, options);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->records.front().lsn, 3u);
}

TEST_F(ReaderTest, ATruncatedSegmentIsDataLoss) {
  Write(7);
  for (const uint64_t number : {1, 2, 4}) {
    const std::string bytes = directory_.Contents(SegmentFileName(number));
    for (const size_t size : {0, 100, 4096, 8191, 8192, 100'000, 110'000}) {
      directory_.SetContents(SegmentFileName(number), bytes.substr(0, size));
      // What the last segment held is known only to the outside.
      RecoveryOptions options;
      options.known_durable_lsn = 7;
      EXPECT_TRUE(absl::IsDataLoss(RecoverStatus(options)))
          << number << " cut to " << size;
    }
    directory_.SetContents(SegmentFileName(number), bytes);
  }
  EXPECT_TRUE(RecoverStatus().ok());
}

// --- Headers -----------------------------------------------------------------

TEST_F(ReaderTest, OneDamagedHeaderCopyIsAWarning) {
  Write(3);
  const std::string bytes = directory_.Contents(SegmentFileName(1));
  for (size_t copy = 0; copy < 2; ++copy) {
    for (size_t byte = 0; byte < sizeof(schema::SegmentHeader); ++byte) {
      directory_.SetContents(SegmentFileName(1),
                             FlipBit(bytes, (copy * 4096 + byte) * 8 + 3));
      const auto recovered = RecoverAll(&directory_);
      ASSERT_TRUE(recovered.ok()) << recovered.status();
      ASSERT_EQ(recovered->records, written_);
      ASSERT_EQ(recovered->log.warnings.size(), 1u);
    }
  }
}

TEST_F(ReaderTest, TwoDamagedHeaderCopiesAreDataLoss) {
  Write(3);
  const std::string bytes = directory_.Contents(SegmentFileName(1));
  directory_.SetContents(SegmentFileName(1),
                         FlipBit(FlipBit(bytes, 100), 4096 * 8 + 100));
  EXPECT_TRUE(absl::IsDataLoss(RecoverStatus()));
}

}  // namespace
}  // namespace engram::wal
