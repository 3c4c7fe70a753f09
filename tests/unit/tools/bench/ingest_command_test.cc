#include "tools/bench/ingest_command.h"

#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/temporary_directory.h"
#include "tools/bench/ingest_report.h"
#include "tools/bench/ingest_scenario.h"

namespace engram::bench {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

class IngestCommandTest : public ::testing::Test {
 protected:
  IngestCommandTest() {
    constexpr int32_t kDimension = 8;
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (const char* const name : {".base.fvecs", ".query.fvecs"}) {
      std::ofstream file(Prefix() + name, std::ios::binary);
      for (int row = 0; row < 100; ++row) {
        file.write(reinterpret_cast<const char*>(&kDimension),
                   sizeof(kDimension));
        for (int i = 0; i < kDimension; ++i) {
          const float value = normal(random);
          file.write(reinterpret_cast<const char*>(&value), sizeof(value));
        }
      }
    }
    options_.dataset = Prefix();
    options_.json = true;
    options_.workers = 2;
    options_.seconds = 0.2;
    options_.preload = 20;
  }

  std::string Prefix() const { return directory_.path() + "/points"; }

  // The rows of a scenario.
  std::vector<Json> Run(const std::string& scenario) {
    options_.scenarios = {scenario};
    ::testing::internal::CaptureStdout();
    const absl::Status status = RunIngestCommand(options_);
    const std::string output = ::testing::internal::GetCapturedStdout();
    EXPECT_TRUE(status.ok()) << status;
    std::vector<Json> rows;
    for (const auto line : absl::StrSplit(output, '\n', absl::SkipEmpty())) {
      Json row = Json::parse(std::string(line), nullptr, false);
      EXPECT_TRUE(row.is_object()) << line;
      if (row["measurement"] == "ingest") rows.push_back(row);
    }
    return rows;
  }

  engram::testing::TemporaryDirectory directory_;
  IngestOptions options_;
};

TEST_F(IngestCommandTest, EachPhaseIsARowWhoseCountsAddUp) {
  for (const char* const scenario : {"article-uniform", "article-skew"}) {
    const std::vector<Json> rows = Run(scenario);
    ASSERT_GE(rows.size(), 2u);
    for (const Json& row : rows) {
      EXPECT_EQ(row["scenario"], scenario);
      EXPECT_EQ(row["workers"], 2);
      EXPECT_EQ(row["offered"], row["accepted"].get<uint64_t>() +
                                    row["rejected"].get<uint64_t>());
      EXPECT_EQ(row["accepted"], row["indexed"].get<uint64_t>() +
                                     row["pending"].get<uint64_t>());
      EXPECT_GT(row["indexed"], 0u);
      EXPECT_GT(row["per_core_s"], 0);
      EXPECT_GT(row["recall"], 0.5);
      EXPECT_EQ(row["unreachable"], 0u);
      EXPECT_FALSE(row["timeline"].empty());
    }
  }
}

TEST_F(IngestCommandTest, SearchesAreComparedWithThoseWithoutLoad) {
  const Json searched = Run("article-skew").back();
  EXPECT_GT(searched["search_cpu_us"], 0);
  EXPECT_GT(searched["search_p99_us"], 0);
  EXPECT_TRUE(searched["ratio"].contains("search CPU without load"));
}

TEST_F(IngestCommandTest, SearchesOfAFullTailFindWhatWasAcknowledgedLast) {
  const std::vector<Json> rows = Run("search-tail");
  ASSERT_EQ(rows.size(), 1u);
  const Json& row = rows[0];
  EXPECT_EQ(row["accepted"], row["indexed"].get<uint64_t>() +
                                 row["pending"].get<uint64_t>() +
                                 row["dead_letter"].get<uint64_t>());
  EXPECT_EQ(row["dead_letter"], 0);
  const Json& tail = row["tail_search"];
  EXPECT_GT(tail["searches"], 0u);
  EXPECT_EQ(tail["misses"], 0u);
  EXPECT_GT(tail["mean_pending"], 0);
  EXPECT_GT(tail["cpu_us"]["p50"], 0);
  EXPECT_GE(tail["cpu_us"]["p99"], tail["cpu_us"]["p50"]);
  EXPECT_GT(tail["idle_cpu_us"]["p50"], 0);
}

TEST_F(IngestCommandTest, TurnsAreOfWholeBatches) {
  const std::vector<Json> rows = Run("article-batching");
  ASSERT_EQ(rows.size(), 6u);
  for (size_t i = 2; i < rows.size(); ++i) {
    const Json& row = rows[i];
    const uint64_t at_a_time = std::stoul(row["phase"].get<std::string>());
    EXPECT_EQ(row["workers"], 1);
    EXPECT_GT(row["accepted"], 0u);
    EXPECT_EQ(row["accepted"].get<uint64_t>() % at_a_time, 0u);
    EXPECT_EQ(row["indexed"], row["accepted"]) << "each turn is waited for";
  }
}

TEST_F(IngestCommandTest, AMatrixThatIsNotThereIsNamed) {
  options_.dataset = Prefix() + "-not";
  const absl::Status status = RunIngestCommand(options_);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("points-not"));
}

TEST_F(IngestCommandTest, DrawsEachPhase) {
  options_.plot = directory_.PathOf("load.svg");
  Run("article-overload");
  std::ifstream file(options_.plot);
  const std::string svg((std::istreambuf_iterator<char>(file)), {});
  EXPECT_THAT(svg, HasSubstr(">article-overload: 20 spaces"));
  EXPECT_THAT(svg, HasSubstr(">saturated<"));
  EXPECT_THAT(svg, HasSubstr(">200 %<"));
}

TEST_F(IngestCommandTest, APlotThatCannotBeWrittenEndsItBeforeItBegins) {
  options_.plot = directory_.PathOf("none/load.svg");
  options_.dataset = Prefix() + "-not";  // would be read next
  const absl::Status status = RunIngestCommand(options_);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("--plot " + options_.plot));
}

TEST(IngestReportTest, TheTableNamesWhatOnlySomeRowsHave) {
  IngestRow row;
  row.phase = "80 %";
  row.recall = 0.9876;
  row.retry_ratios = {0.5, 1.25};
  row.ratio = {{"hnswlib", 4.125}};
  const std::vector<std::string> lines = IngestTable({row});
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].size(), lines[1].size());
  EXPECT_THAT(lines[2], HasSubstr("80 %: recall@10 0.9876"));
  EXPECT_THAT(lines[2], HasSubstr("0.50 1.25"));
  EXPECT_THAT(lines[2], HasSubstr("4.12x hnswlib"));
}

TEST(IngestReportTest, SearchesOfAFullTailStandInBothForms) {
  IngestRow row;
  row.phase = "saturated";
  row.tail_search = {.searches = 900,
                     .misses = 2,
                     .mean_pending = 19981.4,
                     .cpu_p50_us = 1200.26,
                     .cpu_p99_us = 1700.5,
                     .idle_cpu_p50_us = 63.2};
  EXPECT_THAT(IngestTable({row}).back(),
              HasSubstr("saturated: 900 searches of a tail of 19981: 1200 us "
                        "CPU, P99 1700 (empty: 63), 2 missed the newest"));
  const Json tail = Json::parse(IngestRowJson(row))["tail_search"];
  EXPECT_EQ(tail["searches"], 900);
  EXPECT_EQ(tail["misses"], 2);
  EXPECT_EQ(tail["mean_pending"], 19981);
  EXPECT_EQ(tail["cpu_us"]["p50"], 1200.26);
  EXPECT_EQ(tail["cpu_us"]["p99"], 1700.5);
  EXPECT_EQ(tail["idle_cpu_us"]["p50"], 63.2);
}

TEST(IngestReportTest, WhatWasNotMeasuredIsNull) {
  const Json row = Json::parse(IngestRowJson({}));
  for (const char* const key : {"recall", "unreachable", "search_cpu_us",
                                "cache_misses", "peer_per_s", "tail_search"}) {
    EXPECT_TRUE(row.contains(key) && row[key].is_null()) << key;
  }
}

TEST(IngestScenarioTest, APhaseThatIsPacedHasOneBeforeItToBePacedBy) {
  for (const IngestScenario& scenario : IngestScenarios()) {
    ASSERT_EQ(scenario.phases.empty(), scenario.is_locality) << scenario.name;
    if (scenario.is_locality) continue;
    EXPECT_EQ(scenario.phases[0].rate_factor, 0) << scenario.name;
  }
}

}  // namespace
}  // namespace engram::bench
