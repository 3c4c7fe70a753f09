// The file in which a database says how it is, for other processes.

#include "schema/stats_page.h"

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engram/db.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/io/page_file.h"
#include "tests/support/exposition.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using ::testing::IsEmpty;
using testing::TestVector;

class StatsPageTest : public ::testing::Test {
 protected:
  void Open() {
    auto db = Db::Open(directory_.PathOf("db"), options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  // As an owner leaves it that was killed.
  void LeavePage() {
    auto file = io::PageFile::Open(path_);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE(file->Overwrite(schema::EncodeStatsPage(
                                    {1, 1, std::string(1 << 20, 'x')}))
                    .ok());
  }

  bool Exists() const { return std::filesystem::exists(path_); }

  // The page once its series `name` is above `bound`.
  schema::StatsPage AwaitAbove(const std::string& name, double bound) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    for (;;) {
      const auto bytes = io::ReadPageFile(path_, schema::kStatsPageBytesMax);
      const auto page = schema::DecodeStatsPage(bytes.value_or(""));
      if (page.ok()) {
        const testing::Exposition text = testing::ParseExposition(page->text);
        EXPECT_THAT(text.faults, IsEmpty());
        const auto it = text.series.find(name);
        if (it != text.series.end() && it->second > bound) return *page;
      }
      if (absl::Now() > deadline) {
        ADD_FAILURE() << name << " does not rise: " << page.status();
        return {};
      }
      absl::SleepFor(absl::Milliseconds(5));
    }
  }

  const testing::TemporaryDirectory directory_;
  const std::string path_ = directory_.PathOf("db") + "/STATS";
  Options options_;
  std::unique_ptr<Db> db_;
};

TEST_F(StatsPageTest, SaysWhatHappensAsLongAsTheDatabaseIsOpen) {
  options_.stats_interval = absl::Milliseconds(10);
  Open();
  const schema::StatsPage first = AwaitAbove("engram_workers", 0);
  EXPECT_EQ(first.pid, ::getpid());
  SpaceOptions options;
  options.dimension = 8;
  Space space = db_->OpenSpace("a", options).value();
  ASSERT_TRUE(space.Observe({"x", TestVector(8, 1), ""}).ok());
  const schema::StatsPage second =
      AwaitAbove("engram_space_live_records{space=\"a\"}", 0);
  EXPECT_GT(second.unix_micros, first.unix_micros);
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_FALSE(Exists());
}

TEST_F(StatsPageTest, WhatAKilledOwnerLeftIsReplaced) {
  options_.stats_interval = absl::Milliseconds(10);
  Open();
  ASSERT_TRUE(db_->Close().ok());
  LeavePage();
  Open();
  const auto is_ours = [this] {
    const auto bytes = io::ReadPageFile(path_, schema::kStatsPageBytesMax);
    const auto page = schema::DecodeStatsPage(bytes.value_or(""));
    return page.ok() && page->pid == ::getpid();
  };
  for (int i = 0; i < 4000 && !is_ours(); ++i) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_TRUE(is_ours());
}

TEST_F(StatsPageTest, IsNotThereUnlessAnOwnerWantsIt) {
  options_.stats_interval = absl::ZeroDuration();
  Open();
  ASSERT_TRUE(db_->Close().ok());
  LeavePage();
  Open();
  EXPECT_FALSE(Exists());
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_FALSE(Exists());
  ASSERT_TRUE(db_->Close().ok());
  options_.stats_interval = absl::Milliseconds(1);
  options_.read_only = true;
  Open();
  absl::SleepFor(absl::Milliseconds(30));
  EXPECT_FALSE(Exists());
  ASSERT_TRUE(db_->Close().ok());
  db_.reset();
  options_.stats_interval = absl::Milliseconds(-1);
  EXPECT_TRUE(absl::IsInvalidArgument(
      Db::Open(directory_.PathOf("db"), options_).status()));
}

TEST_F(StatsPageTest, OfVeryManySpacesItHasThoseThatWereUsedLast) {
  constexpr int kSpaces = 520;
  options_.stats_interval = absl::Milliseconds(20);
  Open();
  SpaceOptions space_options;
  space_options.dimension = 4;
  Space last;
  for (int i = 0; i < kSpaces; ++i) {
    last = db_->OpenSpace(absl::StrCat("s", i), space_options).value();
  }
  ASSERT_TRUE(last.Observe({"a", TestVector(4, 1), ""}).ok());
  const std::string used = absl::StrCat("{space=\"s", kSpaces - 1, "\"}");
  const schema::StatsPage page =
      AwaitAbove("engram_space_live_records" + used, 0);
  const testing::Exposition text = testing::ParseExposition(page.text);
  EXPECT_EQ(text.series.at("engram_spaces"), kSpaces);
  int shown = 0;
  for (const auto& [name, value] : text.series) {
    shown += absl::StartsWith(name, "engram_space_live_records{") ? 1 : 0;
  }
  EXPECT_EQ(shown, 512);
  EXPECT_EQ(db_->GetMetrics()->spaces.size(), size_t{kSpaces});
}

}  // namespace
}  // namespace engram
