// The results of engram-bench index, as aligned tables or as JSON, one object
// a line.

#ifndef ENGRAM_TOOLS_BENCH_INDEX_REPORT_H_
#define ENGRAM_TOOLS_BENCH_INDEX_REPORT_H_

#include <string>
#include <vector>

#include "nlohmann/json.hpp"

namespace engram::bench {

using Json = nlohmann::ordered_json;

class IndexReport {
 public:
  // `peers`: what Engram is compared with; each gets a column of ratios.
  IndexReport(bool json, std::vector<std::string> peers);

  // What was measured, where, and how: the first thing that is printed.
  void Run(const Json& run) const;

  // Rows of one measurement, with all their keys. At least one.
  void Rows(const std::vector<Json>& rows) const;

  // For people alone: to stderr where stdout is for programs.
  void Note(const std::string& note) const;

  // What goes on, if somebody may be watching: to a terminal's stderr.
  void Progress(const std::string& what) const;

 private:
  const bool json_;
  const std::vector<std::string> peers_;
};

// The lines of the table that Rows() prints, the heading first.
std::vector<std::string> TableOf(const std::vector<Json>& rows,
                                 const std::vector<std::string>& peers);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INDEX_REPORT_H_
