// Where a measurement was made.

#ifndef ENGRAM_TOOLS_BENCH_MACHINE_H_
#define ENGRAM_TOOLS_BENCH_MACHINE_H_

#include <string>

namespace engram::bench {

// As the system names it, or "unknown".
std::string ProcessorModel();

// At least 1.
unsigned Processors();

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_MACHINE_H_
