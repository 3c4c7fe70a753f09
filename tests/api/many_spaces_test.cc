// More spaces than RocksDB has column families for.

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "storage/kv/store.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using testing::TestVector;

constexpr uint32_t kDimension = 8;
constexpr int kSpaces = 150;
constexpr int kIds = 12;
constexpr uint64_t kDedicated = 3;

class ManySpacesTest : public ::testing::Test {
 protected:
  static std::string NameOf(int space) { return absl::StrCat("agent", space); }

  static std::vector<float> VectorOf(int space, int id) {
    return TestVector(kDimension, static_cast<uint64_t>(space * 1000 + id));
  }

  void Open(uint64_t memory_budget_bytes = 0) {
    db_.reset();
    Options options;
    options.workers = 1;
    options.wal_segment_bytes = 256 << 10;
    options.wal_limit_bytes = 16 << 20;
    options.max_dedicated_spaces = kDedicated;
    options.memory_budget_bytes = memory_budget_bytes;
    auto db = Db::Open(path(), options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  Space Get(int space) {
    SpaceOptions options;
    options.dimension = kDimension;
    return db_->OpenSpace(NameOf(space), options).value();
  }

  void Fill(int first, int last) {
    for (int space = first; space < last; ++space) {
      Space handle = Get(space);
      for (int id = 0; id < kIds; ++id) {
        const std::string name = absl::StrCat(id);
        const auto vector = VectorOf(space, id);
        const std::string payload = NameOf(space);
        ASSERT_TRUE(handle.Observe({name, vector, payload}).ok());
      }
    }
  }

  void ExpectHasAll(int space) {
    Space handle = Get(space);
    ASSERT_EQ(handle.ListIds()->size(), size_t{kIds}) << NameOf(space);
    for (int id = 0; id < kIds; ++id) {
      const auto hits = handle.Search(VectorOf(space, id), {});
      ASSERT_TRUE(hits.ok()) << hits.status();
      EXPECT_EQ((*hits)[0].id, absl::StrCat(id)) << NameOf(space);
      EXPECT_EQ(handle.Get(absl::StrCat(id))->payload, NameOf(space));
    }
  }

  size_t CountFamilies() {
    const auto store = kv::Store::Open(path() + "/kv", {.read_only = true});
    EXPECT_TRUE(store.ok()) << store.status();
    return (*store)->Families().size();
  }

  std::string path() const { return directory_.PathOf("db"); }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<Db> db_;
};

TEST_F(ManySpacesTest, ShareFamiliesAndKeepWhatIsTheirs) {
  Open();
  Fill(0, kSpaces);
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_EQ(CountFamilies(), kDedicated + 1);
  for (const bool compacts : {false, true}) {
    if (compacts) {
      ASSERT_TRUE(db_->Compact().ok());
    }
    Open();
    for (int space = 0; space < kSpaces; ++space) ExpectHasAll(space);
  }
}

TEST_F(ManySpacesTest, ADroppedOneGoesAndItsNeighborsStay) {
  Open();
  Fill(0, 20);
  ASSERT_TRUE(db_->Checkpoint().ok());
  for (int space = 0; space < 20; space += 2) {
    ASSERT_TRUE(db_->DropSpace(NameOf(space)).ok());
  }
  ASSERT_TRUE(db_->Checkpoint().ok());
  Fill(20, 25);
  Open();
  for (int space = 1; space < 20; space += 2) ExpectHasAll(space);
  for (int space = 20; space < 25; ++space) ExpectHasAll(space);
  for (int space = 0; space < 20; space += 2) {
    EXPECT_EQ(Get(space).ListIds()->size(), 0u) << "a new one";
  }
}

TEST_F(ManySpacesTest, AFamilyGoesWithItsLastMember) {
  Open();
  Fill(0, 10);
  ASSERT_TRUE(db_->Checkpoint().ok());
  for (int space = 0; space < 10; ++space) {
    ASSERT_TRUE(db_->DropSpace(NameOf(space)).ok());
  }
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_EQ(CountFamilies(), 1u);
  Open();
  EXPECT_EQ(CountFamilies(), 0u);
}

TEST_F(ManySpacesTest, AreSavedAndComeBackUnderABudget) {
  constexpr uint64_t kBudget = uint64_t{3} << 20;  // of a third of them
  Open(kBudget);
  Fill(0, kSpaces);
  ASSERT_TRUE(db_->Checkpoint().ok());
  for (int space = 0; space < kSpaces; ++space) ExpectHasAll(space);
  Fill(0, kSpaces);
  Open(kBudget);
  for (int space = kSpaces - 1; space >= 0; --space) ExpectHasAll(space);
}

TEST_F(ManySpacesTest, SpacesStayWhereTheyAreIfTheLimitChanges) {
  Open();
  Fill(0, 10);
  ASSERT_TRUE(db_->Checkpoint().ok());
  ASSERT_TRUE(db_->Close().ok());
  for (const uint64_t dedicated : {uint64_t{100}, uint64_t{0}}) {
    Options options;
    options.max_dedicated_spaces = dedicated;
    db_.reset();
    db_ = Db::Open(path(), options).value();
    Fill(0, 10);
    ASSERT_TRUE(db_->Checkpoint().ok());
    for (int space = 0; space < 10; ++space) ExpectHasAll(space);
    EXPECT_EQ(CountFamilies(), kDedicated + 1);
  }
}

}  // namespace
}  // namespace engram
