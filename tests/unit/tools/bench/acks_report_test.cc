#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tools/bench/acks_command.h"

namespace engram::bench {
namespace {

using ::testing::HasSubstr;

// In no order.
AcksRow Sample() {
  AcksRow row{"checkpoint of all", 8, {}, 123.4};
  for (int i = 0; i < 1000; ++i) row.ack_micros.push_back((i * 7) % 1000);
  return row;
}

TEST(AcksReportTest, ARowHasTheQuantiles) {
  const std::vector<std::string> lines = AcksTable({Sample()});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(lines[1], HasSubstr("checkpoint of all"));
  EXPECT_THAT(lines[1], HasSubstr("8    1000      500      990      999"));
  EXPECT_EQ(lines[0].size(), lines[1].size());
}

TEST(AcksReportTest, JsonSaysTheSame) {
  const auto row = nlohmann::json::parse(AcksRowJson(Sample()));
  EXPECT_EQ(row["case"], "checkpoint of all");
  EXPECT_EQ(row["writers"], 8);
  EXPECT_EQ(row["acks"], 1000);
  EXPECT_EQ(row["p50_us"], 500);
  EXPECT_EQ(row["p99_us"], 990);
  EXPECT_EQ(row["max_us"], 999);
  EXPECT_EQ(row["ms"], 123);
}

TEST(AcksReportTest, NoAcksAreNoError) {
  EXPECT_EQ(AcksTable({{"nothing", 1, {}, 0}}).size(), 2u);
}

}  // namespace
}  // namespace engram::bench
