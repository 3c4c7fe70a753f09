// Torn tails: what a crash in the middle of a write leaves.

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "log_harness.h"
#include "tests/support/memory_directory.h"

namespace engram::wal {
namespace {

using testing::DiskOperation;
using testing::MemoryDirectory;

enum class Rest { kZeros, kGarbage, kStale };

// What stands behind a write that ended early.
std::string RestBytes(Rest rest, size_t bytes, uint32_t seed) {
  std::string out(bytes, '\0');
  if (rest == Rest::kZeros) return out;
  std::mt19937 random(seed);
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

class TornTailTest : public ::testing::TestWithParam<std::tuple<Rest, size_t>> {
};

INSTANTIATE_TEST_SUITE_P(RestsAndSizes, TornTailTest,
                         ::testing::Combine(::testing::Values(Rest::kZeros,
                                                              Rest::kGarbage,
                                                              Rest::kStale),
                                            ::testing::Values(10, 6000)));

TEST_P(TornTailTest, IsAcceptedAtEachByteOfTheLastGroup) {
  const auto [rest, payload_bytes] = GetParam();
  MemoryDirectory directory;
  const auto written = WriteClosedLog(&directory, 5, payload_bytes);
  const std::string name = SegmentFileName(1);
  const std::string intact = directory.Contents(name);
  const auto groups = GroupsOf(&directory, 1);
  const PlacedGroup* last = nullptr;
  for (const PlacedGroup& group : groups) {
    if (!group.marker) last = &group;
  }
  // Stale: an intact group of the use of the file before this one.
  std::string tail = RestBytes(rest, last->bytes, 1);
  if (rest == Rest::kStale) {
    Group stale(10'000);
    stale.Add(DraftOf(std::string(payload_bytes, 's')), 5);
    stale.Seal(last->header.epoch + 1, last->header.sequence,
               last->header.durable_lsn);
    tail = std::string(stale.bytes().data(), last->bytes);
  }
  const std::vector<LoggedRecord> without(written.begin(), written.end() - 1);
  for (size_t kept = 0; kept <= last->bytes; ++kept) {
    std::string bytes = intact;
    std::fill(bytes.begin() + static_cast<ptrdiff_t>(last->offset), bytes.end(),
              '\0');
    bytes.replace(last->offset, kept, intact, last->offset, kept);
    bytes.replace(last->offset + kept, last->bytes - kept, tail, kept,
                  last->bytes - kept);
    const bool complete = bytes.compare(last->offset, last->bytes, intact,
                                        last->offset, last->bytes) == 0;
    directory.SetContents(name, std::move(bytes));
    const auto recovered = RecoverAll(&directory);
    ASSERT_TRUE(recovered.ok()) << kept << ": " << recovered.status();
    ASSERT_EQ(recovered->records, complete ? written : without) << kept;
    ASSERT_EQ(recovered->log.position.predecessor.end_offset,
              last->offset + (complete ? last->bytes : 0));
  }
}

// A group with several records is there entirely or not at all.
TEST(TornGroupTest, IsCutAsAWhole) {
  MemoryDirectory directory;
  {
    auto log = OpenLog::Open(&directory);
    ASSERT_TRUE(log.ok());
    ASSERT_TRUE((*log)->Append({"a"}).ok());
    ASSERT_TRUE(
        (*log)
            ->Append({"b", std::string(5000, 'c'), "d", std::string(5000, 'e')})
            .ok());
    ASSERT_TRUE((*log)->writer().Close().ok());
  }
  const std::string name = SegmentFileName(1);
  const std::string intact = directory.Contents(name);
  auto groups = GroupsOf(&directory, 1);
  std::erase_if(groups, [](const PlacedGroup& group) { return group.marker; });
  ASSERT_EQ(groups.size(), 2u);
  for (size_t kept = 0; kept <= groups[1].bytes; kept += 8) {
    std::string bytes = intact.substr(0, groups[1].offset + kept);
    bytes.resize(intact.size(), '\0');
    directory.SetContents(name, std::move(bytes));
    const auto recovered = RecoverAll(&directory);
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    const size_t records = recovered->records.size();
    ASSERT_TRUE(records == 1 || records == 5) << records;
  }
}

// The cut is recorded: bytes that appear behind it later, as intact as they may
// be, stay unseen.
TEST(RecordedCutTest, BytesBehindItAreNeverRead) {
  MemoryDirectory directory;
  const auto written = WriteClosedLog(&directory, 4, 5000);
  const std::string name = SegmentFileName(1);
  const std::string intact = directory.Contents(name);
  const auto groups = GroupsOf(&directory, 1);
  std::string torn = intact.substr(0, groups[3].offset + 100);
  torn.resize(intact.size(), '\0');
  directory.SetContents(name, torn);
  {
    auto log = OpenLog::Open(&directory);
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_EQ((*log)->recovered().records.size(), 3u);
    EXPECT_EQ(*(*log)->Append({"after the cut"}), 4u);
    ASSERT_TRUE((*log)->writer().Close().ok());
  }
  for (const std::string& bytes : {intact, torn}) {
    directory.SetContents(name, bytes);
    const auto recovered = RecoverAll(&directory);
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    ASSERT_EQ(recovered->records.size(), 4u);
    EXPECT_EQ(recovered->records[3].payload, "after the cut");
    EXPECT_TRUE(recovered->log.warnings.empty());
  }
}

// A disk that tears the n-th write of a group and then dies.
class DyingDisk {
 public:
  DyingDisk(MemoryDirectory* directory, int writes, uint64_t bytes_kept) {
    directory->SetFault(
        [writes, bytes_kept, dead = false](const DiskOperation& operation,
                                           uint64_t* kept) mutable {
          if (operation.kind == DiskOperation::Kind::kWrite && !dead &&
              writes-- == 0) {
            dead = true;
            *kept = bytes_kept;
          }
          return dead ? absl::UnknownError("died") : absl::OkStatus();
        });
  }
};

// Crashes again and again at random writes, also while the log is being
// opened, with the unsynced bytes kept or lost. All that was acknowledged is
// there, what was not is there entirely or not at all, and what was cut once
// never comes back.
TEST(RepeatedCrashTest, NothingIsLostAndNothingReturns) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    MemoryDirectory directory;
    std::vector<LoggedRecord> expected;   // what is certainly in the log
    std::vector<LoggedRecord> uncertain;  // of the append that failed
    int name = 0;
    for (int level = 0; level < 8; ++level) {
      directory.SetFault(nullptr);
      const auto before = RecoverAll(&directory);
      ASSERT_TRUE(before.ok()) << seed << "/" << level << before.status();
      EXPECT_TRUE(before->log.warnings.empty());
      if (before->records.size() > expected.size()) {
        expected.insert(expected.end(), uncertain.begin(), uncertain.end());
      }
      ASSERT_EQ(before->records, expected) << seed << "/" << level;
      uncertain.clear();

      const DyingDisk disk(&directory, static_cast<int>(random() % 12),
                           random() % 12'000);
      auto log = OpenLog::Open(&directory);
      while (log.ok()) {
        std::vector<std::string> payloads;
        for (uint32_t i = 0; i < 1 + random() % 3; ++i) {
          payloads.push_back(
              absl::StrCat(name++, std::string(random() % 9000, 'x')));
        }
        const auto lsn = (*log)->Append(payloads);
        Lsn next = expected.empty() ? 1 : expected.back().lsn + 1;
        std::vector<LoggedRecord> records;
        for (std::string& payload : payloads) {
          records.push_back({next++, std::move(payload)});
        }
        if (!lsn.ok()) {
          uncertain = std::move(records);
          break;
        }
        ASSERT_EQ(*lsn, next - 1);
        expected.insert(expected.end(), records.begin(), records.end());
      }
      if (log.ok()) log->reset();
      if (random() % 2 == 0) directory.LosePower();
    }
  }
}

}  // namespace
}  // namespace engram::wal
