// What engram-bench ingest found out, and how it looks.

#ifndef ENGRAM_TOOLS_BENCH_INGEST_REPORT_H_
#define ENGRAM_TOOLS_BENCH_INGEST_REPORT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/bench/ingest_timeline.h"

namespace engram::bench {

// Searches of a space while its tail was full.
struct TailSearchRow {
  uint64_t searches = 0;
  uint64_t misses = 0;      // that did not find what was acknowledged last
  double mean_pending = 0;  // records in the tail
  double cpu_p50_us = 0;    // of the searching thread
  double cpu_p99_us = 0;
  double idle_cpu_p50_us = 0;  // the same searches with an empty tail
};

struct IngestRow {
  std::string scenario;
  std::string phase;
  int spaces = 0;
  int workers = 0;
  std::string durability;
  double seconds = 0;  // from the first offer to the last

  // Observations, when the last was offered. accepted = indexed + pending +
  // dead_letter; that offered = accepted + rejected, and that all accepted end
  // in the index or as dead letters, is checked before a row is made.
  uint64_t offered = 0;
  uint64_t accepted = 0;
  uint64_t rejected = 0;
  uint64_t indexed = 0;
  uint64_t pending = 0;
  uint64_t dead_letter = 0;

  double per_s = 0;           // indexed, of the wall
  double per_core_s = 0;      // per second of the workers' processor time
  double process_core_s = 0;  // of all of the process, the driver too

  double ack_p50_us = 0;
  double ack_p99_us = 0;
  double late_p99_us = 0;
  double indexed_p50_ms = 0;
  double indexed_p99_ms = 0;
  double indexed_p999_ms = 0;

  double imbalance = 0;
  double utilization = 0;
  uint64_t joined_batches = 0;
  uint64_t moves = 0;

  std::optional<double> recall;
  std::optional<uint64_t> unreachable;
  std::optional<double> search_cpu_us;  // median
  std::optional<double> search_p99_us;  // of the wall
  std::optional<TailSearchRow> tail_search;
  // Ratios of a promised retry_after to the time until there was room.
  std::vector<double> retry_ratios;

  std::optional<double> peer_per_s;       // of the wall
  std::optional<double> peer_per_core_s;  // of the processor
  // In JSON for each tenth of a second: [seconds, accepted, indexed, refused,
  // pending, seconds from call to acknowledgement and to index, each summed
  // over all records]. Empty where no database was measured.
  std::vector<IngestMoment> timeline;

  std::map<std::string, double> ratio;  // of per_core_s to that of a peer, ...
};

// One line, without its end.
std::string IngestRowJson(const IngestRow& row);

// The table of one scenario, then a line for each thing that not all rows have.
std::vector<std::string> IngestTable(const std::vector<IngestRow>& rows);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INGEST_REPORT_H_
