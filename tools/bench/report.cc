#include "tools/bench/report.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/bench/machine.h"
#include "tools/bench/names.h"

namespace engram::bench {
namespace {

using Json = nlohmann::ordered_json;

void Write(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

void WriteJson(const Json& object) { Write(object.dump() + "\n"); }

double Rate(const BuildResult& result) {
  return static_cast<double>(result.rows) / result.seconds;
}

}  // namespace

void Report::Run(const std::string& commit, const Dataset& dataset,
                 const IndexParameters& parameters) const {
  if (json_) {
    WriteJson({{"kind", "run"},
               {"commit", commit},
               {"processor", ProcessorModel()},
               {"processors", Processors()},
               {"load_average", LoadAverage()},
               {"dataset", dataset.name},
               {"rows", dataset.base.count()},
               {"dimension", dataset.base.dimension()},
               {"queries", dataset.queries.count()},
               {"metric", MetricName(dataset.metric)},
               {"M", parameters.M},
               {"ef_construction", parameters.ef_construction},
               {"build_threads", parameters.threads},
               {"neighbors_from_file", dataset.neighbors_from_file}});
    return;
  }
  Write(absl::StrFormat(
      "commit      %s\nprocessor   %s, %d of them, load average %.1f\n"
      "dataset     %s: %d x %d, %d queries; true neighbors %s\n"
      "parameters  %s, M %d, ef_construction %d, k %d; "
      "%d threads build, 1 searches\n\n",
      commit, ProcessorModel(), Processors(), LoadAverage(), dataset.name,
      dataset.base.count(), dataset.base.dimension(), dataset.queries.count(),
      dataset.neighbors_from_file ? "from its file" : "computed",
      MetricName(dataset.metric), parameters.M, parameters.ef_construction,
      kNeighbors, parameters.threads));
  Write(absl::StrFormat("%-8s  %10s  %8s\n", "INDEX", "INSERTS/S", "SECONDS"));
}

void Report::Build(const Subject& subject, const BuildResult& result) const {
  if (json_) {
    WriteJson({{"kind", "build"},
               {"index", subject.name()},
               {"inserts_per_second", Rate(result)},
               {"seconds", result.seconds},
               {"how", subject.building()}});
    return;
  }
  Write(absl::StrFormat("%-8s  %10.0f  %8.2f  %s\n", subject.name(),
                        Rate(result), result.seconds, subject.building()));
}

void Report::SearchHeading() const {
  if (json_) return;
  Write(absl::StrFormat("\n%-8s  %6s  %9s  %9s\n", "INDEX", "EF",
                        absl::StrCat("RECALL@", kNeighbors), "QUERIES/S"));
}

void Report::Search(const Subject& subject, const SearchResult& result) const {
  if (json_) {
    WriteJson({{"kind", "search"},
               {"index", subject.name()},
               {"ef", result.ef},
               {"recall", result.recall},
               {"queries_per_second", result.queries_per_second}});
    return;
  }
  Write(absl::StrFormat("%-8s  %6d  %9.4f  %9.0f\n", subject.name(), result.ef,
                        result.recall, result.queries_per_second));
}

void Report::Reopen(const ReopenResult& result) const {
  if (json_) {
    WriteJson({{"kind", "reopen"},
               {"index", "engram"},
               {"seconds", result.seconds},
               {"searches", result.searches},
               {"different", result.different}});
    return;
  }
  Write(absl::StrFormat("\nengram, closed and reopened in %.2f s: ",
                        result.seconds));
  if (result.different == 0) {
    Write(absl::StrFormat("the same ids and distances in all of %d searches\n",
                          result.searches));
  } else {
    Write(absl::StrFormat("%d of %d searches found something else\n",
                          result.different, result.searches));
  }
}

void Report::Note(const std::string& note) const {
  if (json_) {
    WriteJson({{"kind", "note"}, {"text", note}});
    return;
  }
  Write(note + "\n");
}

}  // namespace engram::bench
