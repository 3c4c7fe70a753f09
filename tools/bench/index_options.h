// What the command line of engram-bench index says.

#ifndef ENGRAM_TOOLS_BENCH_INDEX_OPTIONS_H_
#define ENGRAM_TOOLS_BENCH_INDEX_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "engram/options.h"
#include "tools/bench/row_order.h"
#include "tools/bench/subject.h"

namespace engram::bench {

inline constexpr char kBuild[] = "build";
inline constexpr char kSearch[] = "search";
inline constexpr char kMemory[] = "memory";
inline constexpr char kChurn[] = "churn";
inline constexpr char kDuplicates[] = "duplicates";
inline constexpr char kConcurrent[] = "concurrent";

struct IndexOptions {
  std::string dataset;  // prefix of its files
  Metric metric = Metric::kL2;
  IndexParameters parameters;
  std::vector<std::string> peers = {"hnswlib"};
  std::vector<std::string> measurements = {kBuild, kSearch,     kMemory,
                                           kChurn, kDuplicates, kConcurrent};
  std::vector<uint32_t> efs = {10, 16,  24,  32,  48,  64,
                               96, 128, 192, 256, 384, 512};
  RowOrder order = RowOrder::kShuffled;
  int runs = 3;
  size_t limit = 0;       // rows of the base; 0: all
  int core = -1;          // negative: the last one allowed
  size_t live = 0;        // of the churn; 0: half of the rows
  uint32_t churn_ef = 0;  // 0: by dimension
  int seeds = 3;          // of the churn
  size_t probes = 20000;  // of Engram's vectors, by themselves
  bool json = false;
  std::string plot;  // a file; empty: none
  std::string commit;

  bool Measures(absl::string_view measurement) const;
};

// INVALID_ARGUMENT if options that are well-formed one by one make no sense
// together.
absl::Status CheckTogether(const IndexOptions& options);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INDEX_OPTIONS_H_
