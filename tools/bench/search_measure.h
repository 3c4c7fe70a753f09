// How fast an index searches, and how much it finds.

#ifndef ENGRAM_TOOLS_BENCH_SEARCH_MEASURE_H_
#define ENGRAM_TOOLS_BENCH_SEARCH_MEASURE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/bench/curve_plot.h"
#include "tools/bench/samples.h"
#include "tools/bench/setting.h"

namespace engram::bench {

// Searches all subjects, ef after ef, in turns, and adds recalls and rates to
// `samples`, also those at the target recalls.
absl::Status MeasureSearches(
    const Setting& setting, int run,
    const std::vector<std::unique_ptr<Subject>>& subjects, Samples* samples);

// Prints the rows of all efs, then those of the target recalls.
void ReportSearches(const Setting& setting, const Samples& samples);

// The medians, by engine.
std::vector<NamedCurve> MedianCurves(const Setting& setting,
                                     const Samples& samples);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_SEARCH_MEASURE_H_
