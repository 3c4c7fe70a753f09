// Families that several members share.

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "schema/key_layout.h"
#include "store_harness.h"

namespace engram::kv {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class SharedFamilyTest : public StoreHarness {
 protected:
  static std::string Member(uint64_t id) {
    return schema::MemberName(kFamily, id);
  }

  std::vector<std::string> damaged_;
};

TEST_F(SharedFamilyTest, EachMemberHasKeysOfItsOwn) {
  OpenWithFamily();
  Commit({{"m/head", "1"}, {"r/a", "2"}, {"v/a", "3"}}, Member(1));
  Commit({{"m/head", "4"}, {"r/b", "5"}, {"v/b", "6"}}, Member(2));
  EXPECT_THAT(
      Contents("", Member(1)),
      ElementsAre(Pair("m/head", "1"), Pair("r/a", "2"), Pair("v/a", "3")));
  EXPECT_THAT(
      Contents("", Member(2)),
      ElementsAre(Pair("m/head", "4"), Pair("r/b", "5"), Pair("v/b", "6")));
  EXPECT_THAT(Contents("r/", Member(1)), ElementsAre(Pair("r/a", "2")));
  EXPECT_THAT(Contents("v/", Member(2)), ElementsAre(Pair("v/b", "6")));
  EXPECT_EQ(*store_->Get(Member(2), "m/head"), "4");
  EXPECT_TRUE(absl::IsNotFound(store_->Get(Member(2), "r/a").status()));
  EXPECT_TRUE(absl::IsNotFound(store_->Get(Member(3), "m/head").status()));
  EXPECT_THAT(Contents("", Member(3)), IsEmpty());
  EXPECT_THAT(store_->Families(), ElementsAre(kFamily));
  Open();
  EXPECT_EQ(Contents("", Member(1)).size(), 3u);
}

TEST_F(SharedFamilyTest, AFamilyThatIsNotThereHasNoMembers) {
  Open();
  EXPECT_TRUE(absl::IsNotFound(store_->Get(Member(1), "m/head").status()));
  EXPECT_TRUE(absl::IsNotFound(store_->NewIngest(Member(1)).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->DropFamily(Member(1))));
  EXPECT_TRUE(store_->DropMembers({Member(1)}, &damaged_).ok());
}

TEST_F(SharedFamilyTest, OneIngestionTakesSeveralMembersOrNone) {
  OpenWithFamily();
  for (const bool commits : {false, true}) {
    auto ingest = store_->NewIngest(kFamily).value();
    for (const uint64_t id : {3u, 9u, 300u}) {
      ingest->SelectMember(id);
      ASSERT_TRUE(ingest->Put("v/a", absl::StrCat("v", id)).ok());
      ASSERT_TRUE(ingest->Put("m/head", absl::StrCat(id)).ok());
    }
    if (commits) {
      ASSERT_TRUE(ingest->Commit().ok());
    }
    for (const uint64_t id : {3u, 9u, 300u}) {
      EXPECT_EQ(store_->Get(Member(id), "m/head").ok(), commits);
      if (commits) {
        EXPECT_EQ(*store_->Get(Member(id), "v/a"), absl::StrCat("v", id));
      }
    }
  }
}

TEST_F(SharedFamilyTest, MembersMustAscend) {
  OpenWithFamily();
  auto ingest = store_->NewIngest(kFamily).value();
  ingest->SelectMember(2);
  ASSERT_TRUE(ingest->Put("m/head", "2").ok());
  ingest->SelectMember(1);
  EXPECT_FALSE(ingest->Put("m/head", "1").ok());
}

TEST_F(SharedFamilyTest, ADroppedMemberLeavesTheOthers) {
  OpenWithFamily();
  for (uint64_t id = 1; id <= 5; ++id) {
    Commit({{"m/head", "1"}, {"r/a", "2"}, {"v/a", "3"}}, Member(id));
  }
  ASSERT_TRUE(store_->DropFamily(Member(2)).ok());
  ASSERT_TRUE(
      store_->DropMembers({Member(5), Member(1), "p000099/7"}, &damaged_).ok());
  for (uint64_t id = 1; id <= 5; ++id) {
    const bool stays = id == 3 || id == 4;
    EXPECT_EQ(Contents("", Member(id)).size(), stays ? 3u : 0u) << id;
  }
  ASSERT_TRUE(store_->DropMembers({Member(1)}, &damaged_).ok())
      << "a second time";
  EXPECT_EQ(Contents("", kFamily).size(), 6u);
}

TEST_F(SharedFamilyTest, ALargeMemberGivesItsRoomBackAtOnce) {
  OpenWithFamily();
  const std::string large(3'000'000, 'x');
  Commit({{"m/head", "1"}, {"v/a", large}}, Member(1));
  Commit({{"m/head", "1"}, {"v/a", large}}, Member(2));
  ASSERT_TRUE(store_->DropFamily(Member(1)).ok());
  EXPECT_LT(store_->TableBytes(), large.size() + 100'000);
  EXPECT_EQ(*store_->Get(Member(2), "v/a"), large);
}

TEST_F(SharedFamilyTest, WhatCannotBeReadStaysAndOthersGo) {
  OpenWithFamily();
  Commit({{"m/head", "1"}, {"r/a", std::string(500'000, 'x')}}, Member(1));
  Commit({{"m/head", "1"}}, Member(2));
  store_.reset();
  for (const auto& entry : std::filesystem::directory_iterator(path())) {
    if (entry.path().extension() != ".sst" || entry.file_size() < 400'000) {
      continue;
    }
    std::fstream file(entry.path(),
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(200'000);
    file.put('y');
  }
  Open();
  ASSERT_TRUE(store_->DropMembers({Member(1), Member(2)}, &damaged_).ok());
  EXPECT_THAT(damaged_, ElementsAre(Member(1)));
  EXPECT_THAT(Contents("", Member(2)), IsEmpty());
  EXPECT_TRUE(absl::IsDataLoss(store_->DropFamily(Member(1))));
}

TEST_F(SharedFamilyTest, CompactionGivesBackWhatAMemberReplaced) {
  OpenWithFamily();
  const std::string large(100'000, 'x');
  for (int round = 0; round < 4; ++round) {
    Commit({{"r/a", large}, {"v/a", large}}, Member(1));
    Commit({{"r/a", large}, {"v/a", large}}, Member(2));
  }
  const uint64_t before = store_->TableBytes();
  ASSERT_TRUE(store_->CompactFamily(Member(1)).ok());
  EXPECT_LT(store_->TableBytes(), before - 3 * large.size());
  EXPECT_EQ(*store_->Get(Member(1), "r/a"), large);
  EXPECT_EQ(*store_->Get(Member(2), "v/a"), large);
}

TEST_F(SharedFamilyTest, ManyFamiliesAreMadeAtOnce) {
  Open();
  ASSERT_TRUE(store_->CreateFamilies({}).ok());
  ASSERT_TRUE(store_->CreateFamilies({"p000001", "p000002", "p000003"}).ok());
  EXPECT_THAT(store_->Families(), ElementsAre("p000001", "p000002", "p000003"));
  EXPECT_FALSE(store_->CreateFamilies({"p000004", "p000001"}).ok());
  EXPECT_TRUE(store_->NewIngest("p000004").ok()) << "it was made before";
  Open();
  EXPECT_THAT(store_->Families(),
              ElementsAre("p000001", "p000002", "p000003", "p000004"));
}

}  // namespace
}  // namespace engram::kv
