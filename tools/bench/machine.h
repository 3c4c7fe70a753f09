// Where a measurement is made.

#ifndef ENGRAM_TOOLS_BENCH_MACHINE_H_
#define ENGRAM_TOOLS_BENCH_MACHINE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace engram::bench {

// As the system names it, or "unknown".
std::string ProcessorModel();

// At least 1.
unsigned Processors();

// Of the third-level cache that the first processor shares with its neighbors;
// 0 if unknown.
uint64_t SharedCacheBytes();

// Programs that wanted to run during the last minute, on average; what others
// take, a measurement does not get. Negative if unknown.
double LoadAverage();

// Memory of this process that is in RAM and its own, after the allocator gave
// back what it holds in reserve. Pages of programs and libraries do not count:
// all processes share them, and they are read from disk again at need.
absl::StatusOr<uint64_t> AnonymousBytes();

// Memory of this process that is in RAM, with all that it holds; 0 if unknown.
uint64_t ResidentBytes();

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_MACHINE_H_
