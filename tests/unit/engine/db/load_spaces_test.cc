// Opening a database whose catalog or heads are not what one expects: because
// its owner was killed between two steps, or because they are damaged.

#include <filesystem>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "engine/space/catalog.h"
#include "engram/db.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "schema/key_layout.h"
#include "storage/kv/store.h"
#include "tests/support/child_process.h"
#include "tests/support/damage.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::RunInChild;
using testing::TestVector;

constexpr uint32_t kDimension = 8;

class LoadSpacesTest : public ::testing::Test {
 protected:
  static Options SmallLog() {
    Options options;
    options.wal_segment_bytes = 256 << 10;
    options.wal_limit_bytes = 4 << 20;
    options.workers = 1;
    return options;
  }

  absl::StatusOr<std::unique_ptr<Db>> Open() const {
    return Db::Open(path(), SmallLog());
  }

  // For a child: a database that nothing ever closes.
  Db* OpenForEver() const { return Open().value().release(); }

  // Observes one id in space "a", which is made if there is none. The LSN; 0
  // if it fails.
  static Lsn ObserveIn(Db* db, const std::string& id) {
    SpaceOptions options;
    options.dimension = kDimension;
    auto space = db->OpenSpace("a", options);
    if (!space.ok()) return 0;
    return space->Observe({id, TestVector(kDimension, 1), "payload"})
        .value_or(0);
  }

  // Changes the store of a database that is not open.
  void EditStore(const std::function<void(kv::Store*)>& edit) {
    auto store = kv::Store::Open(path() + "/kv", {});
    ASSERT_TRUE(store.ok()) << store.status();
    edit(store->get());
  }

  // Adds a space "a" with a family of its own to the catalog, as an owner does
  // before it saves the space.
  void List(uint64_t id, Lsn created_lsn) {
    EditStore([&](kv::Store* store) {
      auto loaded = *space::LoadCatalog(*store);
      schema::CatalogEntry entry;
      entry.space.id = id;
      entry.space.name = "a";
      entry.space.dimension = kDimension;
      entry.created_lsn = created_lsn;
      entry.family = schema::FamilyName(loaded.catalog.next_family++);
      loaded.catalog.next_space_id = id + 1;
      ASSERT_TRUE(store->CreateFamily(entry.family).ok());
      ASSERT_TRUE(
          space::SaveCatalog(store, loaded.catalog, {{entry}, {}, {}}).ok());
    });
  }

  // Opens twice, the second time after a clean close.
  void ExpectIds(const std::vector<std::string>& ids) {
    for (int round = 0; round < 2; ++round) {
      auto db = Open();
      ASSERT_TRUE(db.ok()) << db.status();
      auto space = (*db)->OpenSpace("a", {});
      ASSERT_TRUE(space.ok()) << space.status();
      EXPECT_EQ(*space->ListIds(), ids);
      for (const std::string& id : ids) {
        EXPECT_EQ(space->Get(id)->payload, "payload");
      }
      ASSERT_TRUE((*db)->Close().ok());
    }
  }

  std::string path() const { return directory_.PathOf("db"); }
  std::string kv_path() const { return path() + "/kv"; }

  testing::TemporaryDirectory directory_;
};

// --- A space that was dropped and made again under its name ------------------

// The owner was killed in its first checkpoint after the change: the new space
// is in the catalog, and that the old one was dropped is not.
TEST_F(LoadSpacesTest, AKillAfterTheNewSpaceWasListedBesideTheOld) {
  if (!testing::kChildrenMayStartThreads) GTEST_SKIP() << "forks threads";
  const int first = RunInChild([&] {
    Db* const db = OpenForEver();
    const Lsn lsn = ObserveIn(db, "old");
    return db->Checkpoint().ok() ? static_cast<int>(lsn) : 0;
  });
  ASSERT_GT(first, 0);
  const std::string saved = directory_.PathOf("saved");
  std::filesystem::copy(kv_path(), saved,
                        std::filesystem::copy_options::recursive);
  const int second = RunInChild([&] {
    Db* const db = OpenForEver();
    if (!db->DropSpace("a").ok()) return 0;
    return static_cast<int>(ObserveIn(db, "new"));
  });
  ASSERT_GT(second, first);
  std::filesystem::remove_all(kv_path());
  std::filesystem::rename(saved, kv_path());
  List(2, static_cast<Lsn>(second) - 1);
  ExpectIds({"new"});
  EditStore([](kv::Store* store) {
    EXPECT_EQ(store->Families().size(), 1u) << "the old one's is gone";
    EXPECT_EQ(space::LoadCatalog(*store)->entries.size(), 1u);
  });
}

// The catalog knows the new space, and the log still holds the creation of the
// old one.
TEST_F(LoadSpacesTest, AKillBeforeTheCatalogsLsnCaughtUp) {
  if (!testing::kChildrenMayStartThreads) GTEST_SKIP() << "forks threads";
  const int last = RunInChild([&] {
    Db* const db = OpenForEver();
    if (ObserveIn(db, "old") == 0) return 0;
    if (!db->DropSpace("a").ok()) return 0;
    return static_cast<int>(ObserveIn(db, "new"));
  });
  ASSERT_GT(last, 0);
  std::filesystem::remove_all(kv_path());
  List(2, static_cast<Lsn>(last) - 1);
  ExpectIds({"new"});
}

TEST_F(LoadSpacesTest, ACreationUnderANameThatAnOlderSpaceHasIsDataLoss) {
  if (!testing::kChildrenMayStartThreads) GTEST_SKIP() << "forks threads";
  const int last = RunInChild(
      [&] { return static_cast<int>(ObserveIn(OpenForEver(), "x")); });
  ASSERT_GT(last, 0);
  std::filesystem::remove_all(kv_path());
  // Created before the record in the log, and not dropped there.
  List(5, 0);
  const absl::Status status = Open().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("taken"));
}

// --- Heads -------------------------------------------------------------------

class DamagedHeadTest : public LoadSpacesTest {
 protected:
  void SetUp() override {
    auto db = *Open();
    ASSERT_GT(ObserveIn(db.get(), "x"), 0u);
    ASSERT_TRUE(db->Close().ok());
    EditStore([this](kv::Store* store) {
      ASSERT_THAT(store->Families(), ElementsAre("p000001"));
      head_ = *store->Get("p000001", schema::kHeadKey);
      record_ = *store->Get("p000001", schema::RecordKey("x"));
    });
  }

  void PutHead(const std::optional<std::string>& value) {
    EditStore([&](kv::Store* store) {
      auto ingest = *store->NewIngest("p000001");
      ASSERT_TRUE((value.has_value() ? ingest->Put(schema::kHeadKey, *value)
                                     : ingest->Delete(schema::kHeadKey))
                      .ok());
      ASSERT_TRUE(ingest->Commit().ok());
    });
  }

  void ExpectLoss() {
    const absl::Status status = Open().status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("column family p000001, key m/head"));
  }

  std::string head_;
  std::string record_;
};

TEST_F(DamagedHeadTest, ADamagedHeadIsDataLossThatNamesFamilyAndKey) {
  for (const std::string& damaged :
       {std::string(), head_.substr(0, head_.size() - 1), head_.substr(0, 10),
        testing::FlipBit(head_, 8 * 30), testing::FlipBit(head_, 3), record_}) {
    PutHead(damaged);
    ExpectLoss();
  }
  PutHead(head_);
  ExpectIds({"x"});
}

// Its records would be gone without a word: the log no longer has them.
TEST_F(DamagedHeadTest, AMissingHeadIsDataLossNotAnEmptySpace) {
  PutHead(std::nullopt);
  ExpectLoss();
}

TEST_F(DamagedHeadTest, AMissingFamilyIsDataLossNotAnEmptySpace) {
  EditStore(
      [](kv::Store* store) { ASSERT_TRUE(store->DropFamily("p000001").ok()); });
  ExpectLoss();
}

TEST_F(DamagedHeadTest, AFamilyThatWasNeverWrittenToIsThatOfANewSpace) {
  if (!testing::kChildrenMayStartThreads) GTEST_SKIP() << "forks threads";
  const int last = RunInChild([&] {
    Db* const db = OpenForEver();
    if (!db->DropSpace("a").ok() || !db->Checkpoint().ok()) return 0;
    return static_cast<int>(ObserveIn(db, "y"));
  });
  ASSERT_GT(last, 0);
  // The family, but not yet its head.
  List(2, static_cast<Lsn>(last) - 1);
  ExpectIds({"y"});
}

// The log was shortened: what it held is nowhere else.
TEST_F(DamagedHeadTest, AMissingStoreIsDataLossNotAnEmptyDatabase) {
  {
    auto db = *Open();
    ASSERT_GT(ObserveIn(db.get(), "y"), 0u);
    ASSERT_TRUE(db->Close().ok());
  }
  ASSERT_TRUE((*Open())->Close().ok());
  std::filesystem::remove_all(kv_path());
  const absl::Status status = Open().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

}  // namespace
}  // namespace engram
