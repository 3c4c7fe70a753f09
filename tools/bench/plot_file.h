// The file that a --plot names.

#ifndef ENGRAM_TOOLS_BENCH_PLOT_FILE_H_
#define ENGRAM_TOOLS_BENCH_PLOT_FILE_H_

#include <string>

#include "absl/status/status.h"

namespace engram::bench {

// Says before a measurement of minutes or hours whether WritePlot() will find a
// file that it can write; the error names it. Makes an empty one where there is
// none, changes none that there is. OK for an empty path: no plot is wanted.
absl::Status CheckPlot(const std::string& path);

// Replaces what is in the file. An error names it.
absl::Status WritePlot(const std::string& path, const std::string& svg);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_PLOT_FILE_H_
