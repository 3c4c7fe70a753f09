// Writes that find the queues full: refused loudly, before anything is logged.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engram/db.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/slow_build.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using ::testing::HasSubstr;
using testing::TestVector;

constexpr uint32_t kDimension = 128;
// Takes some tenths of a second to index.
constexpr int kFlood = 1200 + 4800 / testing::kSlowdown;

class AdmissionTest : public ::testing::Test {
 protected:
  void Open() {
    options_.workers = 1;
    auto db = Db::Open(directory_.PathOf("db"), options_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    flooded_ = OpenSpace("flooded");
    quiet_ = OpenSpace("quiet");
  }

  Space OpenSpace(const std::string& name) {
    SpaceOptions options;
    options.dimension = kDimension;
    return db_->OpenSpace(name, options).value();
  }

  // One batch, admitted although it is larger than the limits: nothing else is
  // pending.
  void Flood() {
    WriteBatch batch;
    for (int i = 0; i < kFlood; ++i) {
      batch.Observe(flooded_,
                    {absl::StrCat("flood", i), TestVector(kDimension, i), ""});
    }
    WriteOptions options;
    options.priority = Priority::kHigh;
    const absl::StatusOr<Lsn> lsn = db_->Write(batch, options);
    ASSERT_TRUE(lsn.ok()) << lsn.status();
    last_lsn_ = *lsn;
  }

  static absl::Status TryAtOnce(Space* space, Priority priority) {
    WriteOptions options;
    options.admission_timeout = absl::ZeroDuration();
    options.priority = priority;
    return space->Observe({"one more", TestVector(kDimension, 7), ""}, options)
        .status();
  }

  static RefusalCause CauseOf(const absl::Status& status) {
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    const std::optional<Refusal> refusal = RefusalOf(status);
    EXPECT_TRUE(refusal.has_value()) << status;
    return refusal.value_or(Refusal()).cause;
  }

  void WaitIndexed() {
    ASSERT_TRUE(db_->Wait(last_lsn_, Stage::kIndexed, absl::Minutes(2)).ok());
  }

  testing::TemporaryDirectory directory_;
  Options options_;
  std::unique_ptr<Db> db_;
  Space flooded_;
  Space quiet_;
  Lsn last_lsn_ = 0;
};

TEST_F(AdmissionTest, AFullSpaceRefusesAndOthersDoNot) {
  options_.pending_records_max = 10;
  Open();
  ASSERT_NO_FATAL_FAILURE(Flood());
  const absl::Status refused = TryAtOnce(&flooded_, Priority::kHigh);
  EXPECT_EQ(CauseOf(refused), RefusalCause::kSpaceRecords);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("space \"flooded\": "));
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("are waiting to be indexed, allowed are 10 ("));
  EXPECT_TRUE(TryAtOnce(&quiet_, Priority::kLow).ok());

  EXPECT_EQ(flooded_.GetStats()->refused_of_records, 1u);
  EXPECT_EQ(flooded_.GetStats()->pressure_level, PressureLevel::kCritical);
  EXPECT_EQ(quiet_.GetStats()->refused_of_records, 0u);
  EXPECT_EQ(db_->GetStats()->refused.space_records, 1u);
  EXPECT_EQ(db_->GetStats()->refused_writes, 1u);
  WaitIndexed();
  EXPECT_TRUE(TryAtOnce(&flooded_, Priority::kLow).ok());
  EXPECT_EQ(flooded_.GetStats()->live_records, uint64_t{kFlood} + 1)
      << "what was refused is not there";
}

TEST_F(AdmissionTest, BytesAreLimitedToo) {
  options_.pending_bytes_max = 1000;
  Open();
  ASSERT_NO_FATAL_FAILURE(Flood());
  EXPECT_EQ(CauseOf(TryAtOnce(&flooded_, Priority::kHigh)),
            RefusalCause::kSpaceBytes);
  EXPECT_EQ(flooded_.GetStats()->refused_of_bytes, 1u);
  EXPECT_EQ(db_->GetStats()->refused.space_bytes, 1u);
}

TEST_F(AdmissionTest, AllSpacesTogetherHaveALimit) {
  options_.total_pending_records_max = 10;
  Open();
  ASSERT_NO_FATAL_FAILURE(Flood());
  const absl::Status refused = TryAtOnce(&quiet_, Priority::kHigh);
  EXPECT_EQ(CauseOf(refused), RefusalCause::kTotalRecords);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("all spaces: "));
  const DbStats stats = *db_->GetStats();
  EXPECT_EQ(stats.refused.total_records, 1u);
  EXPECT_EQ(stats.pressure_level, PressureLevel::kCritical);
  EXPECT_GT(stats.pressure, 1) << "one batch that is larger than the limit";
  WaitIndexed();
  EXPECT_TRUE(TryAtOnce(&quiet_, Priority::kLow).ok());
  EXPECT_EQ(quiet_.GetStats()->live_records, 1u);
}

TEST_F(AdmissionTest, TheBytesOfAllSpacesHaveALimit) {
  options_.total_pending_bytes_max = 1000;
  Open();
  ASSERT_NO_FATAL_FAILURE(Flood());
  EXPECT_EQ(CauseOf(TryAtOnce(&quiet_, Priority::kHigh)),
            RefusalCause::kTotalBytes);
  EXPECT_EQ(db_->GetStats()->refused.total_bytes, 1u);
}

// Nothing else writes, so what is pending only gets less: what a lower priority
// is given a higher one is given as well.
TEST_F(AdmissionTest, LowPriorityWaitsForMoreRoomThanHigh) {
  options_.pending_records_max = kFlood;
  options_.low_priority_percent = 20;
  options_.normal_priority_percent = 60;
  Open();
  bool low_waited = false;
  bool normal_waited = false;
  // A busy machine may index most of a flood between two tries; then there is
  // another one.
  for (int floods = 0; !low_waited || !normal_waited; ++floods) {
    ASSERT_LT(floods, 20) << "low waited: " << low_waited
                          << ", normal waited: " << normal_waited;
    ASSERT_NO_FATAL_FAILURE(Flood());
    bool low_admitted = false;
    while (!low_admitted) {
      const absl::Status low = TryAtOnce(&flooded_, Priority::kLow);
      const absl::Status normal = TryAtOnce(&flooded_, Priority::kNormal);
      const absl::Status high = TryAtOnce(&flooded_, Priority::kHigh);
      EXPECT_TRUE(normal.ok() || !low.ok()) << normal;
      EXPECT_TRUE(high.ok() || !normal.ok()) << high;
      for (const absl::Status& status : {low, normal, high}) {
        if (!status.ok()) {
          EXPECT_EQ(CauseOf(status), RefusalCause::kSpaceRecords);
        }
      }
      low_waited |= !low.ok() && normal.ok();
      normal_waited |= !normal.ok() && high.ok();
      low_admitted = low.ok();
    }
    WaitIndexed();
  }
}

TEST_F(AdmissionTest, ARefusalSaysWhenToTryAgainOnceItIsKnown) {
  options_.pending_records_max = 10;
  Open();
  ASSERT_NO_FATAL_FAILURE(Flood());
  std::optional<Refusal> refusal;
  do {
    const absl::Status status = TryAtOnce(&flooded_, Priority::kHigh);
    ASSERT_TRUE(absl::IsResourceExhausted(status))
        << "all was indexed before anything was measured: " << status;
    refusal = RefusalOf(status);
    ASSERT_TRUE(refusal.has_value());
  } while (refusal->retry_after == absl::InfiniteDuration());
  EXPECT_GT(refusal->retry_after, absl::ZeroDuration());
  EXPECT_LT(refusal->retry_after, absl::Minutes(2));
}

TEST_F(AdmissionTest, APriorityThatIsNoneIsRefused) {
  Open();
  const absl::Status status = TryAtOnce(&quiet_, static_cast<Priority>(3));
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("priority is 3, allowed are 0 to 2"));
}

TEST_F(AdmissionTest, EnumsThatAreNoneAreRefused) {
  Open();
  WriteOptions options;
  options.durability = static_cast<Durability>(3);
  EXPECT_TRUE(absl::IsInvalidArgument(
      quiet_.Observe({"a", TestVector(kDimension, 1), ""}, options).status()));
  const auto stage = static_cast<Stage>(3);
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Wait(0, stage, absl::Seconds(1))));
  EXPECT_TRUE(absl::IsInvalidArgument(quiet_.Wait(0, stage, absl::Seconds(1))));
}

// What asynchronous writes to a space that is dropped meanwhile were given is
// free again before their callbacks run, which may wait for it.
TEST_F(AdmissionTest, ACallbackFindsTheRoomOfWritesThatWereDropped) {
  constexpr int kWrites = 30;
  constexpr int kRounds = 5;
  options_.total_pending_records_max = 8;
  Open();
  for (int round = 0; round < kRounds; ++round) {
    Space dropped = OpenSpace("dropped");
    std::atomic<int> refused{0};
    std::thread dropper([&] { EXPECT_TRUE(db_->DropSpace("dropped").ok()); });
    for (int i = 0; i < kWrites; ++i) {
      const absl::Status status = dropped.ObserveAsync(
          {absl::StrCat("a", i), TestVector(kDimension, 1), ""}, {},
          [&](const absl::StatusOr<Lsn>&) {
            WriteOptions options;
            options.admission_timeout = absl::Seconds(5);
            const absl::Status from_callback =
                quiet_.Observe({"b", TestVector(kDimension, 2), ""}, options)
                    .status();
            if (absl::IsResourceExhausted(from_callback)) ++refused;
          });
      EXPECT_TRUE(status.ok() || absl::IsNotFound(status)) << status;
    }
    dropper.join();
    // Callbacks run in order.
    std::atomic<bool> last{false};
    ASSERT_TRUE(quiet_
                    .ObserveAsync({"c", TestVector(kDimension, 3), ""}, {},
                                  [&](const absl::StatusOr<Lsn>&) {
                                    last = true;
                                    last.notify_all();
                                  })
                    .ok());
    last.wait(false);
    ASSERT_EQ(refused, 0) << "round " << round;
  }
}

TEST(RefusalTest, OnlyARefusalCarriesOne) {
  EXPECT_FALSE(RefusalOf(absl::OkStatus()).has_value());
  EXPECT_FALSE(RefusalOf(absl::ResourceExhaustedError("memory")).has_value());
  EXPECT_STREQ(RefusalCauseName(RefusalCause::kSpaceRecords), "space records");
  EXPECT_STREQ(RefusalCauseName(RefusalCause::kAsyncWrites), "async writes");
}

}  // namespace
}  // namespace engram
