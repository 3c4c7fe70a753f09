#include "tools/bench/curve_plot.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::bench {
namespace {

using testing::HasSubstr;
using testing::Not;

const Curve kCurve = {{10, 0.80, 10000}, {20, 0.90, 4000}, {40, 0.96, 1000}};

TEST(PlotCurves, ShowsEachEngineAndBothAxes) {
  const std::string svg =
      PlotCurves("set", {{"engram", kCurve}, {"hnswlib", kCurve}});
  EXPECT_THAT(svg, ::testing::StartsWith("<svg "));
  EXPECT_THAT(svg, ::testing::EndsWith("</svg>\n"));
  for (const char* const text :
       {">set<", ">engram<", ">hnswlib<", ">recall@10<",
        ">queries/s, one thread<", ">0.90<", ">2000<"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
}

TEST(PlotCurves, DrawsAPointForEachEf) {
  const std::string svg = PlotCurves("set", {{"engram", kCurve}});
  for (const char* const text : {"ef 10:", "ef 20:", "ef 40:"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
}

TEST(PlotCurves, HasNumbersEvenOfASinglePoint) {
  const std::string svg = PlotCurves("set", {{"engram", {{10, 1.0, 500}}}});
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(PlotCurves, EscapesNames) {
  const std::string svg = PlotCurves("a < b", {{"engram", kCurve}});
  EXPECT_THAT(svg, HasSubstr("a &lt; b"));
}

}  // namespace
}  // namespace engram::bench
