// Writes that happen once, however often they are handed in.

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using ::testing::HasSubstr;
using testing::TestVector;

constexpr uint32_t kDimension = 8;

WriteOptions Stamped(uint64_t producer, uint64_t sequence,
                     std::optional<uint64_t> previous = std::nullopt) {
  WriteOptions options;
  options.stamp = ProducerStamp{producer, sequence, previous};
  return options;
}

class ProducersTest : public ::testing::Test {
 protected:
  void SetUp() override { Open("db"); }

  void Open(const std::string& name) {
    db_.reset();
    auto db = Db::Open(directory_.PathOf(name), options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  // What a kill of this process would leave.
  void Crash() {
    const std::string copy = absl::StrCat("copy", ++copies_);
    std::filesystem::copy(directory_.PathOf(name_), directory_.PathOf(copy),
                          std::filesystem::copy_options::recursive);
    name_ = copy;
    Open(copy);
  }

  Space OpenSpace(const std::string& name = "a") {
    SpaceOptions options;
    options.dimension = kDimension;
    return db_->OpenSpace(name, options).value();
  }

  Lsn Observe(int id, const WriteOptions& options, bool* duplicate = nullptr) {
    const absl::StatusOr<Lsn> lsn = OpenSpace().Observe(
        {absl::StrCat("id", id), TestVector(kDimension, id), ""}, options,
        duplicate);
    EXPECT_TRUE(lsn.ok()) << lsn.status();
    return lsn.value_or(0);
  }

  uint64_t LastSequence(uint64_t producer) {
    const auto last = db_->LastSequence(producer);
    EXPECT_TRUE(last.ok()) << last.status();
    EXPECT_EQ(last->producer, producer);
    return last->sequence;
  }

  const testing::TemporaryDirectory directory_;
  Options options_;
  std::unique_ptr<Db> db_;
  std::string name_ = "db";
  int copies_ = 0;
};

TEST_F(ProducersTest, ARepeatedWriteIsAnsweredAndNotDoneAgain) {
  bool duplicate = true;
  const Lsn first = Observe(1, Stamped(7, 10), &duplicate);
  EXPECT_FALSE(duplicate);
  const Lsn second = Observe(2, Stamped(7, 11), &duplicate);
  EXPECT_FALSE(duplicate);
  EXPECT_EQ(second, first + 1);
  for (const uint64_t sequence : {10, 11, 3}) {
    EXPECT_EQ(Observe(1, Stamped(7, sequence), &duplicate), second);
    EXPECT_TRUE(duplicate);
  }
  EXPECT_EQ(db_->GetStats()->last_lsn, second);
  EXPECT_EQ(OpenSpace().Get("id1")->lsn, first);
  EXPECT_EQ(db_->GetStats()->duplicate_writes, 3u);
  EXPECT_EQ(db_->LastSequence(7)->lsn, second);
}

TEST_F(ProducersTest, ProducersAreCountedApartAndOverAllSpaces) {
  Observe(1, Stamped(1, 5));
  Observe(2, Stamped(2, 3));
  bool duplicate = false;
  ASSERT_TRUE(OpenSpace("b")
                  .Observe({"x", TestVector(kDimension, 1), ""}, Stamped(1, 5),
                           &duplicate)
                  .ok());
  EXPECT_TRUE(duplicate);
  EXPECT_EQ(LastSequence(1), 5u);
  EXPECT_EQ(LastSequence(2), 3u);
  EXPECT_EQ(LastSequence(3), 0u);
  const auto all = db_->ListProducers();
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].producer, 1u);
  EXPECT_EQ((*all)[1].sequence, 3u);
  EXPECT_EQ(db_->GetStats()->producers, 2u);
}

TEST_F(ProducersTest, AWriteThatNamesThePreviousOneComesOnlyRightBehindIt) {
  EXPECT_TRUE(absl::IsFailedPrecondition(
      OpenSpace()
          .Observe({"x", TestVector(kDimension, 1), ""}, Stamped(7, 2, 1))
          .status()));
  Observe(1, Stamped(7, 1, 0));
  Observe(2, Stamped(7, 5, 1));
  const absl::Status status =
      OpenSpace()
          .Observe({"x", TestVector(kDimension, 1), ""}, Stamped(7, 9, 4))
          .status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("producer 7, sequence 9: its previous one is to be 4, "
                        "the last one is 5"));
  bool duplicate = false;
  Observe(1, Stamped(7, 1, 0), &duplicate);  // a repetition, all the same
  EXPECT_TRUE(duplicate);
  EXPECT_EQ(LastSequence(7), 5u);
}

TEST_F(ProducersTest, BatchesAndRemovalsAndAsynchronousWritesAreWritesToo) {
  Space space = OpenSpace();
  WriteBatch batch;
  for (int i = 0; i < 5; ++i) {
    batch.Observe(space, {absl::StrCat("b", i), TestVector(kDimension, i), ""});
  }
  const Lsn lsn = *db_->Write(batch, Stamped(7, 1));
  bool duplicate = false;
  EXPECT_EQ(*db_->Write(batch, Stamped(7, 1), &duplicate), lsn);
  EXPECT_TRUE(duplicate);
  const Lsn removed = *space.Remove("b1", Stamped(7, 2));
  ASSERT_TRUE(
      space.Observe({"b1", TestVector(kDimension, 1), ""}, Stamped(7, 3)).ok());
  // Done again, it would remove the new one.
  EXPECT_GT(*space.Remove("b1", Stamped(7, 2), &duplicate), removed);
  EXPECT_TRUE(duplicate);
  EXPECT_TRUE(space.Get("b1").ok());

  std::atomic<Lsn> first{0};
  std::atomic<Lsn> again{0};
  const std::vector<float> vector = TestVector(kDimension, 9);
  for (std::atomic<Lsn>* answer : {&first, &again}) {
    ASSERT_TRUE(space
                    .ObserveAsync({"c", vector, ""}, Stamped(7, 4),
                                  [answer](const absl::StatusOr<Lsn>& result) {
                                    *answer = result.value_or(1);
                                    answer->notify_all();
                                  })
                    .ok());
  }
  first.wait(0);
  again.wait(0);
  EXPECT_EQ(first, db_->GetStats()->last_lsn);
  EXPECT_EQ(again, first);
}

TEST_F(ProducersTest, LastSequencesSurviveACrashAndACheckpoint) {
  Observe(1, Stamped(1, 1));
  Observe(1, Stamped(2, 1));
  Crash();  // both are in the log
  EXPECT_EQ(LastSequence(1), 1u);
  EXPECT_EQ(LastSequence(2), 1u);
  Observe(2, Stamped(2, 2));
  ASSERT_TRUE(
      db_->Wait(db_->GetStats()->last_lsn, Stage::kIndexed, absl::Minutes(1))
          .ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_EQ(db_->GetStats()->low_water_lsn, db_->GetStats()->last_lsn);
  Crash();  // both are in the catalog
  EXPECT_EQ(LastSequence(1), 1u);
  EXPECT_EQ(LastSequence(2), 2u);
  const Lsn last = Observe(3, Stamped(2, 8));
  Crash();  // one in each
  EXPECT_EQ(LastSequence(1), 1u);
  EXPECT_EQ(LastSequence(2), 8u);
  ASSERT_TRUE(db_->Close().ok());
  Open(name_);
  EXPECT_EQ(LastSequence(1), 1u);
  EXPECT_EQ(db_->LastSequence(2)->lsn, last);
  bool duplicate = false;
  EXPECT_EQ(Observe(3, Stamped(2, 8), &duplicate), last);
  EXPECT_TRUE(duplicate);
  ASSERT_TRUE(db_->Close().ok());
  options_.read_only = true;
  Open(name_);
  EXPECT_EQ(LastSequence(2), 8u);
}

TEST_F(ProducersTest, ADroppedSpaceTakesNoSequenceAlong) {
  Observe(1, Stamped(1, 4));
  ASSERT_TRUE(db_->DropSpace("a").ok());
  EXPECT_EQ(LastSequence(1), 4u);
  Crash();
  EXPECT_EQ(LastSequence(1), 4u);
}

TEST_F(ProducersTest, ARefusedWriteIsNotAcceptedAndADuplicateNeedsNoRoom) {
  ASSERT_TRUE(db_->Close().ok());
  options_.pending_records_max = 10;
  Open("db");
  Space space = OpenSpace();
  Observe(1, Stamped(7, 1));
  WriteBatch batch;
  for (int i = 0; i < 1000; ++i) {
    batch.Observe(space, {absl::StrCat(i), TestVector(kDimension, i), ""});
  }
  WriteOptions flood;
  flood.priority = Priority::kHigh;
  ASSERT_TRUE(db_->Write(batch, flood).ok());
  WriteOptions options = Stamped(7, 2);
  options.admission_timeout = absl::ZeroDuration();
  absl::Status status;
  for (uint64_t i = 0; status.ok() && i < 100; ++i) {
    if (i > 0) {  // the flood was over when this thread came to try
      ASSERT_TRUE(db_->Write(batch, flood).ok());
    }
    options.stamp->sequence = 2 + i;
    status =
        space.Observe({"x", TestVector(kDimension, 1), ""}, options).status();
  }
  ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(LastSequence(7), options.stamp->sequence - 1);
  bool duplicate = false;
  WriteOptions again = Stamped(7, 1);
  again.admission_timeout = absl::ZeroDuration();
  EXPECT_TRUE(
      space.Observe({"id1", TestVector(kDimension, 1), ""}, again, &duplicate)
          .ok());
  EXPECT_TRUE(duplicate);
  options.admission_timeout = absl::Seconds(60);
  EXPECT_TRUE(
      space.Observe({"x", TestVector(kDimension, 1), ""}, options, &duplicate)
          .ok());
  EXPECT_FALSE(duplicate);
}

// As after a time-out: several threads hand in the same write.
TEST_F(ProducersTest, OfWritesThatComeAtOnceOneIsLogged) {
  constexpr int kThreads = 4;
  constexpr uint64_t kSequences = 200;
  Space space = OpenSpace();
  const Lsn before = db_->GetStats()->last_lsn;
  std::atomic<uint64_t> done{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (uint64_t i = 1; i <= kSequences; ++i) {
        bool duplicate = false;
        const auto lsn = space.Observe({"x", TestVector(kDimension, i), ""},
                                       Stamped(7, i), &duplicate);
        EXPECT_TRUE(lsn.ok()) << lsn.status();
        if (!duplicate) ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, kSequences);
  const DbStats stats = *db_->GetStats();
  EXPECT_EQ(stats.last_lsn - before, kSequences);
  EXPECT_EQ(stats.duplicate_writes, (kThreads - 1) * kSequences);
}

TEST_F(ProducersTest, BadStampsAreRefusedByName) {
  Space space = OpenSpace();
  const auto refusal = [&](const WriteOptions& options) {
    const absl::Status status =
        space.Observe({"x", TestVector(kDimension, 1), ""}, options).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(refusal(Stamped(0, 1)), HasSubstr("stamp.producer is 0"));
  EXPECT_THAT(refusal(Stamped(1, 0)), HasSubstr("stamp.sequence is 0"));
  EXPECT_THAT(refusal(Stamped(1, 5, 5)),
              HasSubstr("stamp.previous is 5, allowed are 0 to 4"));
  EXPECT_TRUE(absl::IsInvalidArgument(db_->LastSequence(0).status()));
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->LastSequence(1).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->ListProducers().status()));
}

}  // namespace
}  // namespace engram
