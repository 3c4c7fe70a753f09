// How long things took, and how long they may take.

#ifndef ENGRAM_TOOLS_DEMO_ELAPSED_H_
#define ENGRAM_TOOLS_DEMO_ELAPSED_H_

#include <chrono>

#include "absl/time/time.h"

namespace engram::demo {

// For what is acknowledged to be indexed.
inline constexpr absl::Duration kIndexedTimeout = absl::Seconds(30);

inline double MicrosSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(
             std::chrono::steady_clock::now() - begin)
      .count();
}

}  // namespace engram::demo

#endif  // ENGRAM_TOOLS_DEMO_ELAPSED_H_
