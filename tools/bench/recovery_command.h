// engram-bench recovery: what a kill -9 costs.

#ifndef ENGRAM_TOOLS_BENCH_RECOVERY_COMMAND_H_
#define ENGRAM_TOOLS_BENCH_RECOVERY_COMMAND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engram/options.h"

namespace engram::bench {

struct RecoveryOptions {
  std::string dataset;
  Metric metric = Metric::kCosine;
  uint32_t spaces = 20;
  uint32_t seconds = 10;  // of writing, until the kill
  uint32_t rate = 0;  // observations a second; 0: as fast as they are let in
  int runs = 3;
  uint64_t seed = 1;
  bool json = false;
  std::string commit;
};

// How one database came back.
struct RecoveryRow {
  uint64_t acknowledged = 0;  // before the kill
  uint64_t replayed = 0;      // that only the log had
  double open_millis = 0;
  // From the end of Open(), with what was acknowledged last: until the first
  // space has answered, until all have, and until all is in the graphs again.
  double first_millis = 0;
  double all_millis = 0;
  double indexed_millis = 0;
  uint64_t lost = 0;   // acknowledged, and not there
  uint64_t wrong = 0;  // there, and not found by its own vector
};

std::vector<std::string> RecoveryTable(const std::vector<RecoveryRow>& rows);
std::string RecoveryJson(const RecoveryRow& row);

// Prints what it measures. Not OK as well if anything was lost or wrong.
absl::Status RunRecoveryCommand(const RecoveryOptions& options);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_RECOVERY_COMMAND_H_
