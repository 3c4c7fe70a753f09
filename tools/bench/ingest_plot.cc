#include "tools/bench/ingest_plot.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/bench/ingest_seconds.h"
#include "tools/bench/svg.h"

namespace engram::bench {
namespace {

constexpr double kLeft = 84;
constexpr double kRight = 48;  // for the names of dashed lines
constexpr double kTitle = 40;
constexpr double kColumnGap = 40;
constexpr double kPanel = 150;
constexpr double kPanelGap = 44;  // for the next panel's legend
constexpr double kBelowTitle = 64;
constexpr double kBelowPanels = 56;

// Narrower where there are many phases.
constexpr double kAllColumns = 900;
constexpr double kColumnMin = 220;
constexpr double kColumnMax = 560;

// A phase, and what is drawn of it.
struct Column {
  const IngestRow* row = nullptr;
  std::vector<IngestSecond> seconds;
};

// From below to above, and what stands beside it.
struct Axis {
  std::string unit;
  double min = 0;
  double max = 1;
  bool logarithmic = false;
  std::vector<double> ticks;

  // 0 .. 1.
  double Share(double value) const {
    if (!logarithmic) return (value - min) / (max - min);
    return std::log10(std::max(value, min) / min) / std::log10(max / min);
  }
};

using Value = std::optional<double> (*)(const IngestSecond& second);

struct PanelCurve {
  std::string name;
  Value value;
};

struct Panel {
  std::string unit;
  bool logarithmic = false;
  bool has_quantiles = false;
  std::vector<PanelCurve> curves;
};

using Seconds = const IngestSecond&;

std::vector<Panel> Panels() {
  return {
      {.unit = "records/s",
       .curves = {{"accepted",
                   [](Seconds s) { return std::optional(s.accepted_per_s); }},
                  {"indexed",
                   [](Seconds s) { return std::optional(s.indexed_per_s); }},
                  {"refused",
                   [](Seconds s) { return std::optional(s.refused_per_s); }}}},
      {.unit = "ms, mean",
       .logarithmic = true,
       .has_quantiles = true,
       .curves = {{"call to acknowledgement",
                   [](Seconds s) { return s.acknowledged_ms; }},
                  {"call to index (dashed: P50, P99 of the phase)",
                   [](Seconds s) { return s.indexed_ms; }}}},
      {.unit = "records", .curves = {{"waiting to be indexed", [](Seconds s) {
                                        return std::optional(s.pending);
                                      }}}}};
}

// The smallest of 1, 2, 5, 10, ... times a power of ten that is no smaller.
double RoundUp(double value) {
  const double decade = std::pow(10, std::floor(std::log10(value)));
  for (const double leading : {1, 2, 5}) {
    if (leading * decade >= value * (1 - 1e-9)) return leading * decade;
  }
  return 10 * decade;
}

Axis LinearAxis(const std::string& unit, double max) {
  constexpr int kTicks = 5;
  Axis axis;
  axis.unit = unit;
  const double step = RoundUp(std::max(max, 1.0) / kTicks);
  axis.max = step * std::ceil(std::max(max, 1.0) / step - 1e-9);
  for (int i = 0; i * step <= axis.max * (1 + 1e-9); ++i) {
    axis.ticks.push_back(i * step);
  }
  return axis;
}

Axis LogarithmicAxis(const std::string& unit, double min, double max) {
  constexpr double kDecadesOfManyTicks = 2.5;
  Axis axis;
  axis.unit = unit;
  axis.logarithmic = true;
  const double first = std::floor(std::log10(min) + 1e-9);
  const double last = std::ceil(std::log10(max) - 1e-9);
  axis.min = std::pow(10, first);
  axis.max = std::pow(10, std::max(last, first + 1));
  const bool many = std::log10(axis.max / axis.min) < kDecadesOfManyTicks;
  for (double tick = axis.min; tick <= axis.max * (1 + 1e-9); tick *= 10) {
    for (const double leading : {1, 2, 5}) {
      if (leading > 1 && (!many || leading * tick > axis.max)) break;
      axis.ticks.push_back(leading * tick);
    }
  }
  return axis;
}

Axis AxisOf(const Panel& panel, const std::vector<Column>& columns) {
  std::vector<double> values;
  for (const Column& column : columns) {
    for (const IngestSecond& second : column.seconds) {
      for (const PanelCurve& curve : panel.curves) {
        if (const auto value = curve.value(second)) values.push_back(*value);
      }
    }
    if (!panel.has_quantiles) continue;
    values.push_back(column.row->indexed_p50_ms);
    values.push_back(column.row->indexed_p99_ms);
  }
  // Logarithms begin with what is not 0; a hundredth of a millisecond is less
  // than the log can do.
  if (panel.logarithmic) {
    std::erase_if(values, [](double value) { return value < 0.01; });
  }
  if (values.empty()) values.push_back(1);
  const auto [min, max] = std::minmax_element(values.begin(), values.end());
  return panel.logarithmic ? LogarithmicAxis(panel.unit, *min, *max)
                           : LinearAxis(panel.unit, *max);
}

std::string Number(double value) {
  return absl::StrFormat("%.*f", value > 0 && value < 1 ? 2 : 0, value);
}

// One panel of one phase.
class Drawing {
 public:
  Drawing(const SvgBox& box, const Axis& x, const Axis& y)
      : box_(box), x_(x), y_(y) {}

  double X(double s) const {
    return box_.left + (box_.right - box_.left) * x_.Share(s);
  }
  double Y(double value) const {
    return box_.bottom - (box_.bottom - box_.top) * y_.Share(value);
  }

  std::string Grid(bool has_numbers_left, bool has_numbers_below) const {
    std::string svg;
    for (const double tick : y_.ticks) {
      absl::StrAppend(&svg,
                      SvgGridLine(box_.left, Y(tick), box_.right, Y(tick)));
      if (!has_numbers_left) continue;
      absl::StrAppend(&svg,
                      SvgText(box_.left - 8, Y(tick) + 4, "end", Number(tick)));
    }
    for (const double tick : x_.ticks) {
      absl::StrAppend(&svg,
                      SvgGridLine(X(tick), box_.top, X(tick), box_.bottom));
      if (!has_numbers_below) continue;
      absl::StrAppend(
          &svg, SvgText(X(tick), box_.bottom + 18, "middle", Number(tick)));
    }
    return svg + SvgFrame(box_);
  }

  // A point has a mark, so that one without neighbors is seen as well.
  std::string Curve(const PanelCurve& curve, const Column& column,
                    const char* colour) const {
    std::string svg;
    std::vector<SvgPoint> line;
    for (const IngestSecond& second : column.seconds) {
      const std::optional<double> value = curve.value(second);
      if (!value.has_value()) {
        absl::StrAppend(&svg, SvgCurve(std::exchange(line, {}), colour));
        continue;
      }
      line.push_back({X(second.at_s), Y(*value)});
      absl::StrAppendFormat(
          &svg,
          "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\">"
          "<title>%s, %s, %.1f s: %.4g %s</title></circle>\n",
          line.back().x, line.back().y, colour, SvgEscaped(column.row->phase),
          SvgEscaped(curve.name), second.at_s, *value, y_.unit);
    }
    return svg + SvgCurve(line, colour);
  }

  // `name_below`: so much lower than the line, as another one may be near.
  std::string Dashed(const std::string& name, double value, double name_below,
                     const char* colour) const {
    if (value < y_.min) return "";
    return SvgCurve({{box_.left, Y(value)}, {box_.right, Y(value)}}, colour,
                    " stroke-dasharray=\"5 4\" stroke-opacity=\"0.6\"") +
           SvgText(box_.right + 3, Y(value) + name_below, "start", name,
                   " font-size=\"11\"");
  }

 private:
  const SvgBox box_;
  const Axis& x_;
  const Axis& y_;
};

// One scenario.
class Block {
 public:
  explicit Block(const IngestRun& run) : title_(run.title) {
    double end_s = 0;
    for (const IngestRow& row : run.rows) {
      Column column = {.row = &row, .seconds = PerSecond(row.timeline)};
      if (column.seconds.empty()) continue;
      end_s = std::max(end_s, row.timeline.back().s);
      columns_.push_back(std::move(column));
    }
    x_ = LinearAxis("seconds", end_s);
    // Below half of a second there may be nothing more; see PerSecond().
    x_.max = end_s < 0.5 ? std::max(end_s, 1e-3) : std::ceil(end_s - 0.5);
    std::erase_if(x_.ticks, [this](double tick) { return tick > x_.max; });
    if (columns_.empty()) return;
    const auto count = static_cast<double>(columns_.size());
    column_width_ = std::clamp(kAllColumns / count, kColumnMin, kColumnMax);
  }

  bool IsEmpty() const { return columns_.empty(); }

  double width() const {
    const auto count = static_cast<double>(columns_.size());
    return kLeft + count * column_width_ + (count - 1) * kColumnGap + kRight;
  }

  double height() const {
    const auto count = static_cast<double>(Panels().size());
    return kBelowTitle + count * kPanel + (count - 1) * kPanelGap +
           kBelowPanels;
  }

  std::string Draw(double top) const {
    std::string svg = SvgText(kLeft, top + 14, "start", title_);
    for (size_t i = 0; i < columns_.size(); ++i) {
      absl::StrAppend(
          &svg, SvgText(LeftOf(i), top + 36, "start", columns_[i].row->phase,
                        " font-weight=\"bold\""));
    }
    const std::vector<Panel> panels = Panels();
    for (size_t i = 0; i < panels.size(); ++i) {
      const double panel_top =
          top + kBelowTitle + static_cast<double>(i) * (kPanel + kPanelGap);
      absl::StrAppend(&svg,
                      DrawPanel(panels[i], panel_top, i + 1 == panels.size()));
    }
    return svg;
  }

 private:
  double LeftOf(size_t column) const {
    return kLeft + static_cast<double>(column) * (column_width_ + kColumnGap);
  }

  std::string DrawPanel(const Panel& panel, double top, bool is_last) const {
    const Axis y = AxisOf(panel, columns_);
    std::vector<std::string> names;
    for (const PanelCurve& curve : panel.curves) names.push_back(curve.name);
    std::string svg = SvgLegend(kLeft, top - 10, names) +
                      SvgTextUpwards(20, top + kPanel / 2, panel.unit);
    for (size_t i = 0; i < columns_.size(); ++i) {
      const SvgBox box = {LeftOf(i), top, LeftOf(i) + column_width_,
                          top + kPanel};
      const Drawing drawing(box, x_, y);
      absl::StrAppend(&svg, drawing.Grid(i == 0, is_last));
      for (size_t curve = 0; curve < panel.curves.size(); ++curve) {
        absl::StrAppend(&svg, drawing.Curve(panel.curves[curve], columns_[i],
                                            SvgColour(curve)));
      }
      if (is_last) {
        absl::StrAppend(&svg, SvgText((box.left + box.right) / 2,
                                      box.bottom + 38, "middle", x_.unit));
      }
      if (!panel.has_quantiles) continue;
      const IngestRow& row = *columns_[i].row;
      const char* const colour = SvgColour(panel.curves.size() - 1);
      absl::StrAppend(&svg,
                      drawing.Dashed("P50", row.indexed_p50_ms, 9, colour),
                      drawing.Dashed("P99", row.indexed_p99_ms, -1, colour));
    }
    return svg;
  }

  const std::string title_;
  std::vector<Column> columns_;
  Axis x_;
  double column_width_ = kColumnMax;
};

}  // namespace

std::string PlotIngest(const std::string& title,
                       const std::vector<IngestRun>& runs) {
  // Wide enough for a title above a single phase.
  double width = kLeft + kColumnMax + kRight;
  double top = kTitle;
  std::string svg = SvgText(kLeft, 24, "start", title, " font-weight=\"bold\"");
  for (const IngestRun& run : runs) {
    const Block block(run);
    if (block.IsEmpty()) continue;
    absl::StrAppend(&svg, block.Draw(top));
    width = std::max(width, block.width());
    top += block.height();
  }
  return SvgDocument(width, top, svg);
}

}  // namespace engram::bench
