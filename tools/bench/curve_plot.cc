#include "tools/bench/curve_plot.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace engram::bench {
namespace {

constexpr double kWidth = 760;
constexpr double kHeight = 480;
constexpr double kLeft = 84;
constexpr double kRight = 24;
constexpr double kTop = 52;
constexpr double kBottom = 62;

// Told apart by people with any kind of colour vision (Okabe and Ito).
const char* const kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                "#e69f00"};

const char* ColourOf(size_t curve) {
  return kColours[curve % (sizeof(kColours) / sizeof(kColours[0]))];
}

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(text,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

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

std::string Text(double x, double y, const std::string& anchor,
                 const std::string& text, const std::string& more = "") {
  return absl::StrFormat(
      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>%s</text>\n", x, y,
      anchor, more, Escaped(text));
}

std::string Line(double x1, double y1, double x2, double y2) {
  return absl::StrFormat(
      "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
      "stroke=\"#dddddd\"/>\n",
      x1, y1, x2, y2);
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
    absl::StrAppend(&svg, Line(x, kTop, x, bottom),
                    Text(x, bottom + 20, "middle",
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
          &svg, Line(kLeft, y, kWidth - kRight, y),
          Text(kLeft - 8, y + 4, "end",
               absl::StrFormat("%.0f", leading * std::pow(10, decade))));
    }
  }
  return svg;
}

std::string Drawn(const Axes& axes, const NamedCurve& curve,
                  const char* colour) {
  std::string line;
  std::string marks;
  for (const CurvePoint& point : curve.curve) {
    const double x = axes.X(point.recall);
    const double y = axes.Y(std::log10(point.qps));
    absl::StrAppendFormat(&line, "%.1f,%.1f ", x, y);
    absl::StrAppendFormat(
        &marks,
        "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\">"
        "<title>%s, ef %d: recall %.4f, %.0f queries/s</title></circle>\n",
        x, y, colour, Escaped(curve.name), point.ef, point.recall, point.qps);
  }
  return absl::StrFormat(
      "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" "
      "stroke-width=\"2\"/>\n%s",
      line, colour, marks);
}

std::string Legend(const std::vector<NamedCurve>& curves) {
  std::string svg;
  double x = kLeft;
  for (size_t i = 0; i < curves.size(); ++i) {
    absl::StrAppendFormat(
        &svg,
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"18\" height=\"4\" "
        "fill=\"%s\"/>\n",
        x, kTop - 18, ColourOf(i));
    absl::StrAppend(&svg, Text(x + 24, kTop - 12, "start", curves[i].name));
    x += 24 + 9 * static_cast<double>(curves[i].name.size()) + 24;
  }
  return svg;
}

}  // namespace

std::string PlotCurves(const std::string& title,
                       const std::vector<NamedCurve>& curves) {
  const Axes axes = AxesOf(curves);
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
      "height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" "
      "font-size=\"13\">\n<rect width=\"100%%\" height=\"100%%\" "
      "fill=\"white\"/>\n",
      kWidth, kHeight, kWidth, kHeight);
  absl::StrAppend(&svg,
                  Text(kLeft, 22, "start", title, " font-weight=\"bold\""),
                  Legend(curves), Grid(axes));
  absl::StrAppendFormat(
      &svg,
      "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
      "fill=\"none\" stroke=\"#555555\"/>\n",
      kLeft, kTop, kWidth - kLeft - kRight, kHeight - kTop - kBottom);
  const double middle = (kTop + kHeight - kBottom) / 2;
  absl::StrAppend(
      &svg,
      Text((kLeft + kWidth - kRight) / 2, kHeight - 16, "middle", "recall@10"),
      Text(22, middle, "middle", "queries/s, one thread",
           absl::StrFormat(" transform=\"rotate(-90 22 %.1f)\"", middle)));
  for (size_t i = 0; i < curves.size(); ++i) {
    absl::StrAppend(&svg, Drawn(axes, curves[i], ColourOf(i)));
  }
  absl::StrAppend(&svg, "</svg>\n");
  return svg;
}

}  // namespace engram::bench
