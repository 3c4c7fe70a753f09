// What was deleted leaves all files.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "schema/key_layout.h"
#include "store_harness.h"
#include "tests/support/files_with.h"

namespace engram::kv {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class ExpungeTest : public StoreHarness {
 protected:
  // The files of the store that hold these bytes.
  std::vector<std::string> FilesWith(const std::string& bytes) const {
    return testing::FilesWith(path(), bytes);
  }

  absl::Status Expunge(const std::string& key,
                       const std::string& family = kFamily) {
    const Store::KeyRange range = {key, key};
    absl::Status status = store_->Expunge(family, {&range, 1});
    if (status.ok()) status = store_->RemoveObsoleteFiles();
    return status;
  }

  // What tables hold of a key, the newest first.
  std::vector<std::string> VersionsOf(const std::string& key,
                                      const std::string& family = kFamily) {
    std::vector<std::string> values;
    const absl::Status status = store_->ScanVersions(
        family, {key, key}, [&](absl::string_view, absl::string_view value) {
          values.emplace_back(value);
        });
    EXPECT_TRUE(status.ok()) << status;
    return values;
  }
};

TEST_F(ExpungeTest, ADeletedKeyAndItsValueAreInNoFile) {
  OpenWithFamily();
  Commit({{"m/head", "1"}, {"r/a", "kept"}, {"r/secret", "payload"}});
  Commit({{"m/head", "2"}, {"r/secret", std::nullopt}});
  // The tables, and the manifest: it is the last key of both.
  EXPECT_GE(FilesWith("secret").size(), 3u);
  EXPECT_EQ(VersionsOf("r/secret"), (std::vector<std::string>{"", "payload"}));
  const absl::Status status = Expunge("r/secret");
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(FilesWith("secret"), IsEmpty());
  EXPECT_THAT(FilesWith("payload"), IsEmpty());
  EXPECT_THAT(VersionsOf("r/secret"), IsEmpty());
  EXPECT_THAT(Contents(),
              ElementsAre(Pair("m/head", "2"), Pair("r/a", "kept")));
  Open();
  EXPECT_THAT(Contents(),
              ElementsAre(Pair("m/head", "2"), Pair("r/a", "kept")));
  EXPECT_THAT(store_->Families(), ElementsAre(kFamily));
}

TEST_F(ExpungeTest, ALoneDeletionGoesToo) {
  OpenWithFamily();
  Commit({{"r/secret", std::nullopt}});
  EXPECT_EQ(VersionsOf("r/secret"), (std::vector<std::string>{""}));
  ASSERT_TRUE(Expunge("r/secret").ok());
  EXPECT_THAT(FilesWith("secret"), IsEmpty());
  EXPECT_THAT(VersionsOf("r/secret"), IsEmpty());
}

// Below it is a table that might have the key, and has it no more.
TEST_F(ExpungeTest, ADeletionAboveOtherKeysGoesToo) {
  OpenWithFamily();
  Commit({{"r/a", "kept"}, {"r/z", "kept"}});
  ASSERT_TRUE(store_->CompactFamily(kFamily).ok());
  Commit({{"r/secret", std::nullopt}});
  ASSERT_TRUE(Expunge("r/secret").ok());
  EXPECT_THAT(FilesWith("secret"), IsEmpty());
  EXPECT_THAT(Contents(),
              ElementsAre(Pair("r/a", "kept"), Pair("r/z", "kept")));
}

TEST_F(ExpungeTest, WhatWasReplacedIsInNoFile) {
  OpenWithFamily();
  Commit({{"v/part", "secret"}});
  ASSERT_TRUE(store_->CompactFamily(kFamily).ok());
  Commit({{"v/part", "other"}});
  ASSERT_TRUE(Expunge("v/part").ok());
  EXPECT_THAT(FilesWith("secret"), IsEmpty());
  EXPECT_THAT(Contents(), ElementsAre(Pair("v/part", "other")));
}

TEST_F(ExpungeTest, OfAMemberJustItsOwn) {
  OpenWithFamily();
  const std::string one = schema::MemberName(kFamily, 1);
  const std::string two = schema::MemberName(kFamily, 2);
  Commit({{"r/secret", "payload-1"}}, one);
  Commit({{"r/secret", "payload-2"}}, two);
  Commit({{"r/secret", std::nullopt}}, one);
  ASSERT_TRUE(Expunge("r/secret", one).ok());
  EXPECT_THAT(FilesWith("payload-1"), IsEmpty());
  EXPECT_THAT(VersionsOf("r/secret", one), IsEmpty());
  EXPECT_EQ(VersionsOf("r/secret", two),
            (std::vector<std::string>{"payload-2"}));
}

TEST_F(ExpungeTest, WhoStillReadsAFileIsWaitedForByTheCaller) {
  OpenWithFamily();
  Commit({{"r/secret", "payload"}});
  Commit({{"r/secret", std::nullopt}, {"r/z", "kept"}});
  absl::Status meanwhile;
  const absl::Status scan =
      store_->Scan(kFamily, "", [&](absl::string_view, absl::string_view) {
        meanwhile = Expunge("r/secret");
        return absl::OkStatus();
      });
  ASSERT_TRUE(scan.ok()) << scan;
  EXPECT_TRUE(absl::IsUnavailable(meanwhile)) << meanwhile;
  EXPECT_NE(meanwhile.message().find(".sst"), absl::string_view::npos);
  EXPECT_TRUE(Expunge("r/secret").ok());
  EXPECT_THAT(FilesWith("secret"), IsEmpty());
}

// RocksDB takes a damaged table for the end of a scan, and stops for all
// families when a compaction meets one.
TEST_F(ExpungeTest, DamageIsToldAndStopsNothing) {
  OpenWithFamily();
  ASSERT_TRUE(store_->CreateFamily("p000002").ok());
  Commit({{"r/a", std::string(1000, 'x')}, {"r/secret", "payload"}});
  Commit({{"r/secret", std::nullopt}});
  store_.reset();
  for (const auto& file : std::filesystem::directory_iterator(path())) {
    if (file.path().extension() != ".sst") continue;
    std::fstream stream(file.path(),
                        std::ios::binary | std::ios::in | std::ios::out);
    std::string bytes((std::istreambuf_iterator<char>(stream)), {});
    const size_t at = bytes.find("xxx");
    if (at == std::string::npos) continue;
    stream.clear();
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put('y');
  }
  Open();
  const absl::Status scan = store_->ScanVersions(
      kFamily, {"r/", "r/z"}, [](absl::string_view, absl::string_view) {});
  EXPECT_TRUE(absl::IsDataLoss(scan)) << scan;
  const absl::Status status = Expunge("r/secret");
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  Commit({{"r/b", "other"}}, "p000002");
  EXPECT_THAT(Contents("", "p000002"), ElementsAre(Pair("r/b", "other")));
}

TEST_F(ExpungeTest, AFamilyOfAKilledOwnersIsDropped) {
  Open();
  const std::string left = absl::StrCat(kScratchFamilyPrefix, 7);
  ASSERT_TRUE(store_->CreateFamily(left).ok());
  Commit({{"k", "1"}}, left);
  EXPECT_THAT(store_->Families(), IsEmpty());
  Open();
  EXPECT_TRUE(absl::IsNotFound(store_->Get(left, "k").status()));
  Open(/*read_only=*/true);
  EXPECT_TRUE(absl::IsNotFound(store_->Get(left, "k").status()));
}

TEST_F(ExpungeTest, VersionsAreAllThereHoweverMany) {
  OpenWithFamily();
  for (int i = 0; i < 70; ++i) Commit({{"r/b", absl::StrCat(i)}});
  Commit({{"r/a", "1"}, {"r/b", std::nullopt}, {"r/c", "2"}});
  std::map<std::string, int> counts;
  const absl::Status status = store_->ScanVersions(
      kFamily, {"r/a", "r/c"}, [&](absl::string_view key, absl::string_view) {
        ++counts[std::string(key)];
      });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(counts,
              ElementsAre(Pair("r/a", 1), Pair("r/b", 71), Pair("r/c", 1)));
}

}  // namespace
}  // namespace engram::kv
