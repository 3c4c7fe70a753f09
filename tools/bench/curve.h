// How recall and speed of searches depend on each other.

#ifndef ENGRAM_TOOLS_BENCH_CURVE_H_
#define ENGRAM_TOOLS_BENCH_CURVE_H_

#include <cstdint>
#include <optional>
#include <vector>

namespace engram::bench {

// What a search's beam width gives.
struct CurvePoint {
  uint32_t ef = 0;
  double recall = 0;
  double qps = 0;
};

// By ascending ef.
using Curve = std::vector<CurvePoint>;

// Queries per second at a recall: between the first two neighboring points
// that enclose it, with the logarithm of QPS linear in recall. If the narrowest
// beam already finds more, its QPS. Nothing if no point reaches the recall.
std::optional<double> QpsAtRecall(const Curve& curve, double recall);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_CURVE_H_
