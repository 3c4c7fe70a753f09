#include "tools/bench/curve_plot.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/bench/svg.h"

namespace engram::bench {
namespace {

constexpr double kWidth = 760;
constexpr double kHeight = 480;
constexpr double kLeft = 84;
constexpr double kRight = 24;
constexpr double kTop = 52;
constexpr double kBottom = 62;

// What the axes show, and where it is in the picture.
struct Axes {
  double recall_min = 1;
  double recall_max = 1;
  double log_qps_min = 0;
  double log_qps_max = 1;
  double recall_step = 0.01;

  double X(double recall) const {
    return kLeft + (kWidth - kLeft - kRight) * (recall - recall_min) /
                       (recall_max - recall_min);
  }
  double Y(double log_qps) const {
    return kHeight - kBottom -
           (kHeight - kTop - kBottom) * (log_qps - log_qps_min) /
               (log_qps_max - log_qps_min);
  }
};

Axes AxesOf(const std::vector<NamedCurve>& curves) {
  Axes axes;
  bool first = true;
  for (const NamedCurve& curve : curves) {
    for (const CurvePoint& point : curve.curve) {
      const double log_qps = std::log10(point.qps);
      axes.log_qps_min = first ? log_qps : std::min(axes.log_qps_min, log_qps);
      axes.log_qps_max = first ? log_qps : std::max(axes.log_qps_max, log_qps);
      axes.recall_min = std::min(axes.recall_min, point.recall);
      first = false;
    }
  }
  const double range = std::max(axes.recall_max - axes.recall_min, 0.005);
  for (const double step : {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2}) {
    axes.recall_step = step;
    if (range / step <= 10) break;
  }
  axes.recall_min =
      axes.recall_step *
      std::floor((axes.recall_max - range) / axes.recall_step + 1e-9);
  constexpr double kMargin = 0.05;  // in decades
  axes.log_qps_min -= kMargin;
  axes.log_qps_max += kMargin;
  return axes;
}

std::string Grid(const Axes& axes) {
  std::string svg;
  const double bottom = kHeight - kBottom;
  const int digits = axes.recall_step < 0.01 ? 3 : 2;
  const int steps = static_cast<int>(
      std::lround((axes.recall_max - axes.recall_min) / axes.recall_step));
  for (int i = 0; i <= steps; ++i) {
    const double recall = axes.recall_min + i * axes.recall_step;
    const double x = axes.X(recall);
    absl::StrAppend(&svg, SvgGridLine(x, kTop, x, bottom),
                    SvgText(x, bottom + 20, "middle",
                            absl::StrFormat("%.*f", digits, recall)));
  }
  const int first = static_cast<int>(std::floor(axes.log_qps_min));
  const int last = static_cast<int>(std::ceil(axes.log_qps_max));
  for (int decade = first; decade <= last; ++decade) {
    for (const int leading : {1, 2, 5}) {
      const double log_qps = decade + std::log10(leading);
      if (log_qps < axes.log_qps_min || log_qps > axes.log_qps_max) continue;
      const double y = axes.Y(log_qps);
      absl::StrAppend(
          &svg, SvgGridLine(kLeft, y, kWidth - kRight, y),
          SvgText(kLeft - 8, y + 4, "end",
                  absl::StrFormat("%.0f", leading * std::pow(10, decade))));
    }
  }
  return svg;
}

std::string Drawn(const Axes& axes, const NamedCurve& curve,
                  const char* colour) {
  std::vector<SvgPoint> line;
  std::string marks;
  for (const CurvePoint& point : curve.curve) {
    const double x = axes.X(point.recall);
    const double y = axes.Y(std::log10(point.qps));
    line.push_back({x, y});
    absl::StrAppendFormat(
        &marks,
        "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\">"
        "<title>%s, ef %d: recall %.4f, %.0f queries/s</title></circle>\n",
        x, y, colour, SvgEscaped(curve.name), point.ef, point.recall,
        point.qps);
  }
  return SvgCurve(line, colour) + marks;
}

}  // namespace

std::string PlotCurves(const std::string& title,
                       const std::vector<NamedCurve>& curves) {
  const Axes axes = AxesOf(curves);
  const SvgBox box = {kLeft, kTop, kWidth - kRight, kHeight - kBottom};
  std::vector<std::string> names;
  for (const NamedCurve& curve : curves) names.push_back(curve.name);
  std::string svg = absl::StrCat(
      SvgText(kLeft, 22, "start", title, " font-weight=\"bold\""),
      SvgLegend(kLeft, kTop - 12, names), Grid(axes), SvgFrame(box),
      SvgText((box.left + box.right) / 2, kHeight - 16, "middle", "recall@10"),
      SvgTextUpwards(22, (box.top + box.bottom) / 2, "queries/s, one thread"));
  for (size_t i = 0; i < curves.size(); ++i) {
    absl::StrAppend(&svg, Drawn(axes, curves[i], SvgColour(i)));
  }
  return SvgDocument(kWidth, kHeight, svg);
}

}  // namespace engram::bench
