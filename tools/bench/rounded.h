// Numbers as a report prints them: with no digit that is only noise.

#ifndef ENGRAM_TOOLS_BENCH_ROUNDED_H_
#define ENGRAM_TOOLS_BENCH_ROUNDED_H_

#include <cmath>

namespace engram::bench {

// To thousandths.
inline double Rounded(double value) { return std::round(value * 1000) / 1000; }

inline double RoundedToHundredths(double value) {
  return std::round(value * 100) / 100;
}

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_ROUNDED_H_
