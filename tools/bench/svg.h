// Pieces of a picture in SVG, as text. Lengths are pixels, from the upper left
// corner.

#ifndef ENGRAM_TOOLS_BENCH_SVG_H_
#define ENGRAM_TOOLS_BENCH_SVG_H_

#include <cstddef>
#include <string>
#include <vector>

namespace engram::bench {

struct SvgPoint {
  double x = 0;
  double y = 0;
};

struct SvgBox {
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;
};

// All of it: a white page with `content` on it.
std::string SvgDocument(double width, double height,
                        const std::string& content);

// `text` as it may stand in the document.
std::string SvgEscaped(const std::string& text);

// `anchor`: start, middle or end, which is what stands at `x`. `more` are
// attributes, with a space before each.
std::string SvgText(double x, double y, const std::string& anchor,
                    const std::string& text, const std::string& more = "");

// Centred, to be read from below to above.
std::string SvgTextUpwards(double x, double y, const std::string& text);

std::string SvgGridLine(double x1, double y1, double x2, double y2);

// The edge of a box with axes.
std::string SvgFrame(const SvgBox& box);

// `more` as above.
std::string SvgCurve(const std::vector<SvgPoint>& points, const char* colour,
                     const std::string& more = "");

// Names in a row, each with the colour of its number.
std::string SvgLegend(double x, double y,
                      const std::vector<std::string>& names);

// Different ones for the first few numbers.
const char* SvgColour(size_t number);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_SVG_H_
