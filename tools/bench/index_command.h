// engram-bench index: everything that is claimed of the index, beside peers in
// the same process on the same data.

#ifndef ENGRAM_TOOLS_BENCH_INDEX_COMMAND_H_
#define ENGRAM_TOOLS_BENCH_INDEX_COMMAND_H_

#include "absl/status/status.h"
#include "tools/bench/core_pin.h"
#include "tools/bench/index_options.h"

namespace engram::bench {

// Prints what it measures. The first write or search that fails ends it: a
// rate of what was refused would be no rate. `pin` says where to measure.
absl::Status RunIndexCommand(const IndexOptions& options, const CorePin& pin);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INDEX_COMMAND_H_
