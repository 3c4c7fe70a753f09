// What one space may write in a second.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engram/db.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/exposition.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using ::testing::HasSubstr;
using testing::TestVector;

constexpr uint32_t kDimension = 8;

class QuotaTest : public ::testing::Test {
 protected:
  void Open() {
    auto db = Db::Open(directory_.PathOf("db"), options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    limited_ = OpenSpace("limited");
    free_ = OpenSpace("free");
  }

  Space OpenSpace(const std::string& name) {
    SpaceOptions options;
    options.dimension = kDimension;
    return db_->OpenSpace(name, options).value();
  }

  absl::Status Observe(Space& space, absl::Duration timeout) {
    WriteOptions options;
    options.admission_timeout = timeout;
    const int i = next_++;
    return space
        .Observe({absl::StrCat(i), TestVector(kDimension, i), ""}, options)
        .status();
  }

  // Writes until one is refused; returns that, or OK after `count_max`.
  absl::Status UseUp(Space& space, int count_max) {
    absl::Status status;
    for (int i = 0; i < count_max && status.ok(); ++i) {
      status = Observe(space, absl::ZeroDuration());
    }
    return status;
  }

  testing::TemporaryDirectory directory_;
  Options options_;
  std::unique_ptr<Db> db_;
  Space limited_;
  Space free_;
  int next_ = 0;
};

TEST_F(QuotaTest, OneSpaceIsHeldToItAndTheOthersAreNot) {
  Open();
  ASSERT_TRUE(limited_.SetQuota({20, 0}).ok());
  const absl::Status status = UseUp(limited_, 1000);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("space \"limited\": its quota of 20 records a second"));
  const std::optional<Refusal> refusal = RefusalOf(status);
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->cause, RefusalCause::kSpaceRecordRate);
  EXPECT_GT(refusal->retry_after, absl::ZeroDuration());
  EXPECT_LE(refusal->retry_after, absl::Milliseconds(51));
  EXPECT_TRUE(UseUp(free_, 100).ok());
  // As it said.
  absl::SleepFor(refusal->retry_after);
  EXPECT_TRUE(Observe(limited_, absl::ZeroDuration()).ok());

  EXPECT_EQ(limited_.GetStats()->refused_of_record_rate, 1u);
  EXPECT_EQ(db_->GetStats()->refused.space_record_rate, 1u);
  EXPECT_EQ(db_->GetStats()->refused_writes, 1u);
  const testing::Exposition text =
      testing::ParseExposition(PrometheusText(*db_->GetMetrics()));
  EXPECT_EQ(text.series.at(
                "engram_refused_writes_total{cause=\"space_record_rate\"}"),
            1);
  EXPECT_EQ(
      text.series.at("engram_space_refused_writes_total{space=\"limited\","
                     "cause=\"space_record_rate\"}"),
      1);
}

TEST_F(QuotaTest, BytesAreHeldToItToo) {
  options_.space_quota.bytes_per_second = 3000;
  Open();
  const absl::Status status = UseUp(limited_, 1000);
  ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(RefusalOf(status)->cause, RefusalCause::kSpaceByteRate);
  EXPECT_EQ(limited_.GetStats()->refused_of_byte_rate, 1u);
  EXPECT_EQ(db_->GetStats()->refused.space_byte_rate, 1u);
  EXPECT_EQ(RefusalOf(UseUp(free_, 1000))->cause, RefusalCause::kSpaceByteRate)
      << "each space has its own";
}

TEST_F(QuotaTest, AWriteWaitsForItsTurn) {
  Open();
  ASSERT_TRUE(limited_.SetQuota({100, 0}).ok());
  const absl::Time start = absl::Now();
  for (int i = 0; i < 120; ++i) {
    const absl::Status status = Observe(limited_, absl::Seconds(60));
    ASSERT_TRUE(status.ok()) << status;
  }
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(180));
  EXPECT_EQ(limited_.GetStats()->live_records, 120u);
}

TEST_F(QuotaTest, ABatchOfAnySizePassesAndTheNextWritePaysForIt) {
  Open();
  ASSERT_TRUE(limited_.SetQuota({10, 0}).ok());
  WriteBatch batch;
  for (int i = 0; i < 100; ++i) {
    batch.Observe(limited_,
                  {absl::StrCat("b", i), TestVector(kDimension, i), ""});
  }
  batch.Remove(limited_, "b0");
  batch.Observe(free_, {"x", TestVector(kDimension, 1), ""});
  ASSERT_TRUE(db_->Write(batch).ok());
  const absl::Status status = Observe(limited_, absl::Seconds(1));
  ASSERT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_GT(RefusalOf(status)->retry_after, absl::Seconds(5));
  WriteOptions at_once;
  at_once.admission_timeout = absl::ZeroDuration();
  EXPECT_TRUE(absl::IsResourceExhausted(db_->Write(batch, at_once).status()));
  EXPECT_EQ(free_.GetStats()->acknowledged_lsn, db_->GetStats()->last_lsn);
  EXPECT_TRUE(Observe(free_, absl::ZeroDuration()).ok());
}

// What is refused for want of room does not count.
TEST_F(QuotaTest, ARefusedWriteGivesBackWhatItTook) {
  options_.pending_records_max = 1;
  options_.workers = 1;
  Open();
  WriteBatch flood;
  for (int i = 0; i < 2000; ++i) {
    flood.Observe(limited_,
                  {absl::StrCat("f", i), TestVector(kDimension, i), ""});
  }
  ASSERT_TRUE(db_->Write(flood).ok());
  ASSERT_TRUE(limited_.SetQuota({5, 0}).ok());
  int full = 0;
  for (int i = 0; i < 20; ++i) {
    const absl::Status status = Observe(limited_, absl::ZeroDuration());
    if (status.ok()) continue;  // the flood is over
    if (RefusalOf(status)->cause == RefusalCause::kSpaceRecords) ++full;
  }
  // With each of them counted there would be no more than six.
  EXPECT_GT(full, 6);
}

TEST_F(QuotaTest, TheEndOfASpaceOrDatabaseEndsTheWaiting) {
  for (const bool drop : {true, false}) {
    Open();
    ASSERT_TRUE(limited_.SetQuota({1, 0}).ok());
    ASSERT_TRUE(absl::IsResourceExhausted(UseUp(limited_, 100)));
    absl::Status status;
    std::thread waiter([&] {
      for (status = absl::OkStatus(); status.ok();) {
        status = Observe(limited_, absl::Hours(1));
      }
    });
    absl::SleepFor(absl::Milliseconds(30));
    if (drop) {
      ASSERT_TRUE(db_->DropSpace("limited").ok());
    } else {
      ASSERT_TRUE(db_->Close().ok());
    }
    waiter.join();
    EXPECT_EQ(absl::IsNotFound(status), drop) << status;
    EXPECT_EQ(absl::IsFailedPrecondition(status), !drop) << status;
    db_.reset();
  }
}

TEST_F(QuotaTest, BadOnesAreRefusedByName) {
  Open();
  EXPECT_THAT(std::string(limited_.SetQuota({2'000'000'000'000, 0}).message()),
              HasSubstr("quota.records_per_second is 2000000000000, allowed "
                        "are 0 to 1000000000000"));
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(limited_.SetQuota({1, 0})));
  EXPECT_TRUE(absl::IsFailedPrecondition(Space().SetQuota({1, 0})));
  db_.reset();
  options_.space_quota.bytes_per_second = 2'000'000'000'000;
  EXPECT_TRUE(absl::IsInvalidArgument(
      Db::Open(directory_.PathOf("db"), options_).status()));
}

}  // namespace
}  // namespace engram
