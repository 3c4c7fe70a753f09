// Dead letters of a whole database, on a machine with little memory.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/db/db_impl.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/event_recorder.h"
#include "tests/support/exposition.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TestVector;

constexpr uint32_t kDimension = 8;
constexpr uint32_t kRoom = 20;

class DeadLettersTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(kRoom); }

  void Open(uint32_t slots_max) {
    db_.reset();
    Environment environment;
    environment.slots_max = slots_max;
    auto db = DbImpl::OpenOn(environment, directory_.PathOf(name_), options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    SpaceOptions options;
    options.dimension = kDimension;
    space_ = db_->OpenSpace("a", options).value();
  }

  // What a kill of this process would leave, opened.
  void Crash(uint32_t slots_max) {
    const std::string copy = absl::StrCat(name_, "-");
    std::filesystem::copy(directory_.PathOf(name_), directory_.PathOf(copy),
                          std::filesystem::copy_options::recursive);
    name_ = copy;
    Open(slots_max);
  }

  static std::string IdOf(int i) { return absl::StrCat("id", i); }

  absl::StatusOr<Lsn> TryToObserve(int i) {
    return space_.Observe({IdOf(i), TestVector(kDimension, i), "payload", i});
  }

  void ObserveSome(int first, int end) {
    for (int i = first; i < end; ++i) {
      const auto lsn = TryToObserve(i);
      ASSERT_TRUE(lsn.ok()) << lsn.status();
    }
    WaitIndexed();
  }

  void WaitIndexed() {
    ASSERT_TRUE(
        db_->Wait(db_->GetStats()->last_lsn, Stage::kIndexed, absl::Minutes(1))
            .ok());
  }

  void ExpectAllFound(int end) {
    for (int i = 0; i < end; ++i) {
      const std::vector<float> vector = TestVector(kDimension, i);
      const auto hits = space_.Search(vector, {});
      ASSERT_TRUE(hits.ok()) << hits.status();
      EXPECT_EQ((*hits)[0].id, IdOf(i));
      const auto stored = space_.Get(IdOf(i));
      ASSERT_TRUE(stored.ok()) << stored.status();
      EXPECT_EQ(stored->vector, vector);
      EXPECT_EQ(stored->payload, "payload");
      EXPECT_EQ(stored->timestamp_us, i);
    }
    EXPECT_EQ(space_.ListIds()->size(), static_cast<size_t>(end));
  }

  std::vector<DeadLetter> Letters() const {
    const auto letters = space_.ListDeadLetters();
    EXPECT_TRUE(letters.ok()) << letters.status();
    return letters.value_or(std::vector<DeadLetter>());
  }

  const testing::TemporaryDirectory directory_;
  Options options_;
  std::string name_ = "db";
  std::unique_ptr<Db> db_;
  Space space_;
};

TEST_F(DeadLettersTest, AcceptedIsIndexedPlusDeadPlusPending) {
  ObserveSome(0, 25);
  const DbStats stats = *db_->GetStats();
  EXPECT_EQ(stats.accepted_records, 25u);
  EXPECT_EQ(stats.indexed_records, kRoom);
  EXPECT_EQ(stats.dead_lettered_records, 5u);
  EXPECT_EQ(stats.dead_letters, 5u);
  EXPECT_EQ(stats.pending_records, 0u);
  ExpectAllFound(25);
  const std::vector<DeadLetter> letters = Letters();
  ASSERT_EQ(letters.size(), 5u);
  EXPECT_EQ(letters[0].id, "id20");
  EXPECT_EQ(letters[0].payload_bytes, 7u);
  EXPECT_EQ(letters[0].timestamp_us, 20);
  EXPECT_TRUE(absl::IsResourceExhausted(letters[0].status));
  EXPECT_EQ(space_.Get("id20")->lsn, letters[0].lsn);
}

TEST_F(DeadLettersTest, TheySurviveACrashAndACheckpoint) {
  ObserveSome(0, 25);
  Crash(kRoom);  // replayed, and without room once more
  WaitIndexed();
  EXPECT_EQ(Letters().size(), 5u);
  ExpectAllFound(25);
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_EQ(db_->GetStats()->low_water_lsn, db_->GetStats()->last_lsn);
  Crash(kRoom);  // loaded
  EXPECT_EQ(Letters().size(), 5u);
  EXPECT_THAT(std::string(Letters()[4].status.message()), HasSubstr("no room"));
  ExpectAllFound(25);
  ASSERT_TRUE(db_->Close().ok());
  Open(kRoom);
  EXPECT_EQ(Letters().size(), 5u);
}

TEST_F(DeadLettersTest, RetriedWithRoomTheyAreIndexed) {
  ObserveSome(0, 25);
  ASSERT_TRUE(db_->Close().ok());
  Open(1000);
  const std::vector<DeadLetter> letters = Letters();
  ASSERT_EQ(letters.size(), 5u);
  for (const DeadLetter& letter : letters) {
    const auto lsn = space_.RetryDeadLetter(letter.lsn);
    ASSERT_TRUE(lsn.ok()) << lsn.status();
    EXPECT_GT(*lsn, letter.lsn);
  }
  WaitIndexed();
  EXPECT_THAT(Letters(), IsEmpty());
  EXPECT_EQ(space_.GetStats()->nodes, 25u);
  ExpectAllFound(25);
  EXPECT_TRUE(
      absl::IsNotFound(space_.RetryDeadLetter(letters[0].lsn).status()));
  ASSERT_TRUE(db_->Close().ok());
  Open(1000);
  EXPECT_THAT(Letters(), IsEmpty());
  ExpectAllFound(25);
}

TEST_F(DeadLettersTest, RetriedWithoutRoomTheyAreDeadAgain) {
  ObserveSome(0, 21);
  const Lsn before = Letters()[0].lsn;
  ASSERT_TRUE(space_.RetryDeadLetter(before).ok());
  WaitIndexed();
  ASSERT_EQ(Letters().size(), 1u);
  EXPECT_GT(Letters()[0].lsn, before);
  EXPECT_EQ(db_->GetStats()->dead_lettered_records, 2u);
  ExpectAllFound(21);
}

TEST_F(DeadLettersTest, DroppedOnesAreGone) {
  ObserveSome(0, 22);
  const std::vector<DeadLetter> letters = Letters();
  ASSERT_TRUE(space_.DropDeadLetter(letters[1].lsn).ok());
  EXPECT_TRUE(absl::IsNotFound(space_.Get("id21").status()));
  EXPECT_TRUE(absl::IsNotFound(space_.DropDeadLetter(letters[1].lsn).status()))
      << "also before that is indexed";
  EXPECT_TRUE(absl::IsNotFound(space_.DropDeadLetter(1).status()));
  WaitIndexed();
  EXPECT_EQ(Letters().size(), 1u);
  ExpectAllFound(21);
}

TEST_F(DeadLettersTest, WithTooManyASpaceTakesNoMore) {
  ASSERT_TRUE(db_->Close().ok());
  options_.dead_letters_max = 3;
  auto recorder = std::make_shared<testing::EventRecorder>();
  options_.listener = recorder;
  Open(kRoom);
  ObserveSome(0, 23);
  const absl::Status status = TryToObserve(23).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("space \"a\": holds 3 dead letters, allowed are 3"));
  EXPECT_EQ(RefusalOf(status)->cause, RefusalCause::kDeadLetters);
  EXPECT_TRUE(absl::IsNotFound(space_.Get("id23").status()));
  // The way out is open.
  ASSERT_TRUE(space_.DropDeadLetter(Letters()[2].lsn).ok());
  ASSERT_TRUE(space_.RetryDeadLetter(Letters()[0].lsn).ok());
  WaitIndexed();
  EXPECT_EQ(Letters().size(), 2u);
  EXPECT_TRUE(TryToObserve(23).ok());
  WaitIndexed();
  const testing::Exposition text =
      testing::ParseExposition(PrometheusText(*db_->GetMetrics()));
  EXPECT_THAT(text.faults, IsEmpty());
  EXPECT_EQ(text.series.at("engram_dead_letters"), 3);
  EXPECT_EQ(text.series.at("engram_dead_lettered_records_total"), 5);
  EXPECT_EQ(text.series.at("engram_space_dead_letters{space=\"a\"}"), 3);
  EXPECT_EQ(
      text.series.at("engram_refused_writes_total{cause=\"dead_letters\"}"), 1);
  ASSERT_TRUE(db_->Close().ok());
  ASSERT_EQ(recorder->dead_letters.size(), 5u);
  EXPECT_EQ(recorder->dead_letters[0].space, "a");
  EXPECT_EQ(recorder->dead_letters[0].id, "id20");
  EXPECT_TRUE(absl::IsResourceExhausted(recorder->dead_letters[0].status));
  EXPECT_TRUE(absl::IsFailedPrecondition(space_.ListDeadLetters().status()));
}

// A repetition would say that it is done, and do nothing.
TEST_F(DeadLettersTest, AStampEndsNone) {
  ObserveSome(0, 21);
  const Lsn lsn = Letters()[0].lsn;
  WriteOptions stamped;
  stamped.stamp = ProducerStamp{7, 1};
  for (int i = 0; i < 2; ++i) {
    const absl::Status retried = space_.RetryDeadLetter(lsn, stamped).status();
    EXPECT_TRUE(absl::IsInvalidArgument(retried)) << retried;
    EXPECT_THAT(std::string(retried.message()),
                HasSubstr("producer 7, sequence 1"));
    const absl::Status dropped = space_.DropDeadLetter(lsn, stamped).status();
    EXPECT_TRUE(absl::IsInvalidArgument(dropped)) << dropped;
  }
  ASSERT_EQ(Letters().size(), 1u);
  EXPECT_EQ(Letters()[0].lsn, lsn);
  EXPECT_EQ(db_->LastSequence(7)->sequence, 0u);
}

// The check of room comes behind that of the stamp, and lets a way out.
TEST_F(DeadLettersTest, WithTooManyARepetitionAndANewVersionOfOneAreAnswered) {
  ASSERT_TRUE(db_->Close().ok());
  options_.dead_letters_max = 1;
  Open(kRoom);
  ObserveSome(0, kRoom);
  WriteOptions stamped;
  stamped.stamp = ProducerStamp{7, 1};
  const std::vector<float> vector = TestVector(kDimension, kRoom);
  const Observation last{"id20", vector, "payload", kRoom};
  const auto lsn = space_.Observe(last, stamped);
  ASSERT_TRUE(lsn.ok()) << lsn.status();
  WaitIndexed();
  ASSERT_TRUE(absl::IsResourceExhausted(TryToObserve(21).status()));
  bool duplicate = false;
  const auto again = space_.Observe(last, stamped, &duplicate);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(duplicate);
  EXPECT_EQ(*again, *lsn);
  EXPECT_TRUE(TryToObserve(kRoom).ok()) << "in the place of the dead letter";
  WaitIndexed();
  EXPECT_EQ(Letters().size(), 1u);
  EXPECT_EQ(db_->GetStats()->refused.dead_letters, 1u);
}

TEST_F(DeadLettersTest, ADroppedSpaceTakesThemAlong) {
  ObserveSome(0, 22);
  ASSERT_TRUE(db_->DropSpace("a").ok());
  EXPECT_TRUE(absl::IsNotFound(space_.ListDeadLetters().status()));
  EXPECT_EQ(db_->GetStats()->dead_letters, 0u);
  EXPECT_EQ(db_->GetStats()->dead_lettered_records, 2u);
}

}  // namespace
}  // namespace engram::internal
