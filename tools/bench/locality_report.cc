#include "tools/bench/locality_report.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "tools/bench/rounded.h"
#include "tools/bench/samples.h"

namespace engram::bench {
namespace {

using Json = nlohmann::ordered_json;

// Random to home, of each pair of slices: what others do to the machine does it
// to both.
std::vector<double> CpuRatios(const LocalityRow& home,
                              const LocalityRow& random) {
  std::vector<double> ratios;
  for (size_t i = 0; i < home.cpu_us.size() && i < random.cpu_us.size(); ++i) {
    ratios.push_back(random.cpu_us[i] / home.cpu_us[i]);
  }
  return ratios;
}

std::string Mebibytes(uint64_t bytes) {
  return bytes == 0 ? "unknown" : absl::StrFormat("%d MiB", bytes >> 20);
}

// What a pair of rows answers.
std::string Answer(const LocalityRow& home, const LocalityRow& random) {
  const std::vector<double> ratios = CpuRatios(home, random);
  if (ratios.empty()) return "";
  const auto [min, max] = std::minmax_element(ratios.begin(), ratios.end());
  const double saved = (Median(ratios) - 1) * Median(home.cpu_us);
  return absl::StrFormat(
      "batches of %d: a random worker takes %.3fx the CPU of the home worker "
      "(%.3f to %.3f); home %s %.1f us an insert",
      home.batch, Median(ratios), *min, *max, saved < 0 ? "costs" : "saves",
      std::abs(saved));
}

std::string CachesLine(const LocalityResult& result) {
  std::string line = absl::StrFormat(
      "%d spaces of %d observations take %s, and %s in the end; third-level "
      "cache %s",
      result.spaces, result.preload, Mebibytes(result.memory_bytes_before),
      Mebibytes(result.memory_bytes_after),
      Mebibytes(result.shared_cache_bytes));
  if (result.memory_bytes_before <= result.shared_cache_bytes) {
    absl::StrAppend(&line,
                    ", which holds them: this says nothing of caches "
                    "that do not");
  }
  return line;
}

}  // namespace

std::vector<std::string> LocalityJson(const std::string& scenario,
                                      const LocalityResult& result) {
  std::vector<std::string> lines;
  for (size_t i = 0; i < result.rows.size(); ++i) {
    const LocalityRow& row = result.rows[i];
    Json slices = Json::array();
    for (const double us : row.cpu_us) slices.push_back(Rounded(us));
    Json object = {{"measurement", "locality"},
                   {"scenario", scenario},
                   {"phase", absl::StrCat(row.placement, ", ", row.batch)},
                   {"placement", row.placement},
                   {"batch", row.batch},
                   {"spaces", result.spaces},
                   {"workers", result.workers},
                   {"preload", result.preload},
                   {"indexed", row.indexed},
                   {"per_s", std::round(Median(row.per_s))},
                   {"cpu_us", Rounded(Median(row.cpu_us))},
                   {"cpu_us_slices", slices},
                   {"moves", row.moves},
                   {"cache_misses", nullptr},
                   {"memory_bytes", result.memory_bytes_before},
                   {"shared_cache_bytes", nullptr},
                   {"ratio", Json::object()}};
    if (row.cache_misses_status.ok()) {
      object["cache_misses"] = row.cache_misses;
    } else {
      object["cache_misses_absent"] =
          std::string(row.cache_misses_status.message());
    }
    if (result.shared_cache_bytes > 0) {
      object["shared_cache_bytes"] = result.shared_cache_bytes;
    }
    if (i % 2 == 1) {
      object["ratio"]["CPU of home"] =
          Rounded(Median(CpuRatios(result.rows[i - 1], row)));
      object["explanation"] = Answer(result.rows[i - 1], row);
    }
    lines.push_back(object.dump());
  }
  return lines;
}

std::vector<std::string> LocalityTable(const LocalityResult& result) {
  std::vector<std::string> lines = {absl::StrFormat(
      "%-9s %7s %7s %9s %9s %8s %7s %10s  %s", "PLACEMENT", "BATCH", "WORKERS",
      "INDEXED", "PER S", "CPU US", "MOVES", "LLC/INSERT", "CPU US, SLICES")};
  for (const LocalityRow& row : result.rows) {
    const std::string misses =
        row.cache_misses_status.ok() && row.indexed > 0
            ? absl::StrFormat("%.1f", static_cast<double>(row.cache_misses) /
                                          static_cast<double>(row.indexed))
            : "absent";
    lines.push_back(absl::StrFormat(
        "%-9s %7d %7d %9d %9.0f %8.1f %7d %10s  %s", row.placement, row.batch,
        result.workers, row.indexed, Median(row.per_s), Median(row.cpu_us),
        row.moves, misses,
        absl::StrJoin(row.cpu_us, " ", [](std::string* out, double us) {
          absl::StrAppendFormat(out, "%.1f", us);
        })));
  }
  for (size_t i = 1; i < result.rows.size(); i += 2) {
    lines.push_back(
        absl::StrCat("  ", Answer(result.rows[i - 1], result.rows[i])));
  }
  lines.push_back(absl::StrCat("  ", CachesLine(result)));
  for (const LocalityRow& row : result.rows) {
    if (row.cache_misses_status.ok()) continue;
    lines.push_back(absl::StrCat("  LLC misses are absent: ",
                                 row.cache_misses_status.message()));
    break;
  }
  return lines;
}

}  // namespace engram::bench
