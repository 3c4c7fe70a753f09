// Where verify finds an id that should be nowhere.

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"
#include "tools/ctl/verify.h"

namespace engram::ctl {
namespace {

constexpr char kId[] = "private note";

// The number says how many spaces have a column family for themselves.
class VerifyAbsentTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override {
    Open();
    for (const char* const id : {kId, "another one", "zz"}) {
      const absl::StatusOr<Lsn> lsn = space_.Observe({id, {1, 2}, "payload"});
      ASSERT_TRUE(lsn.ok()) << lsn.status();
    }
  }

  void Open() {
    Options options;
    options.wal_segment_bytes = 256 << 10;
    options.wal_limit_bytes = 4 << 20;
    options.max_dedicated_spaces = GetParam();
    options.workers = 1;
    auto db = Db::Open(path(), options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    SpaceOptions space_options;
    space_options.dimension = 2;
    space_ = *db_->OpenSpace("notes", space_options);
  }

  void SaveAll() {
    const Lsn last = db_->GetStats()->last_lsn;
    ASSERT_TRUE(db_->Wait(last, Stage::kIndexed, absl::Minutes(1)).ok());
    ASSERT_TRUE(db_->Checkpoint().ok());
  }

  // Everything that was logged before is in files of RocksDB alone.
  void ForgetLog() {
    ASSERT_TRUE(space_.Erase("never there", absl::Minutes(1)).ok());
  }

  // The places that hold the id, or why that is not known.
  std::string Find(const std::string& space = "") {
    const absl::StatusOr<VerifyReport> report =
        VerifyDatabase(path(), AbsentId{kId, space});
    if (!report.ok()) return std::string(report.status().message());
    std::string places;
    for (const VerifyFinding& finding : report->findings) {
      absl::StrAppend(&places, finding.place, ": ", finding.message, "\n");
    }
    EXPECT_EQ(*report->absent, places.empty());
    return places;
  }

  std::string path() const { return directory_.PathOf("db"); }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<Db> db_;
  Space space_;
};

TEST_P(VerifyAbsentTest, FindsItInTheLogOfASpaceThatNoCatalogKnows) {
  EXPECT_TRUE(absl::StrContains(Find(), "holds the id, in LSN 2"));
  EXPECT_TRUE(absl::StrContains(Find("notes"), "holds the id, in LSN 2"));
  EXPECT_TRUE(absl::StrContains(Find("other"), "no space \"other\""));
}

TEST_P(VerifyAbsentTest, FindsItInTablesAndInTheManifest) {
  // The last key of a table.
  ASSERT_TRUE(space_.Remove("zz").ok());
  SaveAll();
  ForgetLog();
  const std::string found = Find();
  EXPECT_TRUE(absl::StrContains(found, "holds a record of the id")) << found;
  EXPECT_TRUE(absl::StrContains(found, "v/0/1: holds 1 rows of the id"))
      << found;
  EXPECT_FALSE(absl::StrContains(found, "/wal/")) << found;
  ASSERT_TRUE(space_.Remove(kId).ok());
  SaveAll();
  const std::string removed = Find();
  EXPECT_TRUE(absl::StrContains(removed, "holds a deletion that names the id"))
      << removed;
  EXPECT_TRUE(absl::StrContains(removed, "first or last key")) << removed;
  ASSERT_TRUE(space_.Erase(kId, absl::Minutes(1)).ok());
  EXPECT_EQ(Find(), "");
  EXPECT_EQ(Find("notes"), "");
}

// A family of its own goes at once; the keys of a member stay in tables.
TEST_P(VerifyAbsentTest, FindsItInWhatASpaceThatWasDroppedLeaves) {
  SpaceOptions options;
  options.dimension = 2;
  Space other = *db_->OpenSpace("other", options);
  ASSERT_TRUE(other.Observe({"theirs", {1, 2}, "payload"}).ok());
  SaveAll();
  ForgetLog();
  ASSERT_TRUE(db_->DropSpace("notes").ok());
  SaveAll();
  ASSERT_TRUE(db_->Close().ok());
  const std::string found = Find();
  EXPECT_EQ(absl::StrContains(found, "holds a record of the id"),
            GetParam() == 0)
      << found;
}

TEST_P(VerifyAbsentTest, FindsTablesThatWereLeft) {
  ASSERT_TRUE(space_.Erase(kId, absl::Minutes(1)).ok());
  ASSERT_EQ(Find(), "");
  for (const char* const name : {"kv/scratch/7-main.sst", "kv/999999.sst"}) {
    const std::string left = absl::StrCat(path(), "/", name);
    std::ofstream(left) << "a table";
    EXPECT_TRUE(absl::StrContains(Find(), absl::StrCat(name, ": is no part")))
        << Find();
    std::filesystem::remove(left);
  }
}

INSTANTIATE_TEST_SUITE_P(, VerifyAbsentTest, ::testing::Values(0u, 128u),
                         [](const auto& param_info) {
                           return param_info.param == 0 ? "Shared" : "Alone";
                         });

}  // namespace
}  // namespace engram::ctl
