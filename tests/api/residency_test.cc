// What is in memory: nothing of a database that was just opened, and no more
// than the budget.

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using testing::TestVector;

constexpr uint32_t kDimension = 16;
constexpr int kSpaces = 24;
constexpr int kIds = 300;

class ResidencyTest : public ::testing::Test {
 protected:
  static Options SmallLog() {
    Options options;
    options.wal_segment_bytes = 256 << 10;
    options.wal_limit_bytes = 16 << 20;
    options.workers = 1;
    options.flat_records_max = 100;
    return options;
  }

  static std::string NameOf(int space) { return absl::StrCat("space", space); }

  static uint64_t SeedOf(int space, int id) {
    return static_cast<uint64_t>(space) * 1000 + static_cast<uint64_t>(id);
  }

  void Open(const Options& options) {
    spaces_.clear();
    db_.reset();
    auto db = Db::Open(directory_.PathOf("db"), options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    SpaceOptions space_options;
    space_options.dimension = kDimension;
    for (int i = 0; i < kSpaces; ++i) {
      auto space = db_->OpenSpace(NameOf(i), space_options);
      ASSERT_TRUE(space.ok()) << space.status();
      spaces_.push_back(*std::move(space));
    }
  }

  void FillAll() {
    for (int id = 0; id < kIds; ++id) {
      WriteBatch batch;
      for (int space = 0; space < kSpaces; ++space) {
        const std::string name = absl::StrCat(id);
        const auto vector = TestVector(kDimension, SeedOf(space, id));
        const std::string payload = NameOf(space);
        batch.Observe(spaces_[space], {name, vector, payload});
      }
      ASSERT_TRUE(db_->Write(batch).ok());
    }
  }

  void ExpectFinds(int space, int id) {
    const auto hits =
        spaces_[space].Search(TestVector(kDimension, SeedOf(space, id)), {});
    ASSERT_TRUE(hits.ok()) << hits.status();
    ASSERT_FALSE(hits->empty());
    EXPECT_EQ((*hits)[0].id, absl::StrCat(id)) << NameOf(space);
    EXPECT_EQ(spaces_[space].Get(absl::StrCat(id))->payload, NameOf(space));
  }

  size_t CountResident() {
    size_t resident = 0;
    for (Space& space : spaces_) resident += space.GetStats()->resident;
    return resident;
  }

  uint64_t ResidentBytes() {
    uint64_t bytes = 0;
    for (Space& space : spaces_) bytes += space.GetStats()->memory_bytes;
    return bytes;
  }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<Db> db_;
  std::vector<Space> spaces_;
};

TEST_F(ResidencyTest, OpenReadsNoIndexAndTheFirstUseReadsTheOneThatIsUsed) {
  Open(SmallLog());
  FillAll();
  EXPECT_EQ(CountResident(), size_t{kSpaces});
  ASSERT_TRUE(db_->Close().ok());
  Open(SmallLog());
  EXPECT_EQ(CountResident(), 0u);
  EXPECT_EQ(spaces_[3].GetStats()->live_records, uint64_t{kIds});
  ExpectFinds(3, 17);
  EXPECT_EQ(CountResident(), 1u);
  // A write is searchable at once, and brings the index back behind.
  ASSERT_TRUE(spaces_[5].Observe({"17", TestVector(kDimension, 5), ""}).ok());
  ASSERT_TRUE(spaces_[5].Remove("18").ok());
  EXPECT_EQ((*spaces_[5].Search(TestVector(kDimension, 5), {}))[0].id, "17");
  EXPECT_TRUE(absl::IsNotFound(spaces_[5].Get("18").status()));
  ASSERT_TRUE(
      db_->Wait(db_->GetStats()->last_lsn, Stage::kIndexed, absl::Seconds(60))
          .ok());
  EXPECT_EQ(CountResident(), 2u);
  EXPECT_EQ(spaces_[5].GetStats()->live_records, uint64_t{kIds - 1});
  const DbStats stats = *db_->GetStats();
  EXPECT_EQ(stats.accepted_records,
            stats.indexed_records + stats.pending_records);
  for (int space = 0; space < kSpaces; ++space) ExpectFinds(space, 20);
}

TEST_F(ResidencyTest, CloseIndexesWhatWaitsForAnIndexThatIsNotThere) {
  Open(SmallLog());
  FillAll();
  ASSERT_TRUE(db_->Close().ok());
  Open(SmallLog());
  ASSERT_TRUE(spaces_[2].Observe({"new", TestVector(kDimension, 1), ""}).ok());
  ASSERT_TRUE(db_->Close().ok());
  Open(SmallLog());
  EXPECT_EQ(db_->GetStats()->replayed_records, 0u);
  EXPECT_EQ(spaces_[2].GetStats()->live_records, uint64_t{kIds + 1});
}

// The records of a space that is dropped before its index is there take no room
// for good, and stay counted.
TEST_F(ResidencyTest, ASpaceThatIsDroppedWhileRecordsWaitGivesBackItsRoom) {
  Open(SmallLog());
  FillAll();
  ASSERT_TRUE(db_->Close().ok());
  Open(SmallLog());
  for (int space = 0; space < kSpaces; ++space) {
    ASSERT_TRUE(spaces_[space]
                    .Observe({"new", TestVector(kDimension, 1), "payload"})
                    .ok());
    ASSERT_TRUE(db_->DropSpace(NameOf(space)).ok());
  }
  for (int i = 0; i < 600 && db_->GetStats()->pending_bytes > 0; ++i) {
    absl::SleepFor(absl::Milliseconds(50));
  }
  const DbStats stats = *db_->GetStats();
  EXPECT_EQ(stats.pending_bytes, 0u);
  EXPECT_EQ(stats.accepted_records, uint64_t{kSpaces});
  EXPECT_EQ(stats.indexed_records, uint64_t{kSpaces});
}

TEST_F(ResidencyTest, SpacesComeAndGoWithinTheBudget) {
  Open(SmallLog());
  FillAll();
  ASSERT_TRUE(db_->Checkpoint().ok());
  const uint64_t all = ResidentBytes();
  ASSERT_TRUE(db_->Close().ok());
  Options options = SmallLog();
  options.memory_budget_bytes = all / 4;
  Open(options);
  std::map<int, int> written;
  for (int round = 0; round < 3; ++round) {
    for (int space = 0; space < kSpaces; ++space) {
      ExpectFinds(space, (round * 7 + space) % kIds);
      if (space % 5 == round) {
        ASSERT_TRUE(spaces_[space]
                        .Observe({absl::StrCat(space),
                                  TestVector(kDimension, SeedOf(space, space)),
                                  NameOf(space)})
                        .ok());
      }
    }
  }
  // The last ones are evicted behind.
  for (int i = 0; i < 600 && ResidentBytes() > options.memory_budget_bytes;
       ++i) {
    absl::SleepFor(absl::Milliseconds(100));
  }
  EXPECT_LE(ResidentBytes(), options.memory_budget_bytes);
  uint64_t evictions = 0;
  for (Space& space : spaces_) evictions += space.GetStats()->evictions;
  EXPECT_GE(evictions, kSpaces / 2u) << "all were in memory once";
  EXPECT_LT(CountResident(), size_t{kSpaces / 2});
  for (int space = 0; space < kSpaces; ++space) {
    for (int id = 0; id < kIds; id += 37) ExpectFinds(space, id);
  }
}

}  // namespace
}  // namespace engram
