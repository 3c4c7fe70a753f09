// Curves of recall and speed as a picture.

#ifndef ENGRAM_TOOLS_BENCH_CURVE_PLOT_H_
#define ENGRAM_TOOLS_BENCH_CURVE_PLOT_H_

#include <string>
#include <vector>

#include "tools/bench/curve.h"

namespace engram::bench {

struct NamedCurve {
  std::string name;
  Curve curve;
};

// An SVG document: recall to the right, queries per second, logarithmic,
// upwards; a point for each ef. Up and to the right is better. The axes begin
// and end with the points.
std::string PlotCurves(const std::string& title,
                       const std::vector<NamedCurve>& curves);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_CURVE_PLOT_H_
