// engram-bench wal: acknowledged records a second, and how long each waits,
// beside what the device, the file system and RocksDB do in the same minute.

#ifndef ENGRAM_TOOLS_BENCH_WAL_COMMAND_H_
#define ENGRAM_TOOLS_BENCH_WAL_COMMAND_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/bench/wal_options.h"
#include "tools/bench/wal_path.h"

namespace engram::bench {

// The value below which so much of all is, e.g. 0.99; reorders `values`.
// 0 of no values.
double Percentile(std::vector<float>* values, double part);

// What the runs of one path say together.
struct WalRow {
  std::string path;
  WalSetting setting;
  bool busy = false;
  double records_per_s = 0;
  double bytes_per_s = 0;
  double ack_p50_us = 0;
  double ack_p99_us = 0;
  double ack_p999_us = 0;
  std::map<std::string, double> ratio;  // of records_per_s, by path
};

std::string WalRowJson(const WalRow& row);

// The lines of the table, the heading first.
std::vector<std::string> WalTable(const std::vector<WalRow>& rows);

// Prints what it measures. The first write that fails ends it.
absl::Status RunWalCommand(const WalOptions& options);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_WAL_COMMAND_H_
