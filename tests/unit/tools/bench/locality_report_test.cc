#include "tools/bench/locality_report.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace engram::bench {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

LocalityRow Row(const std::string& placement, std::vector<double> cpu_us) {
  LocalityRow row;
  row.placement = placement;
  row.batch = 100;
  row.indexed = 1000;
  row.cpu_us = std::move(cpu_us);
  row.per_s = {900, 1000, 1100};
  row.cache_misses = 500'000;
  return row;
}

LocalityResult Result() {
  LocalityResult result;
  result.spaces = 200;
  result.workers = 2;
  result.preload = 1500;
  result.shared_cache_bytes = uint64_t{32} << 20;
  result.memory_bytes_before = uint64_t{1000} << 20;
  result.memory_bytes_after = uint64_t{2000} << 20;
  // Something else took the processor in the second pair.
  result.rows = {Row("home", {50, 100, 50}), Row("random", {60, 110, 55})};
  return result;
}

std::string Table(const LocalityResult& result) {
  std::string text;
  for (const std::string& line : LocalityTable(result)) text += line + "\n";
  return text;
}

TEST(LocalityReportTest, ExplainsTheMedianOfPairs) {
  const std::string table = Table(Result());
  EXPECT_THAT(table, HasSubstr("a random worker takes 1.100x the CPU of the "
                               "home worker (1.100 to 1.200); home saves 5.0 "
                               "us an insert"));
  EXPECT_THAT(table,
              HasSubstr("200 spaces of 1500 observations take 1000 MiB, and "
                        "2000 MiB in the end"));
  EXPECT_THAT(table, HasSubstr("third-level cache 32 MiB\n"));
  EXPECT_THAT(table, HasSubstr(" 500.0 "));
  EXPECT_THAT(table, Not(HasSubstr("absent")));
}

TEST(LocalityReportTest, SaysSoWhereHomeIsSlower) {
  LocalityResult result = Result();
  std::swap(result.rows[0].cpu_us, result.rows[1].cpu_us);
  EXPECT_THAT(Table(result), HasSubstr("home costs "));
}

TEST(LocalityReportTest, SaysSoWhereACacheHoldsTheSpaces) {
  LocalityResult result = Result();
  result.shared_cache_bytes = uint64_t{4} << 30;
  EXPECT_THAT(Table(result), HasSubstr("which holds them"));
  result.shared_cache_bytes = 0;
  EXPECT_THAT(Table(result), HasSubstr("third-level cache unknown"));
  EXPECT_THAT(Table(result), Not(HasSubstr("which holds them")));
}

TEST(LocalityReportTest, MissesThatWereNotCountedAreAbsentNot0) {
  LocalityResult result = Result();
  for (LocalityRow& row : result.rows) {
    row.cache_misses = 0;
    row.cache_misses_status = absl::NotFoundError("perf_event_open: no");
  }
  EXPECT_THAT(Table(result),
              HasSubstr("LLC misses are absent: perf_event_open: no"));
  for (const std::string& line : LocalityJson("a", result)) {
    const Json row = Json::parse(line);
    EXPECT_TRUE(row["cache_misses"].is_null());
    EXPECT_EQ(row["cache_misses_absent"], "perf_event_open: no");
  }
}

TEST(LocalityReportTest, EachRowIsALineOfJson) {
  const std::vector<std::string> lines = LocalityJson("locality", Result());
  ASSERT_EQ(lines.size(), 2u);
  const Json home = Json::parse(lines[0]);
  EXPECT_EQ(home["scenario"], "locality");
  EXPECT_EQ(home["phase"], "home, 100");
  EXPECT_EQ(home["cpu_us"], 50);
  EXPECT_EQ(home["per_s"], 1000);
  EXPECT_EQ(home["cache_misses"], 500'000);
  EXPECT_FALSE(home.contains("explanation"));
  const Json random = Json::parse(lines[1]);
  EXPECT_EQ(random["cpu_us_slices"], Json({60, 110, 55}));
  EXPECT_NEAR(random["ratio"]["CPU of home"], 1.1, 1e-9);
  EXPECT_THAT(random["explanation"].get<std::string>(), HasSubstr("1.100x"));
}

}  // namespace
}  // namespace engram::bench
