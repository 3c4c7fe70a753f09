// Loads as a picture.

#ifndef ENGRAM_TOOLS_BENCH_INGEST_PLOT_H_
#define ENGRAM_TOOLS_BENCH_INGEST_PLOT_H_

#include <string>
#include <vector>

#include "tools/bench/ingest_report.h"

namespace engram::bench {

struct IngestRun {
  std::string title;  // of a scenario
  std::vector<IngestRow> rows;
};

// An SVG document. For each scenario, phases from left to right, and in each
// three panels, one above the other, over the seconds of the phase: rates,
// mean latencies (logarithmic; dashed: P50 and P99 of the whole phase), and
// records that wait. All phases of a scenario have the same axes. Rows without
// a timeline are left out.
std::string PlotIngest(const std::string& title,
                       const std::vector<IngestRun>& runs);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INGEST_PLOT_H_
