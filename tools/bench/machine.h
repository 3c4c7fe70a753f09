// Where a measurement was made.

#ifndef ENGRAM_TOOLS_BENCH_MACHINE_H_
#define ENGRAM_TOOLS_BENCH_MACHINE_H_

#include <string>

namespace engram::bench {

// As the system names it, or "unknown".
std::string ProcessorModel();

// At least 1.
unsigned Processors();

// Programs that wanted to run during the last minute, on average; what others
// take, a measurement does not get. Negative if unknown.
double LoadAverage();

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_MACHINE_H_
