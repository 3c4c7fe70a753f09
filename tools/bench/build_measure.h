// How fast an index takes vectors, and whether it finds all of them again.

#ifndef ENGRAM_TOOLS_BENCH_BUILD_MEASURE_H_
#define ENGRAM_TOOLS_BENCH_BUILD_MEASURE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/bench/samples.h"
#include "tools/bench/setting.h"

namespace engram::bench {

// Inserts all rows into an empty subject, and adds the rates to `samples`. Time
// runs from the first write until all is linked. It is taken once more after
// nine tenths, which an Engram has to catch up with for that.
absl::Status MeasureBuild(const Setting& setting, int run, Subject& subject,
                          Samples* samples);

// Adds the number of unreachable vectors, and the parts of `items`, or a sample
// of them, that their own vectors find. Of a peer fewer are tried: it is slow,
// and nothing is claimed of it. `row_of` as for SelfProbe().
absl::Status MeasureFindability(const Setting& setting, int run,
                                Subject& subject, std::vector<Item> items,
                                const std::function<uint32_t(uint32_t)>& row_of,
                                Samples* samples);

// Sets what MeasureFindability() added: the worst of all runs.
void SetFindability(const Samples& samples, const std::string& engine,
                    Json* row);

// Prints the rows.
void ReportBuilds(const Setting& setting, const Samples& samples,
                  const std::string& quantization);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_BUILD_MEASURE_H_
