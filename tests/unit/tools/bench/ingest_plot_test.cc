#include "tools/bench/ingest_plot.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

IngestRow Row(const std::string& phase, uint64_t per_s) {
  IngestRow row;
  row.phase = phase;
  row.indexed_p50_ms = 20;
  row.indexed_p99_ms = 300;
  for (uint64_t s = 0; s <= 3; ++s) {
    const double records = static_cast<double>(s * per_s);
    row.timeline.push_back({.s = static_cast<double>(s),
                            .accepted = s * per_s,
                            .indexed = s * per_s,
                            .refused = s * 10,
                            .pending = 500,
                            .acknowledging = {s * per_s, records * .001},
                            .indexing = {s * per_s, records * .025}});
  }
  return row;
}

size_t Count(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

TEST(PlotIngestTest, HasTitlesUnitsAndALegend) {
  const std::string svg =
      PlotIngest("a set", {{"one", {Row("full", 9000), Row("half", 4000)}},
                           {"two", {Row("alone", 100)}}});
  EXPECT_THAT(svg, ::testing::StartsWith("<svg "));
  EXPECT_THAT(svg, ::testing::EndsWith("</svg>\n"));
  for (const char* const text :
       {">a set<", ">one<", ">two<", ">full<", ">half<", ">alone<",
        ">records/s<", ">ms, mean<", ">records<", ">seconds<", ">accepted<",
        ">indexed<", ">refused<", ">waiting to be indexed<", ">P50<", ">P99<",
        ">10000<"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
}

TEST(PlotIngestTest, DrawsAPointForEachSecondOfEachCurve) {
  const std::string svg = PlotIngest("set", {{"one", {Row("full", 9000)}}});
  EXPECT_EQ(Count(svg, "<circle"), 3u * 6u);
  EXPECT_THAT(svg, HasSubstr("full, indexed, 1.5 s: 9000 records/s"));
  EXPECT_THAT(svg, HasSubstr("full, refused, 0.5 s: 10 records/s"));
  EXPECT_THAT(svg, HasSubstr("1.5 s: 25 ms, mean"));
  EXPECT_THAT(svg, HasSubstr("full, waiting to be indexed, 2.5 s: 500"));
}

// The upper edge of a panel has the larger value.
TEST(PlotIngestTest, PhasesHaveTheSameAxes) {
  const std::string svg =
      PlotIngest("set", {{"one", {Row("full", 9000), Row("half", 4500)}}});
  const auto y_of = [&svg](const std::string& what) {
    const size_t title = svg.find(what);
    EXPECT_NE(title, std::string::npos) << what;
    const size_t at = svg.rfind("cy=\"", title) + 4;
    return std::stod(svg.substr(at, svg.find('"', at) - at));
  };
  const double zero = y_of(">full, refused, 0.5 s");
  const double full = zero - y_of(">full, indexed, 0.5 s");
  const double half = zero - y_of(">half, indexed, 0.5 s");
  EXPECT_GT(half, 0);
  // 10 are refused each second, and pixels have one digit.
  EXPECT_NEAR(full, 2 * half, 0.5);
}

TEST(PlotIngestTest, APhaseWithoutATimelineIsLeftOut) {
  IngestRow bare;
  bare.phase = "bare";
  const std::string svg =
      PlotIngest("set", {{"one", {bare, Row("full", 9)}}, {"two", {bare}}});
  EXPECT_THAT(svg, Not(HasSubstr("bare")));
  EXPECT_THAT(svg, Not(HasSubstr(">two<")));
}

TEST(PlotIngestTest, HasNumbersEvenWhereNothingHappened) {
  IngestRow idle;
  idle.phase = "idle";
  idle.timeline.resize(2);
  idle.timeline[1].s = 0.1;
  const std::string svg = PlotIngest("a < b", {{"one", {idle}}});
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
  EXPECT_THAT(svg, HasSubstr("a &lt; b"));
}

}  // namespace
}  // namespace engram::bench
