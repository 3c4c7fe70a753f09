#include "engine/db/options_check.h"

#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::internal {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kSmallestSegment = 256 << 10;

std::string Refusal(const std::function<void(Options*)>& change) {
  Options options;
  change(&options);
  const absl::Status status = CheckOptions(options);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  return std::string(status.message());
}

bool Accepted(const std::function<void(Options*)>& change) {
  Options options;
  change(&options);
  return CheckOptions(options).ok();
}

TEST(OptionsCheckTest, TheDefaultsPass) {
  EXPECT_TRUE(CheckOptions(Options()).ok());
  EXPECT_TRUE(CheckSearchOptions(SearchOptions()).ok());
}

TEST(OptionsCheckTest, WorkersHaveARange) {
  EXPECT_TRUE(Accepted([](Options* o) { o->workers = 1024; }));
  EXPECT_THAT(Refusal([](Options* o) { o->workers = 1025; }),
              HasSubstr("workers is 1025, allowed are 0 to 1024"));
  EXPECT_THAT(Refusal([](Options* o) { o->workers = -1; }),
              HasSubstr("workers is -1"));
}

TEST(OptionsCheckTest, SegmentsHaveARangeAndAreWholeBlocks) {
  EXPECT_TRUE(
      Accepted([](Options* o) { o->wal_segment_bytes = kSmallestSegment; }));
  EXPECT_TRUE(Accepted([](Options* o) {
    o->wal_segment_bytes = uint64_t{1} << 30;
    o->wal_limit_bytes = uint64_t{4} << 30;
  }));
  EXPECT_THAT(Refusal([](Options* o) {
                o->wal_segment_bytes = kSmallestSegment - 4096;
              }),
              HasSubstr("wal_segment_bytes is 258048, allowed are 262144 to"));
  EXPECT_THAT(Refusal([](Options* o) {
                o->wal_segment_bytes = (uint64_t{1} << 30) + 4096;
              }),
              HasSubstr("wal_segment_bytes"));
  EXPECT_THAT(Refusal([](Options* o) {
                o->wal_segment_bytes = kSmallestSegment + 512;
              }),
              HasSubstr("multiple of 4096"));
}

TEST(OptionsCheckTest, TheLogHoldsFourSegmentsAtLeast) {
  const auto limited = [](uint64_t limit) {
    return [limit](Options* o) {
      o->wal_segment_bytes = kSmallestSegment;
      o->wal_limit_bytes = limit;
    };
  };
  EXPECT_TRUE(Accepted(limited(4 * kSmallestSegment)));
  EXPECT_THAT(Refusal(limited(4 * kSmallestSegment - 1)),
              HasSubstr("wal_limit_bytes is 1048575, allowed are 1048576 to"));
}

TEST(OptionsCheckTest, LimitsOfZeroAreRefusedByName) {
  EXPECT_THAT(Refusal([](Options* o) { o->checkpoint_wal_bytes = 0; }),
              HasSubstr("checkpoint_wal_bytes is 0"));
  EXPECT_THAT(Refusal([](Options* o) { o->durability = Durability{3}; }),
              HasSubstr("durability is 3, allowed are 0 to 2"));
  EXPECT_THAT(Refusal([](Options* o) { o->wal_backend = WalBackend{3}; }),
              HasSubstr("wal_backend is 3, allowed are 0 to 2"));
  EXPECT_THAT(Refusal([](Options* o) { o->low_priority_percent = 0; }),
              HasSubstr("low_priority_percent is 0, allowed are 1 to 80"));
  EXPECT_THAT(Refusal([](Options* o) { o->low_priority_percent = 81; }),
              HasSubstr("low_priority_percent is 81"));
  EXPECT_THAT(Refusal([](Options* o) { o->normal_priority_percent = 101; }),
              HasSubstr("normal_priority_percent is 101"));
  EXPECT_THAT(Refusal([](Options* o) { o->total_pending_records_max = 0; }),
              HasSubstr("total_pending_records_max is 0"));
  EXPECT_THAT(Refusal([](Options* o) { o->total_pending_bytes_max = 0; }),
              HasSubstr("total_pending_bytes_max is 0"));
  EXPECT_THAT(Refusal([](Options* o) { o->pending_records_max = 0; }),
              HasSubstr("pending_records_max is 0"));
  EXPECT_THAT(Refusal([](Options* o) { o->pending_bytes_max = 0; }),
              HasSubstr("pending_bytes_max is 0"));
}

TEST(OptionsCheckTest, RecoveryTakesTimeAndFamiliesHaveALimit) {
  const auto refusal = [](const std::function<void(Options*)>& change) {
    Options options;
    change(&options);
    return std::string(CheckOptions(options).message());
  };
  EXPECT_THAT(refusal([](Options* o) {
                o->recovery_time_target = absl::ZeroDuration();
              }),
              HasSubstr("recovery_time_target is 0, it must be above 0"));
  EXPECT_EQ(refusal([](Options* o) {
              o->recovery_time_target = absl::InfiniteDuration();
              o->max_dedicated_spaces = 0;
            }),
            "");
  EXPECT_THAT(refusal([](Options* o) { o->max_dedicated_spaces = 10'001; }),
              HasSubstr("max_dedicated_spaces is 10001, allowed are 0 to "
                        "10000"));
}

TEST(OptionsCheckTest, CheckpointsAreNotMadeAllTheTime) {
  for (const absl::Duration accepted :
       {absl::Milliseconds(100), absl::InfiniteDuration()}) {
    EXPECT_TRUE(Accepted(
        [accepted](Options* o) { o->checkpoint_interval = accepted; }));
  }
  for (const absl::Duration refused :
       {absl::Milliseconds(99), absl::ZeroDuration(),
        -absl::InfiniteDuration()}) {
    EXPECT_THAT(
        Refusal([refused](Options* o) { o->checkpoint_interval = refused; }),
        HasSubstr(absl::StrCat("checkpoint_interval is ",
                               absl::FormatDuration(refused),
                               ", it must be at least 100ms")));
  }
}

TEST(OptionsCheckTest, CheckpointsEndInTheForeseeableFuture) {
  for (const uint64_t accepted : {0ul, 1ul << 20, 1'000'000'000'000ul}) {
    EXPECT_TRUE(Accepted(
        [=](Options* o) { o->checkpoint_bytes_per_second = accepted; }));
  }
  EXPECT_THAT(Refusal([](Options* o) {
                o->checkpoint_bytes_per_second = (1 << 20) - 1;
              }),
              HasSubstr("checkpoint_bytes_per_second is 1048575, allowed are "
                        "1048576 to 1000000000000"));
}

TEST(OptionsCheckTest, SearchesHaveALimitOfKAndEf) {
  const auto check = [](uint32_t k, uint32_t ef) {
    SearchOptions options;
    options.k = k;
    options.ef_search = ef;
    return CheckSearchOptions(options);
  };
  EXPECT_TRUE(check(1, 0).ok());
  EXPECT_TRUE(check(10'000, 100'000).ok());
  EXPECT_THAT(std::string(check(0, 0).message()),
              HasSubstr("k is 0, allowed are 1 to 10000"));
  EXPECT_THAT(std::string(check(10'001, 0).message()), HasSubstr("10001"));
  EXPECT_THAT(std::string(check(1, 100'001).message()),
              HasSubstr("ef_search is 100001"));
}

TEST(OptionsCheckTest, EfIsAHundredUnlessGivenAndNeverBelowK) {
  const auto effective = [](uint32_t k, uint32_t ef) {
    SearchOptions options;
    options.k = k;
    options.ef_search = ef;
    return EffectiveEfSearch(options);
  };
  EXPECT_EQ(effective(10, 0), 100u);
  EXPECT_EQ(effective(10, 17), 17u);
  EXPECT_EQ(effective(10, 3), 10u);
  EXPECT_EQ(effective(500, 0), 500u);
}

TEST(OptionsCheckTest, OptionsOfAnExistingSpaceMustBeTheSame) {
  schema::SpaceDescription space;
  space.name = "notes";
  space.dimension = 8;
  space.metric = schema::Metric::kCosine;
  SpaceOptions same;
  same.dimension = 8;
  same.metric = Metric::kCosine;
  EXPECT_TRUE(CheckSameOptions(space, same).ok());

  const auto refusal = [&](const std::function<void(SpaceOptions*)>& change) {
    SpaceOptions options = same;
    change(&options);
    const absl::Status status = CheckSameOptions(space, options);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    return std::string(status.message());
  };
  EXPECT_EQ(refusal([](SpaceOptions* o) { o->dimension = 9; }),
            "space \"notes\": dimension is 8, not 9");
  EXPECT_EQ(refusal([](SpaceOptions* o) { o->metric = Metric::kL2; }),
            "space \"notes\": metric is cosine, not L2");
  EXPECT_EQ(refusal([](SpaceOptions* o) { o->M = 17; }),
            "space \"notes\": M is 16, not 17");
  EXPECT_EQ(refusal([](SpaceOptions* o) { o->ef_construction = 101; }),
            "space \"notes\": ef_construction is 100, not 101");
  EXPECT_THAT(
      refusal([](SpaceOptions* o) { o->metric = static_cast<Metric>(77); }),
      HasSubstr("not unknown"));
  EXPECT_EQ(
      refusal([](SpaceOptions* o) { o->quantization = Quantization::kInt4; }),
      "space \"notes\": quantization is auto, not int4");
  EXPECT_EQ(refusal([](SpaceOptions* o) { o->stored = Stored::kNone; }),
            "space \"notes\": stored is f32, not none");
  EXPECT_THAT(refusal([](SpaceOptions* o) {
                o->quantization = static_cast<Quantization>(9);
              }),
              HasSubstr("not unknown"));
}

TEST(OptionsCheckTest, WhatWasAskedForIsComparedNotWhatItResolvesTo) {
  schema::SpaceDescription space;
  space.name = "notes";
  space.dimension = 64;
  space.quantization = schema::Quantization::kInt4;
  space.stored = schema::Stored::kNone;
  SpaceOptions options;
  options.dimension = 64;
  options.stored = Stored::kNone;
  EXPECT_EQ(CheckSameOptions(space, options).message(),
            "space \"notes\": quantization is int4, not auto");
  options.quantization = Quantization::kInt4;
  EXPECT_TRUE(CheckSameOptions(space, options).ok());
}

}  // namespace
}  // namespace engram::internal
