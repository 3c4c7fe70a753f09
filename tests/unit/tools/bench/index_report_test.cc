#include "tools/bench/index_report.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::bench {
namespace {

using testing::ElementsAre;

TEST(TableOf, AlignsNumbersAndLeavesOutWhatNobodyHas) {
  const std::vector<Json> rows = {{{"measurement", "build"},
                                   {"engine", "engram"},
                                   {"inserts_per_s", 12345.6},
                                   {"unreachable", 0},
                                   {"ratio", {{"hnswlib", 5.123}}}},
                                  {{"measurement", "build"},
                                   {"engine", "hnswlib"},
                                   {"inserts_per_s", 999.0}}};
  EXPECT_THAT(TableOf(rows, {"hnswlib"}),
              ElementsAre("BUILD    INSERTS/S  UNREACHABLE  VS HNSWLIB",
                          "engram      12,346            0       5.12x",
                          "hnswlib        999            -"));
}

TEST(TableOf, MarksTheHighestRecallThatBothReach) {
  const std::vector<Json> rows = {{{"measurement", "search_at"},
                                   {"engine", "engram"},
                                   {"target_recall", 0.99},
                                   {"qps", 1000.0},
                                   {"ratio", {{"hnswlib", 2.0}}},
                                   {"highest_common_with", {"hnswlib"}}}};
  EXPECT_THAT(TableOf(rows, {"hnswlib"}),
              ElementsAre("SEARCH_AT  RECALL@10  QUERIES/S  VS HNSWLIB",
                          "engram          0.99      1,000      2.00x*"));
}

TEST(TableOf, HasNoRatiosWhereNothingIsCompared) {
  const std::vector<Json> rows = {{{"measurement", "concurrent"},
                                   {"engine", "engram"},
                                   {"writer_slowdown", 1.05}}};
  EXPECT_THAT(TableOf(rows, {"hnswlib"}),
              ElementsAre("CONCURRENT  SLOWDOWN", "engram         1.050"));
}

}  // namespace
}  // namespace engram::bench
