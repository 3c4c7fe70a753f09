// How the results of engram-bench wal look.

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/bench/rounded.h"
#include "tools/bench/wal_command.h"

namespace engram::bench {
namespace {

std::string RatioText(const WalRow& row, const char* path) {
  const auto found = row.ratio.find(path);
  return found == row.ratio.end() ? "-"
                                  : absl::StrFormat("%.2f", found->second);
}

}  // namespace

double Percentile(std::vector<float>* values, double part) {
  if (values->empty()) return 0;
  const auto at =
      std::min(values->size() - 1,
               static_cast<size_t>(part * static_cast<double>(values->size())));
  std::nth_element(values->begin(),
                   values->begin() + static_cast<ptrdiff_t>(at), values->end());
  return static_cast<double>((*values)[at]);
}

std::string WalRowJson(const WalRow& row) {
  nlohmann::ordered_json ratio = nlohmann::ordered_json::object();
  for (const auto& [path, value] : row.ratio) {
    ratio[path] = RoundedToHundredths(value);
  }
  const nlohmann::ordered_json object = {
      {"measurement", "wal"},
      {"path", row.path},
      {"appenders", row.setting.appenders},
      {"window", row.setting.window},
      {"record_bytes", row.setting.record_bytes},
      {"busy", row.busy},
      {"records_per_s", std::round(row.records_per_s)},
      {"bytes_per_s", std::round(row.bytes_per_s)},
      {"ack_us",
       {{"p50", RoundedToHundredths(row.ack_p50_us)},
        {"p99", RoundedToHundredths(row.ack_p99_us)},
        {"p999", RoundedToHundredths(row.ack_p999_us)}}},
      {"ratio", ratio}};
  return object.dump();
}

std::vector<std::string> WalTable(const std::vector<WalRow>& rows) {
  std::vector<std::string> lines = {absl::StrFormat(
      "%-13s %9s %6s %6s %10s %8s %9s %9s %9s %8s %8s %8s", "PATH", "APPENDERS",
      "WINDOW", "BYTES", "RECORDS/S", "MB/S", "P50 US", "P99 US", "P99.9 US",
      "/DEVICE", "/PWRITE", "/ROCKSDB")};
  for (const WalRow& row : rows) {
    lines.push_back(absl::StrFormat(
        "%-13s %9d %6s %6d %10.0f %8.1f %9.0f %9.0f %9.0f %8s %8s %8s",
        row.path, row.setting.appenders,
        row.setting.window == 0 ? "-" : absl::StrCat(row.setting.window),
        row.setting.record_bytes, row.records_per_s, row.bytes_per_s / 1e6,
        row.ack_p50_us, row.ack_p99_us, row.ack_p999_us,
        RatioText(row, kDevice), RatioText(row, kPwrite),
        RatioText(row, kRocksdb)));
  }
  return lines;
}

}  // namespace engram::bench
