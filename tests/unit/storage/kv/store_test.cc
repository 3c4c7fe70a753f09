// Opening, families, reads and compaction.

#include "storage/kv/store.h"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "store_harness.h"
#include "tests/support/child_process.h"

namespace engram::kv {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

using StoreTest = StoreHarness;

std::vector<std::string> TableNames(const std::string& path) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.path().extension() == ".sst") {
      names.push_back(entry.path().filename().string());
    }
  }
  return names;
}

// --- Families ----------------------------------------------------------------

TEST_F(StoreTest, ANewStoreHasTheDefaultFamilyAndListsNone) {
  Open();
  EXPECT_THAT(store_->Families(), IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(store_->Get(kDefaultFamily, "a").status()));
  EXPECT_EQ(store_->TableBytes(), 0u);
}

TEST_F(StoreTest, FamiliesAreCreatedListedSortedAndThereAfterReopening) {
  Open();
  for (const char* name : {"p000003", "p000001", "p000002"}) {
    ASSERT_TRUE(store_->CreateFamily(name).ok());
  }
  EXPECT_THAT(store_->Families(), ElementsAre("p000001", "p000002", "p000003"));
  Open();
  EXPECT_THAT(store_->Families(), ElementsAre("p000001", "p000002", "p000003"));
}

TEST_F(StoreTest, CreatingAFamilyTwiceIsAnErrorAndKeepsTheFirst) {
  OpenWithFamily();
  Commit({{"r/a", "1"}});
  EXPECT_FALSE(store_->CreateFamily(kFamily).ok());
  EXPECT_EQ(*store_->Get(kFamily, "r/a"), "1");
}

TEST_F(StoreTest, ADroppedFamilyIsGoneWithItsFiles) {
  OpenWithFamily();
  Commit({{"r/a", std::string(50'000, 'x')}, {"v/a", "1"}});
  ASSERT_EQ(TableNames(path()).size(), 2u);
  ASSERT_TRUE(store_->DropFamily(kFamily).ok());
  EXPECT_THAT(store_->Families(), IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(store_->Get(kFamily, "r/a").status()));
  EXPECT_TRUE(absl::IsNotFound(store_->DropFamily(kFamily)));
  EXPECT_TRUE(absl::IsNotFound(store_->CompactIfNeeded(kFamily)));
  Open();
  EXPECT_THAT(store_->Families(), IsEmpty());
  EXPECT_THAT(TableNames(path()), IsEmpty());
}

TEST_F(StoreTest, AScanThatIsUnderWayOutlivesTheDropOfItsFamily) {
  OpenWithFamily();
  Commit({{"r/a", "1"}, {"r/b", "2"}, {"r/c", "3"}});
  std::vector<std::string> keys;
  const absl::Status status = store_->Scan(
      kFamily, "r/", [&](absl::string_view key, absl::string_view) {
        keys.emplace_back(key);
        return keys.size() == 1 ? store_->DropFamily(kFamily)
                                : absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(keys, ElementsAre("r/a", "r/b", "r/c"));
}

// --- Opening -----------------------------------------------------------------

TEST_F(StoreTest, OpeningOftenLeavesNoMoreFilesThanOpeningOnce) {
  OpenWithFamily();
  Commit({{"r/a", "1"}});
  const auto count = [this] {
    const std::filesystem::directory_iterator files(path());
    return std::distance(begin(files), end(files));
  };
  Open();
  const auto files = count();
  for (int i = 0; i < 5; ++i) Open();
  EXPECT_EQ(count(), files);
  EXPECT_EQ(*store_->Get(kFamily, "r/a"), "1");
}

TEST_F(StoreTest, OpeningLeavesAloneWhatIsNoLogOfRocksDB) {
  OpenWithFamily();
  std::ofstream(path() + "/notes.log").close();
  std::filesystem::create_symlink("nowhere", path() + "/other.log");
  Open();
  EXPECT_TRUE(std::filesystem::exists(path() + "/notes.log"));
}

// --- Reads -------------------------------------------------------------------

TEST_F(StoreTest, ScanVisitsAPrefixInOrderAndNothingElse) {
  OpenWithFamily();
  Commit({{"l/x", "0"},
          {"r/", "1"},
          {"r/a", "2"},
          {"r/b", "3"},
          {"r0", "4"},
          {"v/a", "5"}});
  std::vector<std::string> keys;
  const auto collect = [&](absl::string_view key, absl::string_view) {
    keys.emplace_back(key);
    return absl::OkStatus();
  };
  ASSERT_TRUE(store_->Scan(kFamily, "r/", collect).ok());
  EXPECT_THAT(keys, ElementsAre("r/", "r/a", "r/b"));
  keys.clear();
  ASSERT_TRUE(store_->Scan(kFamily, "z", collect).ok());
  EXPECT_THAT(keys, IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(store_->Scan("p000009", "r/", collect)));
}

TEST_F(StoreTest, ScanStopsWithTheErrorOfItsVisitor) {
  OpenWithFamily();
  Commit({{"r/a", "1"}, {"r/b", "2"}});
  int visited = 0;
  const absl::Status status =
      store_->Scan(kFamily, "r/", [&](absl::string_view, absl::string_view) {
        ++visited;
        return absl::DataLossError("enough");
      });
  EXPECT_EQ(status, absl::DataLossError("enough"));
  EXPECT_EQ(visited, 1);
}

TEST_F(StoreTest, KeysAndValuesHoldAnyBytes) {
  OpenWithFamily();
  const std::string key("r/\0\xff\n", 5);
  const std::string value("\0\0\xff", 3);
  Commit({{key, value}, {"r/empty", ""}});
  Open();
  EXPECT_EQ(*store_->Get(kFamily, key), value);
  EXPECT_EQ(*store_->Get(kFamily, "r/empty"), "");
}

// --- Opening -----------------------------------------------------------------

TEST_F(StoreTest, ASecondOpenInTheSameProcessIsUnavailable) {
  Open();
  const absl::Status status = Store::Open(path(), {}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

TEST_F(StoreTest, ASecondOpenInAnotherProcessIsUnavailable) {
  if (!testing::kChildrenMayStartThreads) GTEST_SKIP() << "forks threads";
  int to_parent[2];
  int to_child[2];
  ASSERT_EQ(::pipe(to_parent), 0);
  ASSERT_EQ(::pipe(to_child), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  char byte = 0;
  if (child == 0) {
    const auto store = Store::Open(path(), {});
    byte = store.ok() ? 1 : 0;
    (void)!::write(to_parent[1], &byte, 1);
    (void)!::read(to_child[0], &byte, 1);
    ::_exit(0);
  }
  ASSERT_EQ(::read(to_parent[0], &byte, 1), 1);
  ASSERT_EQ(byte, 1) << "the child has it open";
  const absl::Status status = Store::Open(path(), {}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  ASSERT_EQ(::write(to_child[1], &byte, 1), 1);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(Store::Open(path(), {}).ok()) << "a dead owner locks nothing";
  for (const int fd : {to_parent[0], to_parent[1], to_child[0], to_child[1]}) {
    ::close(fd);
  }
}

// An error is not taken for a held lock because of a folder's name.
TEST_F(StoreTest, AnIoErrorBelowAFolderNamedLockIsNotUnavailable) {
  const std::string folder = directory_.PathOf("blocks");
  ASSERT_TRUE(std::filesystem::create_directory(folder));
  auto store = Store::Open(folder, {});
  ASSERT_TRUE(store.ok()) << store.status();
  std::filesystem::remove_all(folder + "/scratch");
  auto ingest = *(*store)->NewIngest(kDefaultFamily);
  const absl::Status status = ingest->Put("a", "1");
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
}

TEST_F(StoreTest, LeftoverScratchFilesAreRemoved) {
  OpenWithFamily();
  Commit({{"r/a", "1"}});
  store_.reset();
  const std::string scratch = path() + "/scratch";
  std::ofstream(scratch + "/7-main.sst") << "half a table";
  Open();
  EXPECT_TRUE(std::filesystem::is_empty(scratch));
  EXPECT_EQ(*store_->Get(kFamily, "r/a"), "1");
}

TEST_F(StoreTest, AReadOnlyStoreReadsAndLeavesEveryFileAlone) {
  OpenWithFamily();
  Commit({{"r/a", "1"}, {"v/a", "2"}});
  store_.reset();
  const std::string left = path() + "/scratch/7-main.sst";
  std::ofstream(left) << "half a table";
  Open(/*read_only=*/true);
  EXPECT_THAT(store_->Families(), ElementsAre(kFamily));
  EXPECT_THAT(Contents(),
              UnorderedElementsAre(Pair("r/a", "1"), Pair("v/a", "2")));
  store_.reset();
  EXPECT_TRUE(std::filesystem::exists(left));
}

// RocksDB would create a family through its read-only handle.
TEST_F(StoreTest, ChangingAReadOnlyStoreIsABug) {
  OpenWithFamily();
  Open(/*read_only=*/true);
  EXPECT_DEATH((void)store_->CreateFamily("p000002"), "read_only");
  EXPECT_DEATH((void)store_->DropFamily(kFamily), "read_only");
  EXPECT_DEATH((void)store_->NewIngest(kFamily), "read_only");
  EXPECT_DEATH((void)store_->CompactIfNeeded(kFamily), "read_only");
  EXPECT_DEATH((void)store_->CompactAll(), "read_only");
}

TEST_F(StoreTest, AReadOnlyOpenOfNothingIsAnErrorAndMakesNothing) {
  const auto store = Store::Open(path(), {/*read_only=*/true});
  EXPECT_FALSE(store.ok());
  EXPECT_FALSE(std::filesystem::exists(path() + "/CURRENT"));
}

// --- Compaction --------------------------------------------------------------

TEST_F(StoreTest, CompactIfNeededMergesTablesAndLeavesVectorsWhereTheyAre) {
  OpenWithFamily();
  // All later tables of vectors lie within this one's range, and so above it.
  Commit({{"v/0", "first"}, {"v/9", "last"}});
  std::vector<std::string> vector_tables = TableNames(path());
  for (int i = 0; i < 20; ++i) {
    const std::vector<std::string> before = TableNames(path());
    Commit({{absl::StrCat("v/", 100 + i), std::string(1000, 'v')}});
    for (const std::string& name : TableNames(path())) {
      if (std::count(before.begin(), before.end(), name) == 0) {
        vector_tables.push_back(name);
      }
    }
    Commit({{"m/head", absl::StrCat(i)}, {absl::StrCat("r/", i), "1"}});
  }
  ASSERT_EQ(vector_tables.size(), 21u);
  ASSERT_EQ(TableNames(path()).size(), 41u);
  ASSERT_TRUE(store_->CompactIfNeeded(kFamily).ok());
  const std::vector<std::string> after = TableNames(path());
  EXPECT_EQ(after.size(), 22u) << "the others are one now";
  for (const std::string& name : vector_tables) {
    EXPECT_EQ(std::count(after.begin(), after.end(), name), 1) << name;
  }
  EXPECT_EQ(*store_->Get(kFamily, "m/head"), "19");
  EXPECT_EQ(Contents("r/").size(), 20u);
  EXPECT_EQ(Contents("v/").size(), 22u);
}

TEST_F(StoreTest, CompactIfNeededLeavesAFewTablesAlone) {
  OpenWithFamily();
  for (int i = 0; i < 4; ++i) Commit({{"m/head", absl::StrCat(i)}});
  const std::vector<std::string> before = TableNames(path());
  ASSERT_TRUE(store_->CompactIfNeeded(kFamily).ok());
  EXPECT_EQ(TableNames(path()), before);
}

TEST_F(StoreTest, CompactAllShrinksAfterOverwritesAndDeletes) {
  OpenWithFamily();
  const std::string large(300'000, 'x');
  for (int i = 0; i < 5; ++i) Commit({{"r/a", large}, {"v/a", large}});
  Commit({{"r/b", large}});
  Commit({{"r/b", {}}});
  ASSERT_GT(store_->TableBytes(), 10 * large.size());
  ASSERT_TRUE(store_->CompactAll().ok());
  EXPECT_LT(store_->TableBytes(), 3 * large.size());
  EXPECT_EQ(*store_->Get(kFamily, "r/a"), large);
  EXPECT_TRUE(absl::IsNotFound(store_->Get(kFamily, "r/b").status()));
}

// --- Damage ------------------------------------------------------------------

class DamagedStoreTest : public StoreHarness {
 protected:
  // A closed store with two families.
  void SetUp() override {
    OpenWithFamily();
    Commit({{"r/a", "1"}, {"v/a", std::string(3000, 'v')}});
    Commit({{"m/catalog", "c"}}, std::string(kDefaultFamily));
    store_.reset();
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      const std::string name = entry.path().filename().string();
      if (name.rfind("MANIFEST", 0) == 0) manifest_ = entry.path().string();
    }
    ASSERT_FALSE(manifest_.empty());
  }

  static std::string Read(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  static void Write(const std::string& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
  }

  // Opens the damaged store, and reads all there is if it opens.
  absl::Status OpenAndRead() {
    auto store = Store::Open(path(), {/*read_only=*/true});
    if (!store.ok()) return store.status();
    std::vector<std::string> families = (*store)->Families();
    families.emplace_back(kDefaultFamily);
    size_t keys = 0;
    for (const std::string& family : families) {
      const absl::Status status =
          (*store)->Scan(family, "", [&](absl::string_view, absl::string_view) {
            ++keys;
            return absl::OkStatus();
          });
      if (!status.ok()) return status;
    }
    if (keys != 3) return absl::UnknownError("read something else");
    return absl::OkStatus();
  }

  std::string manifest_;
};

TEST_F(DamagedStoreTest, AnyFlippedByteOfTheManifestIsAnError) {
  const std::string intact = Read(manifest_);
  ASSERT_TRUE(OpenAndRead().ok()) << OpenAndRead();
  int refused = 0;
  for (size_t i = 0; i < intact.size(); ++i) {
    std::string damaged = intact;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
    Write(manifest_, damaged);
    const absl::Status status = OpenAndRead();
    EXPECT_FALSE(status.ok()) << "byte " << i << " of " << intact.size();
    if (absl::IsDataLoss(status)) ++refused;
  }
  EXPECT_GT(refused, 0);
  Write(manifest_, intact);
  EXPECT_TRUE(OpenAndRead().ok());
}

TEST_F(DamagedStoreTest, AnyFlippedByteOfCurrentIsAnError) {
  const std::string current = path() + "/CURRENT";
  const std::string intact = Read(current);
  for (size_t i = 0; i < intact.size(); ++i) {
    std::string damaged = intact;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
    Write(current, damaged);
    EXPECT_FALSE(OpenAndRead().ok()) << "byte " << i;
  }
  for (size_t size = 0; size < intact.size(); ++size) {
    Write(current, intact.substr(0, size));
    EXPECT_FALSE(OpenAndRead().ok()) << size << " bytes";
  }
}

TEST_F(DamagedStoreTest, AMissingTableIsAnError) {
  for (const std::string& name : TableNames(path())) {
    const std::string table = path() + "/" + name;
    const std::string intact = Read(table);
    std::filesystem::remove(table);
    EXPECT_FALSE(OpenAndRead().ok()) << name;
    Write(table, intact);
  }
  EXPECT_TRUE(OpenAndRead().ok());
}

// Also in a table that is not the first of its level, where RocksDB 7.8 by
// default ends a scan as if there were nothing more.
TEST_F(DamagedStoreTest, AFlippedByteInATablesDataIsDataLoss) {
  for (const std::string& name : TableNames(path())) {
    const std::string table = path() + "/" + name;
    const std::string intact = Read(table);
    std::string damaged = intact;
    damaged[4] = static_cast<char>(damaged[4] ^ 1);
    Write(table, damaged);
    const absl::Status status = OpenAndRead();
    EXPECT_TRUE(absl::IsDataLoss(status)) << name << ": " << status;
    Write(table, intact);
  }
}

TEST_F(DamagedStoreTest, ADamagedBlockInTheMiddleOfATableEndsAScanInDataLoss) {
  Open();
  Changes changes;
  for (int i = 0; i < 400; ++i) {
    changes[absl::StrCat("s/", 1000 + i)] = std::string(500, 'x');
  }
  Commit(changes, std::string(kDefaultFamily));
  store_.reset();
  std::string largest;
  for (const std::string& name : TableNames(path())) {
    const std::string table = path() + "/" + name;
    if (largest.empty() || std::filesystem::file_size(table) >
                               std::filesystem::file_size(largest)) {
      largest = table;
    }
  }
  std::string bytes = Read(largest);
  ASSERT_GT(bytes.size(), 200'000u);
  bytes[100'000] = static_cast<char>(bytes[100'000] ^ 1);
  Write(largest, bytes);
  EXPECT_TRUE(absl::IsDataLoss(OpenAndRead())) << OpenAndRead();
}

}  // namespace
}  // namespace engram::kv
