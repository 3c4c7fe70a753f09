// How much memory an index takes.

#ifndef ENGRAM_TOOLS_BENCH_MEMORY_MEASURE_H_
#define ENGRAM_TOOLS_BENCH_MEMORY_MEASURE_H_

#include <string>

#include "absl/status/status.h"
#include "tools/bench/index_options.h"
#include "tools/bench/setting.h"

namespace engram::bench {

// The subcommand of the child below, which is in no help.
inline constexpr char kMemoryChild[] = "index-memory";

// Builds each engine once in a process of its own, and prints by how much that
// one's resident set grew: codes, links, maps of ids, and what the allocator
// keeps; of a database also the log and the tables, whatever their size. The
// marginal figure leaves that out: the growth after the first tenth.
absl::Status MeasureMemory(const Setting& setting);

// The child: builds `engine` in `folder` and writes what it found to stdout.
absl::Status RunMemoryChild(const IndexOptions& options,
                            const std::string& engine,
                            const std::string& folder);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_MEMORY_MEASURE_H_
