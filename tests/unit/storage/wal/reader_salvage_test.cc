// Salvage: what is kept of a damaged log, and what is said of the rest.

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "log_harness.h"
#include "tests/support/damage.h"
#include "tests/support/memory_directory.h"

namespace engram::wal {
namespace {

using testing::FlipBit;
using ::testing::HasSubstr;
using testing::MemoryDirectory;

std::string MessageOf(const absl::Status& status) {
  return std::string(status.message());
}

class SalvageTest : public ::testing::Test {
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

  static RecoveryOptions Salvaging() {
    RecoveryOptions options;
    options.salvage = true;
    return options;
  }

  void SetSegment(size_t segment, std::string bytes) {
    directory_.SetContents(SegmentFileName(segment + 1), std::move(bytes));
  }

  std::vector<LoggedRecord> Without(const std::set<Lsn>& lost) const {
    std::vector<LoggedRecord> kept;
    for (const LoggedRecord& record : written_) {
      if (lost.count(record.lsn) == 0) kept.push_back(record);
    }
    return kept;
  }

  // Everything but the damaged group is kept, and that one is named.
  void ExpectOnlyGroupLost(size_t segment, const PlacedGroup& group,
                           size_t bit) {
    SetSegment(segment, FlipBit(segments_[segment], bit));
    const auto recovered = RecoverAll(&directory_, Salvaging());
    SetSegment(segment, segments_[segment]);
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    const Lsn lsn = group.header.first_lsn;
    ASSERT_EQ(recovered->records, Without({lsn})) << "bit " << bit;
    ASSERT_EQ(recovered->log.losses.size(), 1u) << "bit " << bit;
    const LogLoss& loss = recovered->log.losses[0];
    ASSERT_EQ(loss.first_lsn, lsn);
    ASSERT_EQ(loss.last_lsn, lsn);
    ASSERT_EQ(loss.offset, group.offset);
    ASSERT_FALSE(loss.open_ended);
    ASSERT_EQ(recovered->log.position.next_lsn, written_.back().lsn + 1);
    ASSERT_LE(loss.records.size(), 1u);
    for (const LostRecord& record : loss.records) {
      ASSERT_EQ(record.lsn, lsn);
      named_ += record.space_id == 1 && record.id == "id";
      intact_ += record.intact;
    }
  }

  MemoryDirectory directory_;
  std::vector<LoggedRecord> written_;
  std::vector<std::string> segments_;
  std::vector<std::vector<PlacedGroup>> groups_;
  int named_ = 0;
  int intact_ = 0;
};

TEST_F(SalvageTest, ABitInEachPercentCostsItsGroupAlone) {
  uint64_t total = 0;
  for (const auto& groups : groups_) {
    for (const PlacedGroup& group : groups) {
      if (!group.marker) total += group.bytes;
    }
  }
  const uint64_t step = total / 101 * 8 + 1;
  uint64_t bit = 0;
  int flips = 0;
  for (size_t segment = 0; segment < segments_.size(); ++segment) {
    for (const PlacedGroup& group : groups_[segment]) {
      if (group.marker) continue;
      for (; bit < group.bytes * 8; bit += step) {
        ExpectOnlyGroupLost(segment, group, group.offset * 8 + bit);
        ++flips;
      }
      bit -= group.bytes * 8;
    }
  }
  EXPECT_GE(flips, 100);
  // Most bits are those of vectors and payloads: whose record it is stands
  // there still, and where the padding was hit the record itself is intact.
  EXPECT_GE(named_, flips * 9 / 10);
  EXPECT_GT(intact_, 0);
  EXPECT_LT(intact_, flips);
}

TEST_F(SalvageTest, ABitInEachHeaderFieldCostsItsGroupAlone) {
  for (size_t segment = 0; segment < segments_.size(); ++segment) {
    const PlacedGroup* last = nullptr;
    for (const PlacedGroup& group : groups_[segment]) {
      if (!group.marker) last = &group;
    }
    const PlacedGroup* first = &groups_[segment].front();
    for (const PlacedGroup* group : {first, last}) {
      if (group->marker) continue;
      for (size_t byte = 0; byte < sizeof(schema::GroupHeader); byte += 2) {
        ExpectOnlyGroupLost(segment, *group, (group->offset + byte) * 8 + 1);
      }
      const size_t record = group->offset + sizeof(schema::GroupHeader);
      for (size_t byte = 0; byte < sizeof(schema::RecordHeader); byte += 2) {
        ExpectOnlyGroupLost(segment, *group, (record + byte) * 8 + 6);
      }
    }
  }
}

TEST_F(SalvageTest, SeveralDamagedGroupsAreListedEach) {
  std::set<Lsn> lost;
  for (size_t segment = 0; segment < segments_.size(); ++segment) {
    std::string bytes = segments_[segment];
    int group = 0;
    for (const PlacedGroup& placed : groups_[segment]) {
      if (placed.marker || ++group % 4 != 0) continue;
      bytes = FlipBit(std::move(bytes), (placed.offset + 3000) * 8);
      lost.insert(placed.header.first_lsn);
    }
    SetSegment(segment, bytes);
  }
  const auto recovered = RecoverAll(&directory_, Salvaging());
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->records, Without(lost));
  std::set<Lsn> listed;
  for (const LogLoss& loss : recovered->log.losses) {
    EXPECT_EQ(loss.first_lsn, loss.last_lsn);
    listed.insert(loss.first_lsn);
    ASSERT_EQ(loss.records.size(), 1u);
    EXPECT_EQ(loss.records[0].id, "id");
    EXPECT_FALSE(loss.records[0].intact);
  }
  EXPECT_EQ(listed, lost);
}

TEST_F(SalvageTest, WithoutItTheFirstDamageNamesItsSpaces) {
  RecoveryOptions options;
  SetSegment(0, FlipBit(segments_[0], (groups_[0][0].offset + 3000) * 8));
  absl::Status status = RecoverAll(&directory_, options).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr("LSN 1 to 1"));
  EXPECT_THAT(MessageOf(status), HasSubstr("(of space 1)"));
  options.space_names = [](uint64_t id) { return absl::StrCat("no", id); };
  status = RecoverAll(&directory_, options).status();
  EXPECT_THAT(MessageOf(status), HasSubstr("(of space \"no1\")"));
}

// --- Whole segments ----------------------------------------------------------

TEST_F(SalvageTest, AMissingSegmentCostsItsRecordsAlone) {
  ASSERT_TRUE(directory_.Remove(SegmentFileName(2)).ok());
  const auto recovered = RecoverAll(&directory_, Salvaging());
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  std::set<Lsn> lost;
  for (const PlacedGroup& group : groups_[1]) {
    if (!group.marker) lost.insert(group.header.first_lsn);
  }
  EXPECT_EQ(recovered->records, Without(lost));
  ASSERT_EQ(recovered->log.losses.size(), 1u);
  EXPECT_EQ(recovered->log.losses[0].first_lsn, *lost.begin());
  EXPECT_EQ(recovered->log.losses[0].last_lsn, *lost.rbegin());
  EXPECT_FALSE(recovered->log.losses[0].open_ended);
}

TEST_F(SalvageTest, WithoutItsLastSegmentNobodyKnowsHowMuchIsLost) {
  ASSERT_TRUE(directory_.Remove(SegmentFileName(segments_.size())).ok());
  const auto recovered = RecoverAll(&directory_, Salvaging());
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  const Lsn next = recovered->records.back().lsn + 1;
  ASSERT_EQ(recovered->log.losses.size(), 1u);
  EXPECT_EQ(recovered->log.losses[0].first_lsn, next);
  EXPECT_TRUE(recovered->log.losses[0].open_ended);
  // LSNs are never used twice.
  EXPECT_GT(recovered->log.position.next_lsn, written_.back().lsn + 1'000'000);
}

TEST_F(SalvageTest, AMissingLogIsALossOnlyIfItMustBeThere) {
  MemoryDirectory empty;
  RecoveryOptions options = Salvaging();
  auto recovered = RecoverAll(&empty, options);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_TRUE(recovered->log.losses.empty());
  EXPECT_EQ(recovered->log.position.next_lsn, 1u);
  options.must_exist = true;
  options.known_durable_lsn = 9;
  recovered = RecoverAll(&empty, options);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  ASSERT_EQ(recovered->log.losses.size(), 1u);
  EXPECT_GT(recovered->log.position.next_lsn, 9u);
  options.salvage = false;
  EXPECT_TRUE(absl::IsDataLoss(RecoverAll(&empty, options).status()));
}

TEST_F(SalvageTest, AHeaderWithoutAnIntactCopyIsPutTogetherAgain) {
  for (size_t segment = 0; segment < segments_.size(); ++segment) {
    SetSegment(segment,
               FlipBit(FlipBit(segments_[segment], 300), 4096 * 8 + 300));
    EXPECT_TRUE(absl::IsDataLoss(RecoverAll(&directory_).status()));
    const auto recovered = RecoverAll(&directory_, Salvaging());
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    EXPECT_EQ(recovered->records, written_) << "segment " << segment;
    EXPECT_TRUE(recovered->log.losses.empty());
    ASSERT_EQ(recovered->log.warnings.size(), 1u);
    EXPECT_THAT(recovered->log.warnings[0], HasSubstr("put together again"));
    SetSegment(segment, segments_[segment]);
  }
}

TEST_F(SalvageTest, ATruncatedSegmentKeepsWhatItHolds) {
  for (const size_t segment : {size_t{1}, segments_.size() - 1}) {
    const PlacedGroup& group = groups_[segment][4];
    SetSegment(segment, segments_[segment].substr(0, group.offset + 5000));
    const auto recovered = RecoverAll(&directory_, Salvaging());
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    std::set<Lsn> lost;
    for (const PlacedGroup& placed : groups_[segment]) {
      if (!placed.marker && placed.offset >= group.offset) {
        lost.insert(placed.header.first_lsn);
      }
    }
    EXPECT_EQ(recovered->records, Without(lost));
    ASSERT_EQ(recovered->log.losses.size(), 1u);
    EXPECT_EQ(recovered->log.losses[0].first_lsn, *lost.begin());
    SetSegment(segment, segments_[segment]);
  }
}

TEST_F(SalvageTest, ASegmentOfAnotherDatabaseIsRefusedEvenThen) {
  RecoveryOptions options = Salvaging();
  options.database_id = {{9, 9, 9}};
  const absl::Status status =
      Recover(&directory_, options, [](std::shared_ptr<const Group>) {
        return absl::OkStatus();
      }).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

// --- Afterwards --------------------------------------------------------------

// Until the caller has saved everything, the old log stays as it is.
TEST_F(SalvageTest, ANewLogBeginsBesideTheOldOneWhichIsNotTouched) {
  const PlacedGroup& group = groups_[1][2];
  const std::string damaged = FlipBit(segments_[1], (group.offset + 70) * 8);
  SetSegment(1, damaged);
  const Lsn lsn = group.header.first_lsn;
  OpenLog::Options options;
  options.recovery = Salvaging();
  Lsn last = 0;
  {
    auto log = OpenLog::Open(&directory_, options);
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_EQ((*log)->recovered().log.losses.size(), 1u);
    last = *(*log)->Append({"after the salvage"});
    EXPECT_EQ(last, written_.back().lsn + 1);
    ASSERT_TRUE((*log)->writer().Close().ok());
  }
  for (size_t segment = 0; segment < segments_.size(); ++segment) {
    ASSERT_EQ(directory_.Contents(SegmentFileName(segment + 1)),
              segment == 1 ? damaged : segments_[segment]);
  }
  // Not saved: the loss is found again, by whoever asks.
  EXPECT_TRUE(absl::IsDataLoss(RecoverAll(&directory_).status()));
  auto again = RecoverAll(&directory_, Salvaging());
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_EQ(again->log.losses.size(), 1u);
  EXPECT_EQ(again->log.losses[0].first_lsn, lsn);
  EXPECT_EQ(again->records.back().payload, "after the salvage");
  EXPECT_EQ(again->records.size(), written_.size());

  // Saved: it is a warning, and none is left when the log has been recycled.
  options.recovery = {};
  options.recovery.low_water_lsn = written_.back().lsn;
  {
    auto log = OpenLog::Open(&directory_, options);
    ASSERT_TRUE(log.ok()) << log.status();
    EXPECT_FALSE((*log)->recovered().log.warnings.empty());
    ASSERT_TRUE((*log)->writer().Recycle(written_.back().lsn).ok());
    ASSERT_TRUE((*log)->writer().Close().ok());
  }
  again = RecoverAll(&directory_, options.recovery);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->log.warnings.empty());
  ASSERT_EQ(again->records.size(), 1u);
  EXPECT_EQ(again->records[0].lsn, last);
}

TEST_F(SalvageTest, WhatIsSavedElsewhereIsNoLossWhateverIsMissing) {
  RecoveryOptions options;
  options.low_water_lsn = groups_[2].front().header.first_lsn;
  // A missing segment, one without a header, one that is too short.
  ASSERT_TRUE(directory_.Remove(SegmentFileName(2)).ok());
  auto recovered = RecoverAll(&directory_, options);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->log.warnings.size(), 1u);
  EXPECT_EQ(recovered->records.back(), written_.back());
  for (const std::string& bytes :
       {FlipBit(FlipBit(segments_[1], 300), 4096 * 8 + 300),
        segments_[1].substr(0, 20'000), std::string()}) {
    SetSegment(1, bytes);
    recovered = RecoverAll(&directory_, options);
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    EXPECT_EQ(recovered->log.warnings.size(), 1u);
    EXPECT_EQ(recovered->records.back(), written_.back());
    EXPECT_EQ(recovered->log.position.next_lsn, written_.back().lsn + 1);
    --options.low_water_lsn;  // still all of segment 2
    EXPECT_TRUE(RecoverAll(&directory_, options).ok());
    --options.low_water_lsn;
    EXPECT_TRUE(absl::IsDataLoss(RecoverAll(&directory_, options).status()));
    options.low_water_lsn += 2;
  }
}

}  // namespace
}  // namespace engram::wal
