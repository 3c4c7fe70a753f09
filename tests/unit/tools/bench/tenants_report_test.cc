#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tools/bench/tenants_command.h"

namespace engram::bench {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(TenantsReportTest, TimesAreThoseOfTheSortedCalls) {
  std::vector<double> millis;
  for (int i = 100; i >= 0; --i) millis.push_back(i);
  const CallTimes times = TimesOf(millis);
  EXPECT_EQ(times.p50, 50);
  EXPECT_EQ(times.p99, 99);
  EXPECT_EQ(times.max, 100);
  EXPECT_EQ(TimesOf({}).max, 0);
  EXPECT_EQ(TimesOf({7}).p50, 7);
}

TenantsResult Result() {
  TenantsResult result;
  result.create = {.1, .8, 6};
  result.memory_mb_max = 359;
  result.reopen_millis = 394;
  result.cold = {.2, 2.2, 3.1};
  result.wrong = 3;
  result.descriptors = 449;
  return result;
}

TEST(TenantsReportTest, HotSpacesAreShownWhereTheyWereMeasured) {
  TenantsResult result = Result();
  EXPECT_THAT(TenantsTable(result), Contains(HasSubstr("wrong answers   3")));
  EXPECT_THAT(TenantsTable(result), Not(Contains(HasSubstr("hot"))));
  EXPECT_FALSE(nlohmann::json::parse(TenantsJson(result)).contains("hot_ms"));
  result.hot = {.1, .2, .3};
  EXPECT_THAT(TenantsTable(result), Contains(HasSubstr("hot")));
  const auto json = nlohmann::json::parse(TenantsJson(result));
  EXPECT_EQ(json["hot_ms"]["p50"], .1);
  EXPECT_EQ(json["measurement"], "tenants");
  EXPECT_EQ(json["memory_mb_max"], 359);
}

TEST(TenantsReportTest, ThePlotHasTheBudgetIfThereIsOne) {
  const std::vector<MemorySample> samples = {{0, 10}, {1, 200}, {2, 180}};
  EXPECT_THAT(MemoryPlot(samples, 268), HasSubstr("memory_budget_bytes"));
  EXPECT_THAT(MemoryPlot(samples, 0), Not(HasSubstr("memory_budget_bytes")));
  EXPECT_THAT(MemoryPlot({}, 0), HasSubstr("</svg>"));
}

}  // namespace
}  // namespace engram::bench
