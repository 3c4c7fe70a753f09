#include "tools/bench/plot_file.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"

namespace engram::bench {
namespace {

using ::testing::HasSubstr;

std::string TextOf(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(PlotFileTest, ACheckKeepsThePlotBefore) {
  const engram::testing::TemporaryDirectory directory;
  const std::string path = directory.PathOf("plot.svg");
  ASSERT_TRUE(WritePlot(path, "<svg>long</svg>").ok());
  ASSERT_TRUE(CheckPlot(path).ok());
  EXPECT_EQ(TextOf(path), "<svg>long</svg>");
  ASSERT_TRUE(WritePlot(path, "<svg/>").ok());
  EXPECT_EQ(TextOf(path), "<svg/>");
}

TEST(PlotFileTest, WhatCannotBeWrittenIsNamed) {
  const engram::testing::TemporaryDirectory directory;
  std::filesystem::create_directory(directory.PathOf("folder"));
  for (const char* const name : {"folder", "none/plot.svg"}) {
    const std::string path = directory.PathOf(name);
    for (const absl::Status& status : {CheckPlot(path), WritePlot(path, "")}) {
      EXPECT_FALSE(status.ok());
      EXPECT_THAT(std::string(status.message()), HasSubstr("--plot " + path));
    }
  }
}

TEST(PlotFileTest, NoPlotNeedsNoFile) { EXPECT_TRUE(CheckPlot("").ok()); }

}  // namespace
}  // namespace engram::bench
