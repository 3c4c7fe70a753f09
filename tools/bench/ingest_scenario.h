// What engram-bench ingest lets happen.

#ifndef ENGRAM_TOOLS_BENCH_INGEST_SCENARIO_H_
#define ENGRAM_TOOLS_BENCH_INGEST_SCENARIO_H_

#include <cstdint>
#include <string>
#include <vector>

namespace engram::bench {

// A time of steady load.
struct IngestPhase {
  std::string name;

  // Arrivals a second, as a share of what the scenario's first phase indexed.
  // They come by a schedule that is fixed before, and are refused where there
  // is no room. 0: as fast as there is room, for which the driver waits.
  double rate_factor = 0;

  // Otherwise: so many to one space at a time, which must be indexed before
  // the next space gets as many. 0: no such turns.
  uint32_t at_a_time = 0;

  // Of the first space, where each other one has 1.
  double first_share = 1;

  bool one_worker = false;   // instead of as many as were asked for
  bool searches = false;     // of the spaces but the first, meanwhile
  bool probes_tail = false;  // see tail_searcher.h

  // Begins with a database of its own instead of that of the phase before.
  bool fresh = false;
};

// A peer that takes the same vectors in the same run.
enum class IngestPeer {
  kNone,
  kOneThread,   // hnswlib, in memory, on one thread
  kGlobalLock,  // hnswlib, in memory, as many threads as workers behind a mutex
};

struct IngestScenario {
  std::string name;
  std::string meaning;  // for the reader of a table
  int spaces = 1;

  // What may wait to be indexed, for each space: enough for the largest
  // batches, and little enough that a queue is full within a second.
  uint64_t pending_per_space = 2000;

  IngestPeer peer = IngestPeer::kNone;
  bool ends_at_process = false;  // Durability::kProcess whatever was asked for
  bool is_locality = false;      // see locality_measure.h; has no phases
  std::vector<IngestPhase> phases;
};

// All of them, in the order in which they run.
std::vector<IngestScenario> IngestScenarios();

// Their names.
std::vector<std::string> IngestScenarioNames();

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INGEST_SCENARIO_H_
