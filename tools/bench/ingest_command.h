// engram-bench ingest: what a whole database does under a load, from the call
// until a record is indexed.

#ifndef ENGRAM_TOOLS_BENCH_INGEST_COMMAND_H_
#define ENGRAM_TOOLS_BENCH_INGEST_COMMAND_H_

#include "absl/status/status.h"
#include "tools/bench/ingest_options.h"

namespace engram::bench {

// Prints what it measures. The first write or search that fails ends it, and so
// do counts that do not add up; refusals where a load may be refused are
// counted apart.
absl::Status RunIngestCommand(const IngestOptions& options);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INGEST_COMMAND_H_
