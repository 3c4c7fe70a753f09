// engram-bench recall: how well and how fast Engram finds, and how fast it is
// built, beside hnswlib with the same parameters.

#ifndef ENGRAM_TOOLS_BENCH_RECALL_H_
#define ENGRAM_TOOLS_BENCH_RECALL_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/bench/subject.h"

namespace engram::bench {

struct RecallOptions {
  std::string dataset;  // prefix of its files
  Metric metric = Metric::kL2;
  IndexParameters parameters;
  std::vector<uint32_t> efs = {50, 100, 200};
  size_t limit = 0;  // 0: all rows
  std::string db;    // empty: a temporary folder
  std::string commit;
  bool json = false;
};

// Prints what it measures. DATA_LOSS if searches find something else after the
// database was closed and reopened.
absl::Status MeasureRecall(const RecallOptions& options);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_RECALL_H_
