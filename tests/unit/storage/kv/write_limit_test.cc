// What may be written in a second.

#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "store_harness.h"

namespace engram::kv {
namespace {

constexpr uint64_t kFast = uint64_t{1} << 40;
constexpr uint64_t kMegabyte = uint64_t{1} << 20;

class WriteLimitTest : public StoreHarness {
 protected:
  void OpenLimited(uint64_t bytes_per_second) {
    StoreOptions options;
    options.write_bytes_per_second = bytes_per_second;
    auto store = Store::Open(path(), options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    ASSERT_TRUE(store_->CreateFamily(kFamily).ok());
  }

  // Returns the bytes of the tables.
  uint64_t CommitMegabytes(int megabytes) {
    auto ingest = *store_->NewIngest(kFamily);
    const std::string value(kMegabyte, 'x');
    for (int i = 0; i < megabytes; ++i) {
      EXPECT_TRUE(ingest->Put(absl::StrCat("v/", 1000 + i), value).ok());
    }
    EXPECT_TRUE(ingest->Put("m/head", value).ok());
    EXPECT_TRUE(ingest->Commit().ok());
    return ingest->bytes();
  }
};

TEST_F(WriteLimitTest, IngestionsCountWithBothTables) {
  OpenLimited(kFast);
  EXPECT_EQ(store_->LimitedBytes(), 0u);
  uint64_t bytes = 0;
  for (int i = 0; i < 3; ++i) bytes += CommitMegabytes(2);
  EXPECT_GT(bytes, 9 * kMegabyte);
  EXPECT_EQ(store_->LimitedBytes(), bytes);
}

TEST_F(WriteLimitTest, CompactionsCount) {
  OpenLimited(kFast);
  for (int i = 0; i < 3; ++i) CommitMegabytes(2);
  const uint64_t ingested = store_->LimitedBytes();
  ASSERT_TRUE(store_->CompactAll().ok());
  EXPECT_GT(store_->LimitedBytes(), ingested + 2 * kMegabyte);
}

TEST_F(WriteLimitTest, WithoutALimitNothingIsCounted) {
  OpenLimited(0);
  CommitMegabytes(2);
  ASSERT_TRUE(store_->CompactAll().ok());
  EXPECT_EQ(store_->LimitedBytes(), 0u);
  store_->LiftWriteLimit();
}

TEST_F(WriteLimitTest, WhoWaitsForItGoesOnWhenItIsLifted) {
  OpenLimited(kMegabyte);  // more than a minute
  const absl::Time begin = absl::Now();
  std::thread committing([this] { CommitMegabytes(80); });
  while (store_->LimitedBytes() == 0) {
    absl::SleepFor(absl::Milliseconds(1));
  }
  // Reads do not wait for it.
  EXPECT_TRUE(absl::IsNotFound(store_->Get(kFamily, "m/head").status()));
  store_->LiftWriteLimit();
  committing.join();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(40));
  EXPECT_TRUE(store_->Get(kFamily, "m/head").ok());
}

}  // namespace
}  // namespace engram::kv
