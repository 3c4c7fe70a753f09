#include "tools/bench/svg.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace engram::bench {
namespace {

// Told apart by people with any kind of colour vision (Okabe and Ito).
const char* const kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                "#e69f00"};

}  // namespace

const char* SvgColour(size_t number) {
  return kColours[number % (sizeof(kColours) / sizeof(kColours[0]))];
}

std::string SvgDocument(double width, double height,
                        const std::string& content) {
  return absl::StrCat(
      absl::StrFormat(
          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
          "height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
          "font-family=\"sans-serif\" font-size=\"13\">\n"
          "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
          width, height, width, height),
      content, "</svg>\n");
}

std::string SvgEscaped(const std::string& text) {
  return absl::StrReplaceAll(text,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}});
}

std::string SvgText(double x, double y, const std::string& anchor,
                    const std::string& text, const std::string& more) {
  return absl::StrFormat(
      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>%s</text>\n", x, y,
      anchor, more, SvgEscaped(text));
}

std::string SvgTextUpwards(double x, double y, const std::string& text) {
  return SvgText(x, y, "middle", text,
                 absl::StrFormat(" transform=\"rotate(-90 %.1f %.1f)\"", x, y));
}

std::string SvgGridLine(double x1, double y1, double x2, double y2) {
  return absl::StrFormat(
      "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" "
      "stroke=\"#dddddd\"/>\n",
      x1, y1, x2, y2);
}

std::string SvgFrame(const SvgBox& box) {
  return absl::StrFormat(
      "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
      "fill=\"none\" stroke=\"#555555\"/>\n",
      box.left, box.top, box.right - box.left, box.bottom - box.top);
}

std::string SvgCurve(const std::vector<SvgPoint>& points, const char* colour,
                     const std::string& more) {
  std::string line;
  for (const SvgPoint& point : points) {
    absl::StrAppendFormat(&line, "%.1f,%.1f ", point.x, point.y);
  }
  return absl::StrFormat(
      "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" "
      "stroke-width=\"2\"%s/>\n",
      line, colour, more);
}

std::string SvgLegend(double x, double y,
                      const std::vector<std::string>& names) {
  std::string svg;
  for (size_t i = 0; i < names.size(); ++i) {
    absl::StrAppendFormat(
        &svg,
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"18\" height=\"4\" "
        "fill=\"%s\"/>\n",
        x, y - 6, SvgColour(i));
    absl::StrAppend(&svg, SvgText(x + 24, y, "start", names[i]));
    x += 24 + 9 * static_cast<double>(names[i].size()) + 24;
  }
  return svg;
}

}  // namespace engram::bench
