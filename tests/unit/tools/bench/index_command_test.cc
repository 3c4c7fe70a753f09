#include "tools/bench/index_command.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <string>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"
#include "tools/bench/index_report.h"

namespace engram::bench {
namespace {

constexpr int32_t kDimension = 8;

void WriteFvecs(const std::string& path, int rows, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::ofstream file(path, std::ios::binary);
  for (int row = 0; row < rows; ++row) {
    file.write(reinterpret_cast<const char*>(&kDimension), sizeof(kDimension));
    for (int i = 0; i < kDimension; ++i) {
      const float value = normal(random);
      file.write(reinterpret_cast<const char*>(&value), sizeof(value));
    }
  }
}

class IndexCommandTest : public ::testing::Test {
 protected:
  IndexCommandTest() {
    WriteFvecs(Prefix() + ".base.fvecs", 600, 1);
    WriteFvecs(Prefix() + ".query.fvecs", 20, 2);
    options_.dataset = Prefix();
    options_.json = true;
    options_.runs = 1;
    options_.seeds = 1;
    options_.efs = {10, 400};
    options_.plot = Prefix() + ".svg";
    // The memory is measured by another call of the program, which a test
    // is not.
    options_.measurements = {kBuild, kSearch, kChurn, kDuplicates, kConcurrent};
  }

  std::string Prefix() const { return directory_.path() + "/points"; }

  // The lines of a run's output.
  std::vector<Json> Run() {
    ::testing::internal::CaptureStdout();
    const absl::Status status = RunIndexCommand(options_, CorePin::None());
    const std::string output = ::testing::internal::GetCapturedStdout();
    EXPECT_TRUE(status.ok()) << status;
    std::vector<Json> rows;
    for (const auto line : absl::StrSplit(output, '\n', absl::SkipEmpty())) {
      rows.push_back(Json::parse(std::string(line), nullptr, false));
      EXPECT_TRUE(rows.back().is_object()) << line;
    }
    return rows;
  }

  engram::testing::TemporaryDirectory directory_;
  IndexOptions options_;
};

void ExpectKeys(const Json& row, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    EXPECT_TRUE(row.contains(key)) << key << " is missing in " << row;
  }
}

TEST_F(IndexCommandTest, WritesTheDocumentedKeys) {
  const std::vector<Json> rows = Run();
  ASSERT_FALSE(rows.empty());
  EXPECT_EQ(rows[0]["measurement"], "run");
  ExpectKeys(rows[0], {"commit", "machine", "load", "parameters", "engines"});
  std::set<std::string> measurements;
  for (size_t i = 1; i < rows.size(); ++i) {
    const Json& row = rows[i];
    ExpectKeys(row, {"measurement", "engine", "dataset", "metric"});
    EXPECT_EQ(row["dataset"], "points");
    const auto measurement = row["measurement"].get<std::string>();
    measurements.insert(measurement);
    if (measurement == "build") {
      ExpectKeys(row, {"inserts_per_s", "cpu_inserts_per_s",
                       "inserts_per_s_last_tenth", "unreachable",
                       "self_probe_200", "self_probe_1024"});
    } else if (measurement == "search") {
      ExpectKeys(row, {"ef", "recall", "qps"});
    } else if (measurement == "search_at") {
      ExpectKeys(row, {"target_recall", "qps"});
    } else if (measurement == "churn") {
      ExpectKeys(row, {"pairs_per_s", "recall", "recall_fresh", "unreachable",
                       "self_probe", "self_probe_200", "self_probe_1024"});
    } else if (measurement == "duplicates") {
      ExpectKeys(row, {"recall", "recall_unique", "unreachable"});
    } else if (measurement == "concurrent") {
      ExpectKeys(row, {"writer_slowdown", "reader_qps"});
    }
  }
  EXPECT_EQ(measurements,
            (std::set<std::string>{"build", "search", "search_at", "churn",
                                   "duplicates", "concurrent"}));
}

TEST_F(IndexCommandTest, GivesEngramsRowsTheirRatios) {
  options_.measurements = {kBuild, kSearch};
  options_.probes = 0;
  const std::vector<Json> rows = Run();
  if (!rows[0]["engines"].contains("hnswlib")) GTEST_SKIP() << "no hnswlib";
  for (size_t i = 1; i < rows.size(); ++i) {
    if (rows[i]["engine"] != "engram") continue;
    EXPECT_TRUE(rows[i]["ratio"].contains("hnswlib")) << rows[i];
  }
}

TEST_F(IndexCommandTest, DrawsWhatItMeasured) {
  options_.measurements = {kSearch};
  Run();
  std::ifstream file(options_.plot);
  std::stringstream svg;
  svg << file.rdbuf();
  EXPECT_THAT(svg.str(), ::testing::HasSubstr(">engram<"));
}

TEST_F(IndexCommandTest, LeavesNoFolderBehind) {
  options_.measurements = {kConcurrent};
  const std::string folder = directory_.path() + "/tmp";
  std::filesystem::create_directory(folder);
  ::setenv("TMPDIR", folder.c_str(), 1);
  Run();
  ::unsetenv("TMPDIR");
  EXPECT_TRUE(std::filesystem::is_empty(folder));
}

TEST_F(IndexCommandTest, FailsWhereADataSetIsTooSmall) {
  options_.measurements = {kDuplicates};
  options_.limit = 100;
  ::testing::internal::CaptureStdout();
  const absl::Status status = RunIndexCommand(options_, CorePin::None());
  ::testing::internal::GetCapturedStdout();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
}

TEST(CheckTogether, RefusesWhatMakesNoSense) {
  IndexOptions options;
  EXPECT_TRUE(CheckTogether(options).ok());
  options.parameters.ef_construction = 8;
  EXPECT_FALSE(CheckTogether(options).ok());
  options = IndexOptions();
  options.parameters.stored = Stored::kNone;
  EXPECT_TRUE(CheckTogether(options).ok());
  options.parameters.quantization = Quantization::kNone;
  EXPECT_FALSE(CheckTogether(options).ok());
}

TEST(CorePin, RefusesACoreThatIsNotThere) {
  EXPECT_TRUE(CorePin::Of(-1).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(CorePin::Of(1023).status()));
}

}  // namespace
}  // namespace engram::bench
