// How long a measurement waits for the engine before it gives up.

#ifndef ENGRAM_TOOLS_BENCH_PATIENCE_H_
#define ENGRAM_TOOLS_BENCH_PATIENCE_H_

#include "absl/time/time.h"

namespace engram::bench {

// The largest sets take minutes.
inline constexpr absl::Duration kPatience = absl::Hours(1);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_PATIENCE_H_
