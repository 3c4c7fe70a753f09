// The results of a run, as text or as JSON, one object a line.

#ifndef ENGRAM_TOOLS_BENCH_REPORT_H_
#define ENGRAM_TOOLS_BENCH_REPORT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "tools/bench/dataset.h"
#include "tools/bench/subject.h"

namespace engram::bench {

struct BuildResult {
  size_t rows = 0;
  double seconds = 0;
};

struct SearchResult {
  uint32_t ef = 0;
  double recall = 0;
  double queries_per_second = 0;
};

struct ReopenResult {
  double seconds = 0;  // to close and open
  size_t searches = 0;
  size_t different = 0;  // in any id or distance
};

class Report {
 public:
  explicit Report(bool json) : json_(json) {}

  void Run(const std::string& commit, const Dataset& dataset,
           const IndexParameters& parameters) const;
  void Build(const Subject& subject, const BuildResult& result) const;
  void SearchHeading() const;
  void Search(const Subject& subject, const SearchResult& result) const;
  void Reopen(const ReopenResult& result) const;
  void Note(const std::string& note) const;

 private:
  const bool json_;
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_REPORT_H_
