// engram-bench checkpoint: what saving costs, in time, bytes and waiting, and
// what coming back costs after it.

#ifndef ENGRAM_TOOLS_BENCH_CHECKPOINT_COMMAND_H_
#define ENGRAM_TOOLS_BENCH_CHECKPOINT_COMMAND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engram/options.h"

namespace engram::bench {

struct CheckpointOptions {
  std::string dataset;
  Metric metric = Metric::kCosine;
  uint32_t observations = 100'000;  // that the space begins with
  int runs = 3;
  int overwrites = 0;  // of every observation, at the end
  uint64_t seed = 1;
  bool json = false;
  std::string commit;
};

// One kind of checkpoint; medians of the runs.
struct CheckpointRow {
  std::string name;
  uint64_t records = 0;     // written since the checkpoint before
  uint64_t data_bytes = 0;  // of their vectors
  double millis = 0;
  double pause_millis = 0;    // for which indexing waited
  double bytes = 0;           // written
  double rocksdb_millis = 0;  // the same bytes by its log and a flush; 0: not
};

std::string CheckpointRowJson(const CheckpointRow& row);
std::vector<std::string> CheckpointTable(
    const std::vector<CheckpointRow>& rows);

// How the space came back; medians of the runs.
struct ReopenRow {
  double open_millis = 0;
  double first_search_millis = 0;  // which reads the index
  double bytes = 0;                // of its vectors
};

std::string ReopenRowJson(const ReopenRow& row);
std::string ReopenLine(const ReopenRow& row);

// What the store takes on disk for each byte of live vectors, after every
// observation was written `overwrites` times more.
struct OverwriteRow {
  int overwrites = 0;
  double before_compact = 0;
  double after_compact = 0;
};

std::string OverwriteRowJson(const OverwriteRow& row);
std::string OverwriteLine(const OverwriteRow& row);

// Prints what it measures.
absl::Status RunCheckpointCommand(const CheckpointOptions& options);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_CHECKPOINT_COMMAND_H_
