#include "engine/space/catalog.h"

#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "schema/key_layout.h"
#include "space_harness.h"
#include "tests/support/damage.h"

namespace engram::space {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

schema::CatalogEntry Entry(uint64_t id, const std::string& name) {
  schema::CatalogEntry entry;
  entry.space = TestSpace();
  entry.space.id = id;
  entry.space.name = name;
  entry.created_lsn = 10 * id;
  entry.family = schema::FamilyName(id);
  return entry;
}

class CatalogTest : public SpaceHarness {
 protected:
  void SetUp() override {
    OpenStore();
    catalog_.catalog_lsn = 70;
    catalog_.low_water_lsn = 60;
    catalog_.next_space_id = 400;
    catalog_.next_family = 12;
  }

  void Save(const std::vector<schema::CatalogEntry>& entries,
            const std::vector<uint64_t>& erased = {},
            const std::vector<schema::ProducerState>& producers = {}) {
    const absl::Status status =
        SaveCatalog(store_.get(), catalog_, {entries, erased, producers});
    ASSERT_TRUE(status.ok()) << status;
  }

  LoadedCatalog Load() {
    const auto loaded = LoadCatalog(*store_);
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return loaded.value_or(LoadedCatalog());
  }

  void PutRaw(const std::string& key, const std::string& value) {
    auto ingest = *store_->NewIngest(kv::kDefaultFamily);
    ASSERT_TRUE(ingest->Put(key, value).ok());
    ASSERT_TRUE(ingest->Commit().ok());
  }

  schema::Catalog catalog_;
};

TEST_F(CatalogTest, ANewStoreHasNone) {
  EXPECT_FALSE(Load().exists);
  EXPECT_THAT(Load().entries, IsEmpty());
}

TEST_F(CatalogTest, WhatIsSavedIsLoadedInTheOrderOfIds) {
  auto dropped = Entry(300, "c");
  dropped.dropped = true;
  auto without_family = Entry(2, "a");
  without_family.family.clear();
  Save({dropped, Entry(5, "b"), without_family});
  OpenStore();
  const LoadedCatalog loaded = Load();
  EXPECT_TRUE(loaded.exists);
  EXPECT_EQ(loaded.catalog.catalog_lsn, 70u);
  EXPECT_EQ(loaded.catalog.low_water_lsn, 60u);
  EXPECT_EQ(loaded.catalog.next_space_id, 400u);
  EXPECT_EQ(loaded.catalog.next_family, 12u);
  ASSERT_EQ(loaded.entries.size(), 3u);
  EXPECT_EQ(loaded.entries[0].space, without_family.space);
  EXPECT_EQ(loaded.entries[0].family, "");
  EXPECT_EQ(loaded.entries[1].created_lsn, 50u);
  EXPECT_FALSE(loaded.entries[1].dropped);
  EXPECT_EQ(loaded.entries[2].family, "p000300");
  EXPECT_TRUE(loaded.entries[2].dropped);
}

TEST_F(CatalogTest, SavingChangesAndErasesWhatIsNamedAndKeepsTheRest) {
  Save({Entry(1, "a"), Entry(2, "b"), Entry(3, "c")});
  auto changed = Entry(2, "b");
  changed.family = "p000099";
  catalog_.catalog_lsn = 80;
  Save({changed}, {3, 17});
  const LoadedCatalog loaded = Load();
  EXPECT_EQ(loaded.catalog.catalog_lsn, 80u);
  ASSERT_EQ(loaded.entries.size(), 2u);
  EXPECT_EQ(loaded.entries[0].space.name, "a");
  EXPECT_EQ(loaded.entries[1].family, "p000099");
}

TEST_F(CatalogTest, AnEntryThatIsBothGivenAndErasedStays) {
  Save({Entry(1, "a")}, {1});
  EXPECT_EQ(Load().entries.size(), 1u);
}

TEST_F(CatalogTest, ProducersAreKeptBesideTheSpaces) {
  Save({Entry(1, "a")}, {}, {{9, 5, 50}, {1, 6, 60}});
  Save({}, {}, {{9, 7, 70}});
  OpenStore();
  const LoadedCatalog loaded = Load();
  EXPECT_EQ(loaded.entries.size(), 1u);
  EXPECT_THAT(loaded.producers, ElementsAre(schema::ProducerState{1, 6, 60},
                                            schema::ProducerState{9, 7, 70}));
}

TEST_F(CatalogTest, AProducerAheadOfTheCatalogIsDataLoss) {
  Save({}, {}, {{9, 5, 71}});
  const absl::Status status = LoadCatalog(*store_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("producer 9 wrote LSN 71, the catalog ends at 70"));
}

TEST_F(CatalogTest, SavedOftenItStaysOneTableOrAFew) {
  for (int i = 0; i < 60; ++i) {
    catalog_.catalog_lsn = 100 + i;
    Save({Entry(1, "a")});
    ASSERT_TRUE(store_->CompactIfNeeded(kv::kDefaultFamily).ok());
  }
  EXPECT_EQ(Load().catalog.catalog_lsn, 159u);
  EXPECT_LT(store_->TableBytes(), 20'000u);
}

TEST_F(CatalogTest, DamageIsDataLossThatNamesTheCatalog) {
  Save({Entry(1, "a"), Entry(2, "b")}, {}, {{9, 5, 50}});
  std::map<std::string, std::string> intact;
  ASSERT_TRUE(store_
                  ->Scan(kv::kDefaultFamily, "",
                         [&](absl::string_view key, absl::string_view value) {
                           intact[std::string(key)] = std::string(value);
                           return absl::OkStatus();
                         })
                  .ok());
  ASSERT_EQ(intact.size(), 4u);
  const std::string other_entry = intact[schema::CatalogEntryKey(2)];
  for (const auto& [key, value] : intact) {
    for (const std::string& damaged :
         {std::string(), value.substr(0, value.size() - 1),
          testing::FlipBit(value, 8 * (value.size() / 2)),
          key == schema::CatalogEntryKey(2) ? intact["m/catalog"]
                                            : other_entry}) {
      PutRaw(key, damaged);
      const absl::Status status = LoadCatalog(*store_).status();
      EXPECT_TRUE(absl::IsDataLoss(status)) << key << ": " << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr("catalog"));
    }
    PutRaw(key, value);
  }
  EXPECT_EQ(Load().entries.size(), 2u);
}

TEST_F(CatalogTest, AnEntryUnderAStrangeKeyIsDataLoss) {
  Save({Entry(1, "a")});
  const std::string value =
      *store_->Get(kv::kDefaultFamily, schema::CatalogEntryKey(1));
  for (const std::string& key : {std::string("s/"), std::string("s/short"),
                                 std::string("s/012345678")}) {
    PutRaw(key, value);
    EXPECT_TRUE(absl::IsDataLoss(LoadCatalog(*store_).status())) << key;
    auto ingest = *store_->NewIngest(kv::kDefaultFamily);
    ASSERT_TRUE(ingest->Delete(key).ok());
    ASSERT_TRUE(ingest->Commit().ok());
  }
  EXPECT_EQ(Load().entries.size(), 1u);
}

TEST_F(CatalogTest, ASpaceFromTheFutureIsDataLoss) {
  catalog_.next_space_id = 5;
  Save({Entry(5, "a")});
  const absl::Status status = LoadCatalog(*store_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("space 5"));
}

}  // namespace
}  // namespace engram::space
