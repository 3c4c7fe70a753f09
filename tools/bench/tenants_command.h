// engram-bench tenants: very many small spaces, what they cost to make, to hold
// under a memory budget, and to come back to.

#ifndef ENGRAM_TOOLS_BENCH_TENANTS_COMMAND_H_
#define ENGRAM_TOOLS_BENCH_TENANTS_COMMAND_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engram/options.h"

namespace engram::bench {

struct TenantsOptions {
  std::string dataset;
  Metric metric = Metric::kL2;
  uint32_t spaces = 10'000;
  uint32_t observations = 100;        // in each
  uint64_t budget_bytes = 256 << 20;  // 0: no limit
  uint32_t cold_searches = 500;
  // Traffic that falls with a space's rank; 0: none is made.
  uint32_t zipf_searches = 0;
  uint64_t seed = 1;
  std::string plot;
  bool json = false;
  std::string commit;
};

// Of one sort of call, in milliseconds.
struct CallTimes {
  double p50 = 0;
  double p99 = 0;
  double max = 0;
};

CallTimes TimesOf(std::vector<double> millis);

// What the process itself holds, over time.
struct MemorySample {
  double seconds = 0;
  double megabytes = 0;
};

struct TenantsResult {
  CallTimes create;
  double fill_seconds = 0;
  double memory_mb_max = 0;  // of any moment until then
  double data_mb = 0;        // of the vectors
  double reopen_millis = 0;
  double reopened_memory_mb = 0;
  uint64_t descriptors = 0;
  CallTimes cold;      // the first search of a space after Open()
  uint64_t wrong = 0;  // searches that did not find their own vector
  CallTimes hot;       // of the tenth that is asked for most; if any
  uint64_t evictions = 0;
};

std::vector<std::string> TenantsTable(const TenantsResult& result);
std::string TenantsJson(const TenantsResult& result);
std::string MemoryPlot(const std::vector<MemorySample>& samples,
                       double budget_mb);

// Prints what it measures.
absl::Status RunTenantsCommand(const TenantsOptions& options);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_TENANTS_COMMAND_H_
