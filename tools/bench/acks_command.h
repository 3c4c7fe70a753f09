// engram-bench acks: whether writes are acknowledged later while a large space
// is saved and compacted.

#ifndef ENGRAM_TOOLS_BENCH_ACKS_COMMAND_H_
#define ENGRAM_TOOLS_BENCH_ACKS_COMMAND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engram/options.h"

namespace engram::bench {

struct AcksOptions {
  std::string dataset;
  Metric metric = Metric::kCosine;
  uint32_t observations = 100'000;  // of the large space
  uint32_t rate = 500;              // of each writer, a second
  uint64_t limit = 0;               // Options::checkpoint_bytes_per_second
  double seconds = 3;               // of nothing but writes
  int runs = 5;                     // checkpoints of 32 MiB
  uint64_t seed = 1;
  bool json = false;
  std::string commit;
};

// What writers waited for while something else was going on.
struct AcksRow {
  std::string name;
  int writers = 0;
  std::vector<double> ack_micros;
  double millis = 0;  // that it took; the median of the runs
};

std::string AcksRowJson(const AcksRow& row);
std::vector<std::string> AcksTable(const std::vector<AcksRow>& rows);

// Prints what it measures.
absl::Status RunAcksCommand(const AcksOptions& options);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_ACKS_COMMAND_H_
