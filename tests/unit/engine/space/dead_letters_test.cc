// Versions for which the index has no room.

#include <sys/resource.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/space/checkpoint_writer.h"
#include "gmock/gmock.h"
#include "schema/key_layout.h"
#include "space_harness.h"
#include "tests/support/damage.h"
#include "tests/support/slow_build.h"
#include "tests/support/test_vectors.h"

namespace engram::space {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SpaceDeadLettersTest : public SpaceHarness {
 protected:
  void SetUp() override {
    slots_max_ = 10;
    OpenStore();
    Make();
  }

  void ObserveSome(int first, int end) {
    for (int i = first; i < end; ++i) {
      Observe(absl::StrCat("id", i), static_cast<uint64_t>(i),
              absl::StrCat("payload ", i));
    }
    ServeAll();
  }

  std::vector<std::string> DeadIds() const {
    std::vector<std::string> ids;
    for (const DeadLetters::Letter& letter : space_->ListDeadLetters()) {
      ids.emplace_back(letter.entry->record.id);
    }
    return ids;
  }

  size_t SavedDeadLetters() const {
    size_t count = 0;
    EXPECT_TRUE(store_
                    ->Scan(kFamily, schema::kDeadLetterPrefix,
                           [&count](absl::string_view, absl::string_view) {
                             ++count;
                             return absl::OkStatus();
                           })
                    .ok());
    return count;
  }
};

TEST_F(SpaceDeadLettersTest, WhatHasNoRoomIsKeptAndFound) {
  ObserveSome(0, 13);
  EXPECT_THAT(DeadIds(), ElementsAre("id10", "id11", "id12"));
  const absl::Status status = space_->ListDeadLetters()[0].status;
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("holds 10 of at most 10 versions"));
  EXPECT_EQ(space_->GetStats(0).dead_letters, 3u);
  EXPECT_EQ(space_->GetStats(0).nodes, 10u);
  EXPECT_EQ(space_->pending_records(), 0u);
  EXPECT_TRUE(space_->IsIndexed(last_lsn_));
  ExpectMatchesModel();
}

// Searches ask for it with the space locked.
TEST_F(SpaceDeadLettersTest, TheListOfEntriesIsMadeOnceForEachChange) {
  ObserveSome(0, 12);
  const auto added = space_->ListDeadLetters();
  ASSERT_EQ(added.size(), 2u);
  DeadLetters letters;
  EXPECT_EQ(letters.Entries(), nullptr);
  for (const DeadLetters::Letter& letter : added) {
    letters.Add(letter.entry->record, 0, letter.status, false);
  }
  const auto both = letters.Entries();
  ASSERT_EQ(both->size(), 2u);
  EXPECT_EQ(letters.Entries(), both) << "a copy for each search";
  const Lsn first = (*both)[0]->record.lsn;
  const Lsn second = (*both)[1]->record.lsn;
  EXPECT_LT(first, second);
  EXPECT_EQ(letters.Find(second), (*both)[1]);
  EXPECT_EQ(letters.Find(second + 1), nullptr);
  letters.End(first);
  ASSERT_EQ(letters.Entries()->size(), 1u);
  EXPECT_EQ((*letters.Entries())[0]->record.lsn, second);
  EXPECT_EQ((*both)[0]->record.lsn, first) << "a search may still read it";
  letters.End(second);
  EXPECT_EQ(letters.Entries(), nullptr);
}

TEST_F(SpaceDeadLettersTest, OneIsFoundByItsLsnUntilItsSuccessorIsPublished) {
  ObserveSome(0, 13);
  const Lsn lsn = space_->ListDeadLetters()[1].entry->record.lsn;
  ASSERT_NE(space_->FindDeadLetter(lsn), nullptr);
  EXPECT_EQ(space_->FindDeadLetter(lsn)->record.id, "id11");
  EXPECT_EQ(space_->FindDeadLetter(1), nullptr);
  Remove("id11");
  EXPECT_EQ(space_->FindDeadLetter(lsn), nullptr);
  ServeAll();
  EXPECT_EQ(space_->FindDeadLetter(lsn), nullptr);
}

TEST_F(SpaceDeadLettersTest, AWriteOrARemovalOfItsIdEndsOne) {
  ObserveSome(0, 13);
  Remove("id10");
  Observe("id11", 50, "again");  // still no room
  ExpectMatchesModel();          // while these are pending
  ServeAll();
  EXPECT_THAT(DeadIds(), ElementsAre("id12", "id11"));
  ExpectMatchesModel();
  Remove("id3");
  ServeAll();
  while (space_->Tidy()) {
  }
  Observe("id12", 60, "now there is room");
  ServeAll();
  EXPECT_THAT(DeadIds(), ElementsAre("id11"));
  ExpectMatchesModel();
}

TEST_F(SpaceDeadLettersTest, OneMayEndASavedVersion) {
  ObserveSome(0, 10);
  Checkpoint();
  Observe("id4", 70, "later");
  ServeAll();
  EXPECT_THAT(DeadIds(), ElementsAre("id4"));
  ExpectMatchesModel();
  Checkpoint();
  ASSERT_TRUE(Reload().ok());
  EXPECT_THAT(DeadIds(), ElementsAre("id4"));
  ExpectMatchesModel();
}

TEST_F(SpaceDeadLettersTest, TheyAreSavedAndComeBackWithTheirReason) {
  ObserveSome(0, 14);
  const std::string why(space_->ListDeadLetters()[0].status.message());
  Checkpoint();
  EXPECT_EQ(SavedDeadLetters(), 4u);
  EXPECT_EQ(ReadHead().dead_letters, 4u);
  ASSERT_TRUE(Reload().ok());
  ExpectMatchesModel();
  EXPECT_EQ(space_->ListDeadLetters()[0].status.message(), why);
  // One goes, one comes, one is replaced.
  Remove("id11");
  ObserveSome(14, 15);
  Observe("id12", 90);
  ServeAll();
  Checkpoint();
  EXPECT_EQ(SavedDeadLetters(), 4u);
  ASSERT_TRUE(Reload().ok());
  EXPECT_THAT(DeadIds(), ElementsAre("id10", "id13", "id14", "id12"));
  ExpectMatchesModel();
}

TEST_F(SpaceDeadLettersTest, AFailedCheckpointForgetsNone) {
  ObserveSome(0, 12);
  Checkpoint();
  Remove("id10");
  ObserveSome(12, 13);
  std::filesystem::remove_all(path() + "/scratch");
  EXPECT_FALSE(CheckpointSpace(space_.get(), store_.get()).ok());
  std::filesystem::create_directory(path() + "/scratch");
  EXPECT_EQ(SavedDeadLetters(), 2u);
  Checkpoint();
  EXPECT_EQ(SavedDeadLetters(), 2u);
  ASSERT_TRUE(Reload().ok());
  EXPECT_THAT(DeadIds(), ElementsAre("id11", "id12"));
  ExpectMatchesModel();
}

// It ends between the copying and the commit of a checkpoint that has it.
TEST_F(SpaceDeadLettersTest, OneThatEndsDuringACheckpointGoesWithTheNext) {
  ObserveSome(0, 11);
  const auto end_it = [this](Lsn) {
    Remove("id10");
    ServeAll();
    return absl::OkStatus();
  };
  ASSERT_TRUE(CheckpointSpace(space_.get(), store_.get(), end_it).ok());
  EXPECT_EQ(SavedDeadLetters(), 1u);
  EXPECT_THAT(DeadIds(), IsEmpty());
  Checkpoint();
  EXPECT_EQ(SavedDeadLetters(), 0u);
  ASSERT_TRUE(Reload().ok());
  ExpectMatchesModel();
}

TEST_F(SpaceDeadLettersTest, ASearchThatBeganBeforeTheEndStillFindsIt) {
  ObserveSome(0, 11);
  // The successor is published, and not indexed.
  Remove("id10");
  EXPECT_EQ(space_->GetStats(0).dead_letters, 1u);
  ExpectMatchesModel();
  ServeAll();
  EXPECT_EQ(space_->GetStats(0).dead_letters, 0u);
}

// The process gets no more memory than it has, but for so much.
class MemoryLimit {
 public:
  explicit MemoryLimit(uint64_t spare_bytes) {
    ::getrlimit(RLIMIT_AS, &before_);
    uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    rlimit limit = before_;
    limit.rlim_cur = pages * 4096 + spare_bytes;
    EXPECT_EQ(::setrlimit(RLIMIT_AS, &limit), 0);
  }
  ~MemoryLimit() { ::setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_ = {};
};

TEST_F(SpaceDeadLettersTest, WithoutMemoryForAGraphASpaceStaysFlat) {
  if (testing::kSanitizer) GTEST_SKIP() << "it takes address space itself";
  slots_max_ = SpaceLimits().slots_max;
  Make(/*flat_records_max=*/5);
  {
    const MemoryLimit limit(1 << 20);  // a chunk needs more than two
    ObserveSome(0, 10);
    EXPECT_FALSE(space_->GetStats(0).has_graph);
  }
  EXPECT_THAT(DeadIds(), IsEmpty());
  ExpectMatchesModel();
  ObserveSome(10, 11);
  EXPECT_TRUE(space_->GetStats(0).has_graph);
  ExpectMatchesModel();
}

TEST_F(SpaceDeadLettersTest, WithoutMemoryForNodesTheRestAreDeadLetters) {
  if (testing::kSanitizer) GTEST_SKIP() << "it takes address space itself";
  // A chunk of the graph holds 2,048 of these, and takes many megabytes.
  description_.dimension = 1000;
  slots_max_ = SpaceLimits().slots_max;
  Make(/*flat_records_max=*/5);
  ObserveSome(0, 2000);
  {
    const MemoryLimit limit(6 << 20);
    ObserveSome(2000, 2100);
  }
  EXPECT_EQ(DeadIds().size(), 52u);
  EXPECT_EQ(space_->GetStats(0).nodes, 2048u);
  for (const int i : {2048, 2099}) {
    const std::vector<Hit> hits =
        Search(testing::TestVector(1000, static_cast<uint64_t>(i)), 1);
    ASSERT_EQ(hits.size(), 1u);
    EXPECT_EQ(hits[0].id, absl::StrCat("id", i));
  }
  ObserveSome(2000, 2100);
  EXPECT_THAT(DeadIds(), IsEmpty());
}

TEST_F(SpaceDeadLettersTest, DamageIsDataLossThatNamesTheKey) {
  ObserveSome(0, 12);
  Checkpoint();
  const Lsn lsn = space_->ListDeadLetters()[0].entry->record.lsn;
  const std::string key = schema::DeadLetterKey(lsn);
  const std::string intact = *store_->Get(kFamily, key);
  const auto put = [this](const std::string& k, const std::string& value) {
    auto ingest = *store_->NewIngest(kFamily);
    ASSERT_TRUE(
        (value.empty() ? ingest->Delete(k) : ingest->Put(k, value)).ok());
    ASSERT_TRUE(ingest->Commit().ok());
  };
  const std::vector<float> vector = testing::TestVector(kTestDimension, 1);
  const auto letter = [&](Lsn of, const std::string& id) {
    return schema::EncodeDeadLetter(
        TestSpace().id,
        {of, 0, id, vector, "p", absl::StatusCode::kResourceExhausted, "why"});
  };
  for (const std::string& damaged :
       {testing::FlipBit(intact, 8 * (intact.size() / 2)), std::string(),
        letter(lsn + 1, "id10"), letter(lsn, "id3")}) {
    put(key, damaged);
    const absl::Status status = Reload();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(damaged.empty() ? "there are 1 dead letters, and it "
                                            "says 2"
                                          : absl::StrCat("d/", lsn)));
    put(key, intact);
  }
  const std::string later = schema::DeadLetterKey(last_lsn_ + 5);
  put(later, letter(last_lsn_ + 5, "other"));
  EXPECT_TRUE(absl::IsDataLoss(Reload()));
  put(later, "");
  EXPECT_TRUE(Reload().ok());
  ExpectMatchesModel();
}

}  // namespace
}  // namespace engram::space
