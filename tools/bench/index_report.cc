#include "tools/bench/index_report.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace engram::bench {
namespace {

struct Column {
  const char* key;
  const char* heading;
  int decimals;
};

// The columns of each measurement, after that of the engine and before the
// ratios. One that no row has is left out.
const std::vector<Column>& ColumnsOf(const std::string& measurement) {
  static const std::map<std::string, std::vector<Column>> columns = {
      {"build",
       {{"inserts_per_s", "INSERTS/S", 0},
        {"cpu_inserts_per_s", "/CPU-S", 0},
        {"inserts_per_s_last_tenth", "LAST TENTH/S", 0},
        {"unreachable", "UNREACHABLE", 0},
        {"self_probe_200", "SELF-PROBE@200", 5},
        {"self_probe_1024", "@1024", 5},
        {"self_probes", "PROBES", 0}}},
      {"search",
       {{"ef", "EF", 0},
        {"recall", "RECALL@10", 4},
        {"qps", "QUERIES/S", 0},
        {"cpu_qps", "/CPU-S", 0}}},
      {"search_at",
       {{"target_recall", "RECALL@10", 2},
        {"qps", "QUERIES/S", 0},
        {"cpu_qps", "/CPU-S", 0}}},
      {"memory",
       {{"bytes_per_vector", "BYTES/VECTOR", 0},
        {"marginal_bytes_per_vector", "MARGINAL", 0},
        {"reported_bytes_per_vector", "REPORTED", 0},
        {"of_raw", "OF RAW", 3}}},
      {"churn",
       {{"pairs_per_s", "PAIRS/S", 0},
        {"ef", "EF", 0},
        {"recall", "RECALL@10", 4},
        {"recall_fresh", "FRESH", 4},
        {"unreachable", "UNREACHABLE", 0},
        {"self_probe_200", "SELF-PROBE@200", 5},
        {"self_probe_1024", "@1024", 5},
        {"self_probes", "PROBES", 0}}},
      {"duplicates",
       {{"inserts_per_s", "INSERTS/S", 0},
        {"ef", "EF", 0},
        {"recall", "RECALL@10", 4},
        {"recall_unique", "UNIQUE", 4},
        {"unreachable", "UNREACHABLE", 0}}},
      {"concurrent",
       {{"inserts_per_cpu_s", "INSERTS/CPU-S", 0},
        {"inserts_per_cpu_s_with_reader", "WITH READER", 0},
        {"writer_slowdown", "SLOWDOWN", 3},
        {"reader_qps", "READER QUERIES/CPU-S", 0}}},
  };
  static const std::vector<Column> none;
  const auto found = columns.find(measurement);
  return found == columns.end() ? none : found->second;
}

void Print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

// 12345.6 as "12,346".
std::string Grouped(double value) {
  std::string digits = absl::StrFormat("%.0f", value);
  const size_t begin = digits[0] == '-' ? 1 : 0;
  for (size_t i = digits.size(); i > begin + 3;) {
    i -= 3;
    digits.insert(i, ",");
  }
  return digits;
}

std::string CellOf(const Json& row, const Column& column) {
  const auto value = row.find(column.key);
  if (value == row.end()) return "-";
  if (column.decimals == 0) return Grouped(value->get<double>());
  return absl::StrFormat("%.*f", column.decimals, value->get<double>());
}

std::string RatioCellOf(const Json& row, const std::string& peer) {
  const auto ratios = row.find("ratio");
  if (ratios == row.end() || !ratios->contains(peer)) return "";
  const double ratio = (*ratios)[peer].get<double>();
  const auto common = row.find("highest_common_with");
  const bool highest =
      common != row.end() &&
      std::find(common->begin(), common->end(), peer) != common->end();
  return absl::StrFormat("%.2fx%s", ratio, highest ? "*" : "");
}

// Names to the left, numbers to the right.
std::vector<std::string> Aligned(
    const std::vector<std::vector<std::string>>& cells) {
  std::vector<size_t> widths(cells[0].size(), 0);
  for (const auto& row : cells) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::vector<std::string> lines;
  for (const auto& row : cells) {
    std::string& line = lines.emplace_back();
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      absl::StrAppend(&line, i == 0 ? "" : "  ", i == 0 ? row[i] : padding,
                      i == 0 ? padding : row[i]);
    }
    absl::StripTrailingAsciiWhitespace(&line);
  }
  return lines;
}

}  // namespace

std::vector<std::string> TableOf(const std::vector<Json>& rows,
                                 const std::vector<std::string>& peers) {
  const auto measurement = rows[0]["measurement"].get<std::string>();
  std::vector<Column> columns;
  for (const Column& column : ColumnsOf(measurement)) {
    if (std::any_of(rows.begin(), rows.end(), [&column](const Json& row) {
          return row.contains(column.key);
        })) {
      columns.push_back(column);
    }
  }
  std::vector<std::string> compared;
  for (const std::string& peer : peers) {
    if (std::any_of(rows.begin(), rows.end(), [&peer](const Json& row) {
          return row.contains("ratio") && row["ratio"].contains(peer);
        })) {
      compared.push_back(peer);
    }
  }
  std::vector<std::vector<std::string>> cells;
  std::vector<std::string>& heading = cells.emplace_back();
  heading.push_back(absl::AsciiStrToUpper(measurement));
  for (const Column& column : columns) heading.push_back(column.heading);
  for (const std::string& peer : compared) {
    heading.push_back(absl::StrCat("VS ", absl::AsciiStrToUpper(peer)));
  }
  for (const Json& row : rows) {
    std::vector<std::string>& line = cells.emplace_back();
    line.push_back(row["engine"].get<std::string>());
    for (const Column& column : columns) line.push_back(CellOf(row, column));
    for (const std::string& peer : compared) {
      line.push_back(RatioCellOf(row, peer));
    }
  }
  return Aligned(cells);
}

IndexReport::IndexReport(bool json, std::vector<std::string> peers)
    : json_(json), peers_(std::move(peers)) {}

void IndexReport::Run(const Json& run) const {
  if (json_) {
    Print(run.dump() + "\n");
    return;
  }
  const Json& machine = run["machine"];
  const std::string cores =
      machine["core"].is_null()
          ? "not pinned"
          : absl::StrCat("pinned to core ", machine["core"].get<int>());
  Print(absl::StrFormat(
      "commit      %s\n"
      "machine     %s, %d of them, load average %.1f; %s\n"
      "dataset     %s: %d x %d, %d queries, %s; true neighbors %s\n",
      run["commit"].get<std::string>(), machine["processor"].get<std::string>(),
      machine["processors"].get<unsigned>(), run["load"].get<double>(), cores,
      run["dataset"].get<std::string>(), run["rows"].get<size_t>(),
      run["dimension"].get<size_t>(), run["queries"].get<size_t>(),
      run["metric"].get<std::string>(),
      run["neighbors_from_file"].get<bool>() ? "from a file" : "computed"));
  std::vector<std::string> parameters;
  for (const auto& [name, value] : run["parameters"].items()) {
    parameters.push_back(absl::StrCat(
        name, " ",
        value.is_string() ? value.get<std::string>() : value.dump()));
  }
  Print(absl::StrCat("parameters  ", absl::StrJoin(parameters, ", "), "\n"));
  for (const auto& [engine, how] : run["engines"].items()) {
    Print(absl::StrFormat("%-10s  %s\n", engine, how.get<std::string>()));
  }
}

void IndexReport::Rows(const std::vector<Json>& rows) const {
  if (json_) {
    for (const Json& row : rows) Print(row.dump() + "\n");
    return;
  }
  Print("\n");
  for (const std::string& line : TableOf(rows, peers_)) Print(line + "\n");
}

void IndexReport::Note(const std::string& note) const {
  std::fprintf(json_ ? stderr : stdout, "%s\n", note.c_str());
  std::fflush(stdout);
}

void IndexReport::Progress(const std::string& what) const {
  if (::isatty(STDERR_FILENO) == 0) return;
  std::fprintf(stderr, "engram-bench: %s\n", what.c_str());
}

}  // namespace engram::bench
