// Rot: bits that change in a log that was synced.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "log_harness.h"
#include "tests/support/damage.h"
#include "tests/support/memory_directory.h"

namespace engram::wal {
namespace {

using testing::FlipBit;
using testing::MemoryDirectory;

// Whether a message ends with a range of LSNs that holds `lsn`.
bool NamesLsn(const absl::Status& status, Lsn lsn) {
  const std::string message(status.message());
  const size_t at = message.find("LSN ");
  unsigned long long first = 0, last = 0;
  return at != std::string::npos &&
         std::sscanf(message.c_str() + at, "LSN %llu to %llu", &first, &last) ==
             2 &&
         first <= lsn && lsn <= last;
}

class ReaderDamageTest : public ::testing::Test {
 protected:
  // Some segments, closed, so that every record is vouched for.
  void SetUp() override {
    written_ = WriteClosedLog(&directory_, 150, 5000);
    for (uint64_t number = 1;; ++number) {
      const std::string name = SegmentFileName(number);
      if (!directory_.Open(name, io::OpenMode::kRead).ok()) break;
      segments_.push_back(directory_.Contents(name));
      groups_.push_back(GroupsOf(&directory_, number));
    }
    ASSERT_GE(segments_.size(), 3u);
  }

  absl::StatusOr<Recovered> RecoverWithFlip(size_t segment, size_t bit,
                                            RecoveryOptions options = {}) {
    const std::string name = SegmentFileName(segment + 1);
    directory_.SetContents(name, FlipBit(segments_[segment], bit));
    auto recovered = RecoverAll(&directory_, options);
    directory_.SetContents(name, segments_[segment]);
    return recovered;
  }

  void ExpectDataLoss(size_t segment, const PlacedGroup& group, size_t bit) {
    const absl::Status status = RecoverWithFlip(segment, bit).status();
    ASSERT_TRUE(absl::IsDataLoss(status))
        << "segment " << segment << " bit " << bit << ": " << status;
    ASSERT_TRUE(NamesLsn(status, group.header.first_lsn)) << status;
    ASSERT_NE(status.message().find(SegmentFileName(segment + 1)),
              absl::string_view::npos)
        << status;
  }

  MemoryDirectory directory_;
  std::vector<LoggedRecord> written_;
  std::vector<std::string> segments_;
  std::vector<std::vector<PlacedGroup>> groups_;
};

TEST_F(ReaderDamageTest, ABitInEachPercentOfTheLogIsDataLossWithItsLsns) {
  uint64_t total = 0;
  for (const auto& groups : groups_) {
    for (const PlacedGroup& group : groups) {
      if (!group.marker) total += group.bytes;
    }
  }
  // A prime number of steps, so that bits in all places are hit.
  const uint64_t step = total / 211 * 8 + 1;
  uint64_t bit = 0;
  int flips = 0;
  for (size_t segment = 0; segment < segments_.size(); ++segment) {
    for (const PlacedGroup& group : groups_[segment]) {
      if (group.marker) continue;
      for (; bit < group.bytes * 8; bit += step) {
        ExpectDataLoss(segment, group, group.offset * 8 + bit);
        ++flips;
      }
      bit -= group.bytes * 8;
    }
  }
  EXPECT_GE(flips, 200);
}

TEST_F(ReaderDamageTest, ASegmentThatIsShorterThanItWasMadeIsDataLoss) {
  const size_t last = segments_.size() - 1;
  const std::string name = SegmentFileName(last + 1);
  for (const size_t bytes : {segments_[last].size() - 1,
                             segments_[last].size() / 2, size_t{20'000}}) {
    directory_.SetContents(name, segments_[last].substr(0, bytes));
    const absl::Status status = RecoverAll(&directory_, {}).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << bytes << ": " << status;
    EXPECT_NE(status.message().find("truncated"), absl::string_view::npos);
  }
}

TEST_F(ReaderDamageTest, ABitInEachHeaderFieldIsDataLossWithItsLsns) {
  for (size_t segment = 0; segment < segments_.size(); ++segment) {
    for (const PlacedGroup& group : groups_[segment]) {
      if (group.marker) continue;
      const size_t group_header = group.offset;
      for (size_t byte = 0; byte < sizeof(schema::GroupHeader); byte += 4) {
        ExpectDataLoss(segment, group, (group_header + byte) * 8 + 1);
      }
      const size_t record = group_header + sizeof(schema::GroupHeader);
      for (size_t byte = 0; byte < sizeof(schema::RecordHeader); byte += 7) {
        ExpectDataLoss(segment, group, (record + byte) * 8 + 6);
      }
    }
  }
}

TEST_F(ReaderDamageTest, PaddingAndPayloadAreGuardedAsWell) {
  for (const size_t segment : {size_t{0}, segments_.size() - 1}) {
    const PlacedGroup& group = groups_[segment].front();
    for (size_t byte = 0; byte < group.bytes; byte += 5) {
      ExpectDataLoss(segment, group, (group.offset + byte) * 8 + byte % 8);
    }
  }
}

TEST_F(ReaderDamageTest, DamageBelowTheLowWaterMarkIsAWarning) {
  // An idle marker may stand between any two groups on a slow machine.
  size_t index = 1;
  while (groups_[1][index].marker) ++index;
  const PlacedGroup& group = groups_[1][index];
  RecoveryOptions options;
  options.low_water_lsn = group.header.first_lsn;
  const auto recovered = RecoverWithFlip(1, (group.offset + 100) * 8, options);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->log.warnings.size(), 1u);
  EXPECT_EQ(recovered->records.size(), written_.size() - 1);
  EXPECT_EQ(recovered->records.back(), written_.back());
  EXPECT_EQ(recovered->log.position.next_lsn, written_.back().lsn + 1);

  options.low_water_lsn = group.header.first_lsn - 1;
  EXPECT_TRUE(absl::IsDataLoss(
      RecoverWithFlip(1, (group.offset + 100) * 8, options).status()));
}

TEST_F(ReaderDamageTest, ASavedLastGroupOfASegmentIsAWarning) {
  for (const size_t segment : {size_t{1}, segments_.size() - 1}) {
    const PlacedGroup* last = nullptr;
    for (const PlacedGroup& group : groups_[segment]) {
      if (!group.marker) last = &group;
    }
    RecoveryOptions options;
    options.low_water_lsn = last->header.first_lsn;
    const auto recovered =
        RecoverWithFlip(segment, (last->offset + 64) * 8, options);
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    EXPECT_EQ(recovered->log.warnings.size(), 1u);
    EXPECT_EQ(recovered->log.position.next_lsn, written_.back().lsn + 1);
  }
}

TEST_F(ReaderDamageTest, KnownDurableRecordsAreGuardedWithoutAnyMarker) {
  const size_t segment = segments_.size() - 1;
  const PlacedGroup* last = nullptr;
  for (const PlacedGroup& group : groups_[segment]) {
    if (!group.marker) last = &group;
  }
  // Only the last group and what follows it is gone.
  std::string bytes = segments_[segment];
  std::fill(bytes.begin() + static_cast<ptrdiff_t>(last->offset), bytes.end(),
            '\0');
  directory_.SetContents(SegmentFileName(segment + 1), bytes);
  EXPECT_TRUE(RecoverAll(&directory_).ok());
  RecoveryOptions options;
  options.known_durable_lsn = last->header.first_lsn;
  const absl::Status status = RecoverAll(&directory_, options).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_TRUE(NamesLsn(status, last->header.first_lsn)) << status;
}

// An intact group of the same epoch and the same LSNs that is not the one that
// was written, as after a write that went to the wrong place.
TEST_F(ReaderDamageTest, AnotherIntactGroupInACompleteSegmentIsDataLoss) {
  size_t index = 1;
  while (groups_[0][index].marker) ++index;
  const PlacedGroup& replaced = groups_[0][index];
  Group other(replaced.header.record_bytes);
  std::string payload = written_[replaced.header.first_lsn - 1].payload;
  payload[0] = '?';
  other.Add(DraftOf(payload), replaced.header.first_lsn);
  other.Seal(replaced.header.epoch, replaced.header.sequence,
             replaced.header.durable_lsn);
  ASSERT_EQ(other.bytes().size(), replaced.bytes);
  std::string bytes = segments_[0];
  bytes.replace(replaced.offset, replaced.bytes, other.bytes().data(),
                replaced.bytes);
  directory_.SetContents(SegmentFileName(1), bytes);
  const absl::Status status = RecoverAll(&directory_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

// --- Markers -----------------------------------------------------------------

TEST(ReaderMarkerTest, ADamagedMarkerIsOnlyAWarning) {
  MemoryDirectory directory;
  {
    auto log = OpenLog::Open(&directory);
    ASSERT_TRUE(log.ok());
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE((*log)->Append({absl::StrCat(i)}).ok());
      (*log)->WaitIdle();
    }
  }
  const std::string name = SegmentFileName(1);
  const std::string bytes = directory.Contents(name);
  const auto groups = GroupsOf(&directory, 1);
  ASSERT_EQ(groups.size(), 6u);
  for (const size_t marker : {1, 3, 5}) {
    ASSERT_TRUE(groups[marker].marker);
    for (const size_t byte : {0, 20, 59, 70, 4000}) {
      directory.SetContents(name,
                            FlipBit(bytes, (groups[marker].offset + byte) * 8));
      const auto recovered = RecoverAll(&directory);
      ASSERT_TRUE(recovered.ok()) << recovered.status();
      EXPECT_EQ(recovered->records.size(), 3u);
      // Behind the last one nothing tells it from a torn one.
      EXPECT_EQ(recovered->log.warnings.size(), marker == 5 ? 0u : 1u);
      EXPECT_EQ(recovered->log.position.next_lsn, 4u);
    }
  }
  // The log goes on behind a damaged marker, and stays readable.
  directory.SetContents(name, FlipBit(bytes, groups[3].offset * 8));
  for (int round = 0; round < 3; ++round) {
    auto log = OpenLog::Open(&directory);
    ASSERT_TRUE(log.ok()) << log.status();
    EXPECT_EQ((*log)->recovered().records.size(), 3u + round);
    ASSERT_TRUE((*log)->Append({"more"}).ok());
  }
}

TEST(ReaderMarkerTest, ADamagedMarkerAtTheEndOfACompleteSegmentIsAWarning) {
  MemoryDirectory directory;
  for (int round = 0; round < 2; ++round) {
    auto log = OpenLog::Open(&directory);
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_TRUE((*log)->Append({"a"}).ok());
    ASSERT_TRUE((*log)->writer().Close().ok());
  }
  const auto groups = GroupsOf(&directory, 1);
  ASSERT_GE(groups.size(), 3u);  // record, close, seal
  directory.SetContents(SegmentFileName(1),
                        FlipBit(directory.Contents(SegmentFileName(1)),
                                (groups[groups.size() - 2].offset + 5) * 8));
  const auto recovered = RecoverAll(&directory);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->records.size(), 2u);
  EXPECT_EQ(recovered->log.warnings.size(), 1u);
}

}  // namespace
}  // namespace engram::wal
