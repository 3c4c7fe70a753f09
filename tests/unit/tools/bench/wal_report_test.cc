#include <atomic>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"
#include "tools/bench/wal_command.h"
#include "tools/bench/wal_path.h"

namespace engram::bench {
namespace {

using ::testing::HasSubstr;

TEST(WalPercentileTest, IsTheValueBelowWhichSoMuchIs) {
  std::vector<float> values(1000);
  std::iota(values.rbegin(), values.rend(), 0.0f);
  EXPECT_EQ(Percentile(&values, 0.5), 500);
  EXPECT_EQ(Percentile(&values, 0.99), 990);
  EXPECT_EQ(Percentile(&values, 0.999), 999);
  EXPECT_EQ(Percentile(&values, 1), 999);
  values.clear();
  EXPECT_EQ(Percentile(&values, 0.5), 0);
}

WalRow Row() {
  WalRow row;
  row.path = kEngramUring;
  row.setting = {64, 0, 3200, 1};
  row.busy = true;
  row.records_per_s = 1000.4;
  row.bytes_per_s = 3'201'280;
  row.ack_p50_us = 10.126;
  row.ack_p99_us = 20;
  row.ack_p999_us = 30;
  row.ratio = {{kDevice, 0.756}, {kRocksdb, 2}};
  return row;
}

TEST(WalReportTest, JsonHasEachMember) {
  EXPECT_EQ(WalRowJson(Row()),
            R"({"measurement":"wal","path":"engram-uring","appenders":64,)"
            R"("window":0,"record_bytes":3200,"busy":true,)"
            R"("records_per_s":1000.0,"bytes_per_s":3201280.0,)"
            R"("ack_us":{"p50":10.13,"p99":20.0,"p999":30.0},)"
            R"("ratio":{"device":0.76,"rocksdb":2.0}})");
}

TEST(WalReportTest, TheTableHasARatioToEachPeerThatWasMeasured) {
  const std::vector<std::string> lines = WalTable({Row()});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].size(), lines[1].size());
  EXPECT_THAT(lines[1], HasSubstr("engram-uring"));
  EXPECT_THAT(lines[1], HasSubstr("0.76        -     2.00"));
}

TEST(WalAppendersTest, EachThreadAppendsUntilTheTimeIsUp) {
  WalSetting setting;
  setting.appenders = 3;
  setting.seconds = 0.05;
  std::atomic<int> calls[3] = {};
  const auto result = RunAppenders(setting, [&calls](int number) {
    ++calls[number];
    return absl::OkStatus();
  });
  ASSERT_TRUE(result.ok()) << result.status();
  int sum = 0;
  for (const auto& count : calls) {
    EXPECT_GT(count, 0);
    sum += count;
  }
  EXPECT_EQ(result->records, static_cast<uint64_t>(sum));
  EXPECT_EQ(result->ack_us.size(), result->records);
  EXPECT_GE(result->seconds, 0.04);
}

TEST(WalAppendersTest, TheFirstFailureEndsAll) {
  WalSetting setting;
  setting.appenders = 2;
  setting.seconds = 3600;
  const auto result = RunAppenders(setting, [](int number) {
    return number == 1 ? absl::DataLossError("gone") : absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsDataLoss(result.status())) << result.status();
}

// Every path measures something, also with records that are no multiple of
// anything.
TEST(WalPathsTest, EachPathWritesWhatItSupports) {
  testing::TemporaryDirectory folder;
  std::vector<std::unique_ptr<WalPath>> paths;
  paths.push_back(NewEngramPath(true, folder.PathOf("a")));
  paths.push_back(NewEngramPath(false, folder.PathOf("b")));
  auto device = NewDevicePath(folder.PathOf("c"));
  if (device.ok()) {
    paths.push_back(*std::move(device));
  } else {
    // Where O_DIRECT is refused there is nothing to compare with.
    EXPECT_TRUE(absl::IsInvalidArgument(device.status())) << device.status();
  }
  paths.push_back(NewPwritePath(folder.PathOf("d")).value());
  paths.push_back(NewRocksdbPath(folder.PathOf("e")).value());
  for (const auto& path : paths) {
    for (const int window : {0, 16}) {
      const WalSetting setting = {window == 0 ? 2 : 1, window, 601, 0.02};
      if (!path->Supports(setting)) {
        EXPECT_NE(window, 0);
        continue;
      }
      const auto result = path->Run(setting);
      if (path->name() == std::string(kEngramUring) && !result.ok()) {
        continue;  // io_uring is refused here
      }
      ASSERT_TRUE(result.ok()) << path->name() << ": " << result.status();
      EXPECT_GT(result->records, 0u) << path->name();
      EXPECT_GT(result->seconds, 0) << path->name();
      EXPECT_FALSE(result->ack_us.empty());
    }
  }
}

}  // namespace
}  // namespace engram::bench
