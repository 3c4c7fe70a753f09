// How the results of engram-bench acks look.

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/bench/acks_command.h"

namespace engram::bench {
namespace {

// Of values that are sorted; 0 if there are none.
double Quantile(const std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  const auto index =
      static_cast<size_t>(share * static_cast<double>(values.size()));
  return values[std::min(index, values.size() - 1)];
}

struct Acks {
  double p50;
  double p99;
  double max;
};

Acks AcksOf(const AcksRow& row) {
  std::vector<double> micros = row.ack_micros;
  std::sort(micros.begin(), micros.end());
  return {Quantile(micros, .5), Quantile(micros, .99), Quantile(micros, 1)};
}

}  // namespace

std::string AcksRowJson(const AcksRow& row) {
  const Acks acks = AcksOf(row);
  const nlohmann::ordered_json object = {
      {"measurement", "acks"},          {"case", row.name},
      {"writers", row.writers},         {"acks", row.ack_micros.size()},
      {"p50_us", std::round(acks.p50)}, {"p99_us", std::round(acks.p99)},
      {"max_us", std::round(acks.max)}, {"ms", std::round(row.millis)}};
  return object.dump();
}

std::vector<std::string> AcksTable(const std::vector<AcksRow>& rows) {
  std::vector<std::string> lines = {
      absl::StrFormat("%-24s %7s %7s %8s %8s %8s %8s", "BESIDE", "WRITERS",
                      "ACKS", "P50 US", "P99 US", "MAX US", "MS")};
  for (const AcksRow& row : rows) {
    const Acks acks = AcksOf(row);
    lines.push_back(absl::StrFormat(
        "%-24s %7d %7d %8.0f %8.0f %8.0f %8.1f", row.name, row.writers,
        row.ack_micros.size(), acks.p50, acks.p99, acks.max, row.millis));
  }
  return lines;
}

}  // namespace engram::bench
