#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tools/bench/checkpoint_command.h"

namespace engram::bench {
namespace {

using ::testing::HasSubstr;

CheckpointRow Sample() {
  return {"1,000 inserts", 1000, 3'072'000, 12.345, 1.5, 4'608'000, 0};
}

TEST(CheckpointReportTest, ARowSaysWhatWasWrittenForHowMuch) {
  CheckpointRow beside = Sample();
  beside.rocksdb_millis = 80.04;
  const std::vector<std::string> lines = CheckpointTable({Sample(), beside});
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[1], HasSubstr("1,000 inserts"));
  EXPECT_THAT(lines[1], HasSubstr("3.07"));
  EXPECT_THAT(lines[1], HasSubstr("12.3"));
  EXPECT_THAT(lines[1], HasSubstr("4.61       1.50           -"));
  EXPECT_THAT(lines[2], HasSubstr("80.0"));
  EXPECT_EQ(lines[0].size(), lines[1].size());
}

TEST(CheckpointReportTest, JsonLeavesOutWhatWasNotMeasured) {
  const auto row = nlohmann::json::parse(CheckpointRowJson(Sample()));
  EXPECT_EQ(row["measurement"], "checkpoint");
  EXPECT_EQ(row["case"], "1,000 inserts");
  EXPECT_EQ(row["records"], 1000);
  EXPECT_EQ(row["bytes"], 4'608'000);
  EXPECT_EQ(row["pause_ms"], 1.5);
  EXPECT_EQ(row["ms"], 12.35);
  EXPECT_FALSE(row.contains("rocksdb_ms"));
}

TEST(CheckpointReportTest, ReopeningIsToldAsARate) {
  const ReopenRow row = {8.25, 500, 300e6};
  EXPECT_THAT(ReopenLine(row), HasSubstr("opened again in 8.2 ms"));
  EXPECT_THAT(ReopenLine(row), HasSubstr("300 MB"));
  EXPECT_THAT(ReopenLine(row), HasSubstr("500 ms = 0.60 GB/s"));
  const auto json = nlohmann::json::parse(ReopenRowJson(row));
  EXPECT_EQ(json["measurement"], "reopen");
  EXPECT_EQ(json["first_search_ms"], 500);
}

}  // namespace
}  // namespace engram::bench
