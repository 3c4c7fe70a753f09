// What the scenario article-locality found out, and how it looks.

#ifndef ENGRAM_TOOLS_BENCH_LOCALITY_REPORT_H_
#define ENGRAM_TOOLS_BENCH_LOCALITY_REPORT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace engram::bench {

// One placement with one size of batches.
struct LocalityRow {
  std::string placement;  // home, random
  size_t batch = 0;       // records of one space at a time
  uint64_t indexed = 0;
  uint64_t moves = 0;  // backlogs that a worker took over from another one

  // Of each slice.
  std::vector<double> cpu_us = {};  // of the workers, an insert
  std::vector<double> per_s = {};   // of the wall

  // Counted only where the status is OK.
  uint64_t cache_misses = 0;
  absl::Status cache_misses_status = absl::OkStatus();
};

struct LocalityResult {
  int spaces = 0;
  int workers = 0;
  uint64_t shared_cache_bytes = 0;  // 0: unknown
  uint32_t preload = 0;  // observations of a space before, on average
  // Vectors, codes and links of all spaces.
  uint64_t memory_bytes_before = 0;
  uint64_t memory_bytes_after = 0;
  // Home and random, for one size of batches after the other.
  std::vector<LocalityRow> rows;
};

// One line for each row, without its end.
std::vector<std::string> LocalityJson(const std::string& scenario,
                                      const LocalityResult& result);

// A table, then what it says.
std::vector<std::string> LocalityTable(const LocalityResult& result);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_LOCALITY_REPORT_H_
