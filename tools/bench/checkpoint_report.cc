// How the results of engram-bench checkpoint look.

#include <cmath>

#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/bench/checkpoint_command.h"
#include "tools/bench/rounded.h"

namespace engram::bench {
namespace {

constexpr double kMegabyte = 1e6;

}  // namespace

std::string CheckpointRowJson(const CheckpointRow& row) {
  nlohmann::ordered_json object = {
      {"measurement", "checkpoint"},
      {"case", row.name},
      {"records", row.records},
      {"data_bytes", row.data_bytes},
      {"ms", RoundedToHundredths(row.millis)},
      {"pause_ms", RoundedToHundredths(row.pause_millis)},
      {"bytes", std::round(row.bytes)}};
  if (row.rocksdb_millis > 0) {
    object["rocksdb_ms"] = RoundedToHundredths(row.rocksdb_millis);
  }
  return object.dump();
}

std::vector<std::string> CheckpointTable(
    const std::vector<CheckpointRow>& rows) {
  std::vector<std::string> lines = {absl::StrFormat(
      "%-28s %8s %9s %8s %9s %10s %10s %11s", "CHECKPOINT AFTER", "RECORDS",
      "DATA MB", "MS", "PAUSE MS", "WRITTEN MB", "/DATA", "ROCKSDB MS")};
  for (const CheckpointRow& row : rows) {
    const double data = static_cast<double>(row.data_bytes);
    lines.push_back(absl::StrFormat(
        "%-28s %8d %9.2f %8.1f %9.2f %10.2f %10.2f %11s", row.name, row.records,
        data / kMegabyte, row.millis, row.pause_millis, row.bytes / kMegabyte,
        row.bytes / data,
        row.rocksdb_millis > 0 ? absl::StrFormat("%.1f", row.rocksdb_millis)
                               : "-"));
  }
  return lines;
}

std::string ReopenRowJson(const ReopenRow& row) {
  const nlohmann::ordered_json object = {
      {"measurement", "reopen"},
      {"open_ms", RoundedToHundredths(row.open_millis)},
      {"first_search_ms", RoundedToHundredths(row.first_search_millis)},
      {"bytes", std::round(row.bytes)}};
  return object.dump();
}

std::string ReopenLine(const ReopenRow& row) {
  return absl::StrFormat(
      "opened again in %.1f ms; the first search, which reads %.0f MB of "
      "vectors, in %.0f ms = %.2f GB/s",
      row.open_millis, row.bytes / kMegabyte, row.first_search_millis,
      row.bytes / 1e9 / (row.first_search_millis / 1e3));
}

std::string OverwriteRowJson(const OverwriteRow& row) {
  const nlohmann::ordered_json object = {
      {"measurement", "overwrite"},
      {"overwrites", row.overwrites},
      {"space_amplification", RoundedToHundredths(row.before_compact)},
      {"after_compact", RoundedToHundredths(row.after_compact)}};
  return object.dump();
}

std::string OverwriteLine(const OverwriteRow& row) {
  return absl::StrFormat(
      "every observation written %d times more: the store takes %.2f times the "
      "live vectors, %.2f after Compact()",
      row.overwrites, row.before_compact, row.after_compact);
}

}  // namespace engram::bench
