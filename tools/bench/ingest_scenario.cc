#include "tools/bench/ingest_scenario.h"

namespace engram::bench {

std::vector<IngestScenario> IngestScenarios() {
  return {{.name = "article-uniform",
           .meaning = "20 spaces, as fast as there is room, then 80 % of that",
           .spaces = 20,
           .peer = IngestPeer::kOneThread,
           .phases = {{.name = "saturated"},
                      {.name = "80 %", .rate_factor = 0.8, .fresh = true}}},
          {.name = "article-skew",
           .meaning = "10 spaces, alike, then one gets 40 times as much",
           .spaces = 10,
           .phases = {{.name = "uniform"},
                      {.name = "skewed", .first_share = 40, .fresh = true},
                      {.name = "skewed, 90 %, searched",
                       .rate_factor = 0.9,
                       .first_share = 40,
                       .searches = true}}},
          {.name = "article-overload",
           .meaning = "20 spaces, twice what can be indexed",
           .spaces = 20,
           .phases = {{.name = "saturated"},
                      {.name = "200 %", .rate_factor = 2, .fresh = true}}},
          {.name = "article-batching",
           .meaning = "20 spaces; a tenth of what they take, then one worker "
                      "and so many of one space at a time",
           .spaces = 20,
           .phases = {{.name = "saturated"},
                      {.name = "10 %", .rate_factor = 0.1},
                      {.name = "500", .at_a_time = 500, .one_worker = true},
                      {.name = "100", .at_a_time = 100, .one_worker = true},
                      {.name = "10", .at_a_time = 10, .one_worker = true},
                      {.name = "1", .at_a_time = 1, .one_worker = true}}},
          {.name = "article-locality",
           .meaning = "200 spaces that no cache holds, indexed by their home "
                      "workers or by any; no log",
           .spaces = 200,
           .is_locality = true,
           .phases = {}},
          {.name = "scaling",
           .meaning = "20 spaces, one worker, then all",
           .spaces = 20,
           .phases = {{.name = "one worker", .one_worker = true},
                      {.name = "all workers", .fresh = true}}},
          {.name = "single-space",
           .meaning = "1 space, one worker, then all",
           .spaces = 1,
           .phases = {{.name = "one worker", .one_worker = true},
                      {.name = "all workers", .fresh = true}}},
          {.name = "global-lock",
           .meaning = "1 space, nothing synced, beside hnswlib behind a mutex",
           .spaces = 1,
           .peer = IngestPeer::kGlobalLock,
           .ends_at_process = true,
           .phases = {{.name = "saturated"}}},
          {.name = "load-curve",
           .meaning = "20 spaces, as fast as there is room, then parts of that",
           .spaces = 20,
           .phases = {{.name = "saturated"},
                      {.name = "90 %", .rate_factor = 0.9, .fresh = true},
                      {.name = "70 %", .rate_factor = 0.7, .fresh = true},
                      {.name = "60 %", .rate_factor = 0.6, .fresh = true},
                      {.name = "50 %", .rate_factor = 0.5, .fresh = true},
                      {.name = "30 %", .rate_factor = 0.3, .fresh = true}}},
          {.name = "search-tail",
           .meaning = "1 space that 20,000 records wait for, searched for what "
                      "was acknowledged last",
           .spaces = 1,
           .pending_per_space = 25000,  // of which the driver may fill 80 %
           .phases = {{.name = "saturated", .probes_tail = true}}}};
}

std::vector<std::string> IngestScenarioNames() {
  std::vector<std::string> names;
  for (const IngestScenario& scenario : IngestScenarios()) {
    names.push_back(scenario.name);
  }
  return names;
}

}  // namespace engram::bench
