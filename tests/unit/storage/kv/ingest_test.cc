// Changes become visible all at once, or not at all.

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "store_harness.h"

namespace engram::kv {
namespace {

using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

using IngestTest = StoreHarness;

// Files below the folder that end in ".sst", by the size of each.
std::map<std::string, uint64_t> Tables(const std::string& path) {
  std::map<std::string, uint64_t> tables;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(path)) {
    if (entry.path().extension() == ".sst") {
      tables[entry.path().string()] = entry.file_size();
    }
  }
  return tables;
}

TEST_F(IngestTest, NothingIsVisibleBeforeCommitAndAllIsAfterIt) {
  OpenWithFamily();
  auto ingest = *store_->NewIngest(kFamily);
  ASSERT_TRUE(
      Apply(ingest.get(), {{"m/head", "h"}, {"r/a", "1"}, {"v/a", "2"}}).ok());
  EXPECT_THAT(Contents(), IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(store_->Get(kFamily, "r/a").status()));
  EXPECT_EQ(ingest->bytes(), 0u);
  ASSERT_TRUE(ingest->Commit().ok());
  EXPECT_THAT(Contents(),
              UnorderedElementsAre(Pair("m/head", "h"), Pair("r/a", "1"),
                                   Pair("v/a", "2")));
  EXPECT_EQ(*store_->Get(kFamily, "v/a"), "2");
  EXPECT_GT(ingest->bytes(), 0u);
}

// Readers see both tables of one ingestion or neither.
TEST_F(IngestTest, AConcurrentReaderNeverSeesHalfOfIt) {
  OpenWithFamily();
  Commit({{"r/a", "0"}, {"v/a", "0"}});
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) {
      // The scan is of one moment; both were written by the same ingestion.
      const auto contents = Contents();
      ASSERT_EQ(contents.at("r/a"), contents.at("v/a"));
    }
  });
  for (int i = 1; i <= 60; ++i) {
    const std::string value = absl::StrCat(i);
    Commit({{"r/a", value}, {"v/a", value}});
  }
  stop = true;
  reader.join();
  EXPECT_EQ(Contents().at("v/a"), "60");
}

TEST_F(IngestTest, VectorsGoToATableOfTheirOwn) {
  OpenWithFamily();
  Commit({{"m/head", "h"}});
  EXPECT_EQ(Tables(path()).size(), 1u);
  Commit({{"v/a", std::string(100'000, 'v')}});
  EXPECT_EQ(Tables(path()).size(), 2u);
  Commit({{"m/head", "i"}, {"v/b", "2"}});
  EXPECT_EQ(Tables(path()).size(), 4u);
}

TEST_F(IngestTest, ALaterIngestionReplacesAndDeletes) {
  OpenWithFamily();
  Commit({{"r/a", "1"}, {"r/b", "1"}, {"v/a", "1"}, {"v/b", "1"}});
  Commit({{"r/a", "2"}, {"r/b", {}}, {"r/never there", {}}, {"v/b", {}}});
  EXPECT_THAT(Contents(),
              UnorderedElementsAre(Pair("r/a", "2"), Pair("v/a", "1")));
  Open();
  EXPECT_THAT(Contents(),
              UnorderedElementsAre(Pair("r/a", "2"), Pair("v/a", "1")));
}

TEST_F(IngestTest, ItIsThereAfterReopeningWithoutAnyFlush) {
  OpenWithFamily();
  Commit({{"r/a", "1"}, {"v/a", "2"}});
  Open();
  EXPECT_THAT(Contents(),
              UnorderedElementsAre(Pair("r/a", "1"), Pair("v/a", "2")));
}

TEST_F(IngestTest, FamiliesDoNotSeeEachOthersKeys) {
  OpenWithFamily();
  ASSERT_TRUE(store_->CreateFamily("p000002").ok());
  Commit({{"r/a", "1"}});
  Commit({{"r/a", "2"}}, "p000002");
  Commit({{"r/a", "3"}}, std::string(kDefaultFamily));
  EXPECT_EQ(*store_->Get(kFamily, "r/a"), "1");
  EXPECT_EQ(*store_->Get("p000002", "r/a"), "2");
  EXPECT_EQ(*store_->Get(kDefaultFamily, "r/a"), "3");
}

TEST_F(IngestTest, OneThatIsNotCommittedLeavesNothing) {
  OpenWithFamily();
  {
    auto ingest = *store_->NewIngest(kFamily);
    ASSERT_TRUE(Apply(ingest.get(), {{"r/a", "1"}, {"v/a", "2"}}).ok());
    EXPECT_EQ(Tables(path()).size(), 2u) << "the tables are being written";
  }
  EXPECT_THAT(Contents(), IsEmpty());
  EXPECT_THAT(Tables(path()), IsEmpty());
}

TEST_F(IngestTest, AnEmptyOneCommitsNothing) {
  OpenWithFamily();
  auto ingest = *store_->NewIngest(kFamily);
  EXPECT_TRUE(ingest->Commit().ok());
  EXPECT_EQ(ingest->bytes(), 0u);
  EXPECT_THAT(Tables(path()), IsEmpty());
}

TEST_F(IngestTest, SeveralMayBeOpenAtOnceAndCommitInAnyOrder) {
  OpenWithFamily();
  auto first = *store_->NewIngest(kFamily);
  auto second = *store_->NewIngest(kFamily);
  ASSERT_TRUE(first->Put("r/a", "first").ok());
  ASSERT_TRUE(second->Put("r/a", "second").ok());
  ASSERT_TRUE(second->Commit().ok());
  ASSERT_TRUE(first->Commit().ok());
  EXPECT_EQ(*store_->Get(kFamily, "r/a"), "first") << "committed last";
}

TEST_F(IngestTest, KeysThatDoNotAscendAreAnError) {
  OpenWithFamily();
  auto ingest = *store_->NewIngest(kFamily);
  ASSERT_TRUE(ingest->Put("r/b", "1").ok());
  EXPECT_FALSE(ingest->Put("r/a", "1").ok());
  EXPECT_FALSE(ingest->Put("r/b", "again").ok());
  EXPECT_FALSE(ingest->Delete("r/a").ok());
  // Vectors are a sequence for themselves.
  EXPECT_TRUE(ingest->Put("v/b", "1").ok());
  EXPECT_TRUE(ingest->Put("r/c", "1").ok());
  EXPECT_FALSE(ingest->Put("v/a", "1").ok());
}

TEST_F(IngestTest, AFamilyThatDoesNotExistIsNotFoundAndNamed) {
  OpenWithFamily();
  const absl::Status status = store_->NewIngest("p000009").status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("p000009"));
}

TEST_F(IngestTest, AMissingScratchFolderFailsItAndTheNextOneSucceeds) {
  OpenWithFamily();
  Commit({{"r/a", "1"}});
  const std::string scratch = path() + "/scratch";
  std::filesystem::remove_all(scratch);
  {
    auto ingest = *store_->NewIngest(kFamily);
    EXPECT_FALSE(ingest->Put("r/a", "2").ok());
  }
  EXPECT_EQ(*store_->Get(kFamily, "r/a"), "1");
  std::filesystem::create_directory(scratch);
  Commit({{"r/a", "3"}});
  EXPECT_EQ(*store_->Get(kFamily, "r/a"), "3");
}

// The error comes from RocksDB's own ingestion, not from writing the table.
TEST_F(IngestTest, ATableThatVanishesBeforeCommitLeavesTheStoreAsItWas) {
  OpenWithFamily();
  Commit({{"r/a", "1"}, {"v/a", "1"}});
  auto ingest = *store_->NewIngest(kFamily);
  ASSERT_TRUE(Apply(ingest.get(), {{"r/a", "2"}, {"v/a", "2"}}).ok());
  for (const auto& entry :
       std::filesystem::directory_iterator(path() + "/scratch")) {
    if (entry.path().string().find("vectors") != std::string::npos) {
      std::filesystem::remove(entry.path());
    }
  }
  EXPECT_FALSE(ingest->Commit().ok());
  ingest.reset();
  EXPECT_THAT(Contents(),
              UnorderedElementsAre(Pair("r/a", "1"), Pair("v/a", "1")));
  Commit({{"r/a", "3"}});
  Open();
  EXPECT_THAT(Contents(),
              UnorderedElementsAre(Pair("r/a", "3"), Pair("v/a", "1")));
}

}  // namespace
}  // namespace engram::kv
