// What can be asked of engram-bench wal.

#ifndef ENGRAM_TOOLS_BENCH_WAL_OPTIONS_H_
#define ENGRAM_TOOLS_BENCH_WAL_OPTIONS_H_

#include <string>
#include <vector>

namespace engram::bench {

struct WalOptions {
  std::vector<int> appenders = {1, 8, 64};
  std::vector<int> windows = {256, 1024, 4096};
  std::vector<int> record_bytes = {600, 3200};
  std::vector<std::string> paths;  // empty: all
  int runs = 3;
  double seconds = 1;  // of each path in each run
  bool busy = false;
  bool json = false;
  std::string folder;  // "": a temporary one
  std::string commit;
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_WAL_OPTIONS_H_
