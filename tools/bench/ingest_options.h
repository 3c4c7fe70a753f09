// What can be asked of engram-bench ingest.

#ifndef ENGRAM_TOOLS_BENCH_INGEST_OPTIONS_H_
#define ENGRAM_TOOLS_BENCH_INGEST_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engram/options.h"

namespace engram::bench {

struct IngestOptions {
  std::string dataset;
  Metric metric = Metric::kL2;
  std::vector<std::string> scenarios;  // empty: all
  int workers = 0;                     // 0: one per processor
  double seconds = 10;                 // of each phase
  uint32_t preload = 20000;            // observations a space begins with
  uint32_t M = 16;
  uint32_t ef_construction = 100;
  Durability durability = Durability::kSync;
  uint64_t seed = 1;
  bool json = false;
  std::string plot;  // a file for a picture; empty: none
  std::string commit;
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INGEST_OPTIONS_H_
