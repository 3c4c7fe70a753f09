// How the results of engram-bench tenants look.

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/bench/rounded.h"
#include "tools/bench/svg.h"
#include "tools/bench/tenants_command.h"

namespace engram::bench {
namespace {

constexpr double kWidth = 760;
constexpr double kHeight = 360;
constexpr SvgBox kBox = {84, 40, 736, 306};
constexpr int kGridLines = 5;

nlohmann::ordered_json ToJson(const CallTimes& times) {
  return {{"p50", Rounded(times.p50)},
          {"p99", Rounded(times.p99)},
          {"max", Rounded(times.max)}};
}

std::string ToText(const CallTimes& times) {
  return absl::StrFormat("P50 %.3f, P99 %.3f, at most %.3f ms", times.p50,
                         times.p99, times.max);
}

// Something round that is not less.
double AxisEnd(double value) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double factor : {1.0, 2.0, 2.5, 5.0, 10.0}) {
    if (factor * power >= value) return factor * power;
  }
  return 10 * power;
}

}  // namespace

CallTimes TimesOf(std::vector<double> millis) {
  if (millis.empty()) return {};
  std::sort(millis.begin(), millis.end());
  const size_t last = millis.size() - 1;
  return {millis[last / 2], millis[last * 99 / 100], millis[last]};
}

std::vector<std::string> TenantsTable(const TenantsResult& result) {
  std::vector<std::string> lines = {
      "make a space    " + ToText(result.create),
      absl::StrFormat("fill all        %.1f s for %.0f MB of vectors",
                      result.fill_seconds, result.data_mb),
      absl::StrFormat("memory          at most %.0f MB, %.0f MB after opening",
                      result.memory_mb_max, result.reopened_memory_mb),
      absl::StrFormat("open again      %.0f ms", result.reopen_millis),
      "first search    " + ToText(result.cold)};
  if (result.hot.max > 0) {
    lines.push_back("a hot space     " + ToText(result.hot));
  }
  lines.push_back(absl::StrFormat(
      "wrong answers   %d; %d descriptors, %d evictions since opening",
      result.wrong, result.descriptors, result.evictions));
  return lines;
}

std::string TenantsJson(const TenantsResult& result) {
  nlohmann::ordered_json object = {
      {"measurement", "tenants"},
      {"create_ms", ToJson(result.create)},
      {"fill_s", Rounded(result.fill_seconds)},
      {"data_mb", Rounded(result.data_mb)},
      {"memory_mb_max", Rounded(result.memory_mb_max)},
      {"reopened_memory_mb", Rounded(result.reopened_memory_mb)},
      {"reopen_ms", Rounded(result.reopen_millis)},
      {"cold_ms", ToJson(result.cold)},
      {"wrong", result.wrong},
      {"descriptors", result.descriptors},
      {"evictions", result.evictions}};
  if (result.hot.max > 0) object["hot_ms"] = ToJson(result.hot);
  return object.dump();
}

std::string MemoryPlot(const std::vector<MemorySample>& samples,
                       double budget_mb) {
  double seconds = 1;
  double megabytes = std::max(budget_mb, 1.0);
  for (const MemorySample& sample : samples) {
    seconds = std::max(seconds, sample.seconds);
    megabytes = std::max(megabytes, sample.megabytes);
  }
  seconds = AxisEnd(seconds);
  megabytes = AxisEnd(megabytes);
  const auto x = [seconds](double value) {
    return kBox.left + (kBox.right - kBox.left) * value / seconds;
  };
  const auto y = [megabytes](double value) {
    return kBox.bottom - (kBox.bottom - kBox.top) * value / megabytes;
  };
  std::string svg;
  for (int i = 0; i <= kGridLines; ++i) {
    const double at_x = seconds * i / kGridLines;
    const double at_y = megabytes * i / kGridLines;
    absl::StrAppend(&svg, SvgGridLine(x(at_x), kBox.top, x(at_x), kBox.bottom),
                    SvgText(x(at_x), kBox.bottom + 20, "middle",
                            absl::StrFormat("%g", at_x)),
                    SvgGridLine(kBox.left, y(at_y), kBox.right, y(at_y)),
                    SvgText(kBox.left - 8, y(at_y) + 4, "end",
                            absl::StrFormat("%g", at_y)));
  }
  std::vector<SvgPoint> points;
  for (const MemorySample& sample : samples) {
    points.push_back({x(sample.seconds), y(sample.megabytes)});
  }
  absl::StrAppend(&svg, SvgFrame(kBox), SvgCurve(points, SvgColour(0)));
  std::vector<std::string> names = {"resident memory of the process"};
  if (budget_mb > 0) {
    absl::StrAppend(
        &svg, SvgCurve({{kBox.left, y(budget_mb)}, {kBox.right, y(budget_mb)}},
                       SvgColour(1)));
    names.push_back("memory_budget_bytes");
  }
  absl::StrAppend(
      &svg, SvgLegend(kBox.left, 24, names),
      SvgText((kBox.left + kBox.right) / 2, kHeight - 12, "middle", "seconds"),
      SvgTextUpwards(24, (kBox.top + kBox.bottom) / 2, "MB"));
  return SvgDocument(kWidth, kHeight, svg);
}

}  // namespace engram::bench
