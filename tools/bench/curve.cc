#include "tools/bench/curve.h"

#include <cmath>
#include <cstddef>

namespace engram::bench {

std::optional<double> QpsAtRecall(const Curve& curve, double recall) {
  for (size_t i = 0; i < curve.size(); ++i) {
    const CurvePoint& above = curve[i];
    if (above.recall < recall) continue;
    if (i == 0) return above.qps;
    // The first that reaches it, so the one before is below.
    const CurvePoint& below = curve[i - 1];
    const double part = (recall - below.recall) / (above.recall - below.recall);
    return std::exp(std::log(below.qps) +
                    part * (std::log(above.qps) - std::log(below.qps)));
  }
  return std::nullopt;
}

}  // namespace engram::bench
