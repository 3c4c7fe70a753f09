// search, get

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "storage/base/status_macros.h"
#include "tools/ctl/jsonl.h"
#include "tools/ctl/line_reader.h"
#include "tools/ctl/open_database.h"
#include "tools/ctl/output.h"
#include "tools/ctl/utf8.h"
#include "tools/ctl/verbs.h"

namespace engram::ctl {
namespace {

// Parses --vector; "-" is the first line of stdin.
absl::StatusOr<std::vector<float>> VectorArgument(const std::string& text) {
  absl::StatusOr<std::vector<float>> vector;
  if (text == "-") {
    ENGRAM_ASSIGN_OR_RETURN(LineReader lines, LineReader::Open("-"));
    absl::string_view line;
    ENGRAM_RETURN_IF_ERROR(lines.Next(&line).status());
    vector = ParseVector(line);
  } else {
    vector = ParseVector(text);
  }
  if (vector.ok()) return vector;
  return absl::InvalidArgumentError(
      absl::StrCat("--vector: ", vector.status().message()));
}

absl::StatusOr<std::vector<float>> QueryOf(const Space& space,
                                           const SearchArguments& arguments) {
  if (arguments.id.empty()) return VectorArgument(arguments.vector);
  ENGRAM_ASSIGN_OR_RETURN(StoredObservation observation,
                          space.Get(arguments.id));
  return std::move(observation.vector);
}

std::string PlanName(SearchPlan plan) {
  switch (plan) {
    case SearchPlan::kFlat:
      return "flat";
    case SearchPlan::kGraph:
      return "graph";
    case SearchPlan::kFiltered:
      return "filtered";
    case SearchPlan::kExact:
      break;
  }
  return "exact";
}

Json ToJson(const SearchStats& stats) {
  return Json{{"plan", PlanName(stats.plan)},
              {"distances", stats.distances},
              {"hops", stats.hops},
              {"tail_distances", stats.tail_distances},
              {"micros", stats.micros}};
}

absl::Status PrintHits(const Global& global, const SearchArguments& arguments,
                       const std::vector<Hit>& hits, const SearchStats& stats) {
  if (global.json) {
    Json object = NewJsonObject();
    object["space"] = arguments.space;
    object["hits"] = Json::array();
    for (const Hit& hit : hits) {
      Json entry;
      SetBytes(entry, "id", hit.id);
      entry["distance"] = hit.distance;
      entry["lsn"] = hit.lsn;
      object["hits"].push_back(std::move(entry));
    }
    if (arguments.stats) object["stats"] = ToJson(stats);
    return PrintJson(object);
  }
  std::string text;
  for (const Hit& hit : hits) {
    absl::StrAppendFormat(&text, "%-12.6g  %s\n", hit.distance,
                          Printable(hit.id));
  }
  if (arguments.stats) absl::StrAppend(&text, "\n", FieldLines(ToJson(stats)));
  return Print(text);
}

}  // namespace

VerbResult Search(const Global& global, const SearchArguments& arguments) {
  if (arguments.id.empty() == arguments.vector.empty()) {
    return UsageError("search needs either --id ID or --vector \"[..]\"");
  }
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          OpenDatabase(global.db, Access::kRead));
  ENGRAM_ASSIGN_OR_RETURN(const Space space, FindSpace(*db, arguments.space));
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<float> query,
                          QueryOf(space, arguments));
  SearchOptions options;
  options.k = arguments.k;
  options.ef_search = arguments.ef_search;
  options.exact = arguments.exact;
  SearchStats stats;
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<Hit> hits,
                          space.Search(query, options, &stats));
  ENGRAM_RETURN_IF_ERROR(PrintHits(global, arguments, hits, stats));
  return ExitCode::kOk;
}

VerbResult Get(const Global& global, const std::string& space_name,
               const std::string& id) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          OpenDatabase(global.db, Access::kRead));
  ENGRAM_ASSIGN_OR_RETURN(const Space space, FindSpace(*db, space_name));
  ENGRAM_ASSIGN_OR_RETURN(const StoredObservation observation, space.Get(id));
  std::string text;
  if (global.json) {
    AppendRecordLine(observation, &text);
  } else {
    absl::StrAppend(&text, "id            ", Printable(observation.id),
                    "\nlsn           ", observation.lsn, "\ntimestamp_us  ",
                    observation.timestamp_us, "\npayload       ",
                    Printable(observation.payload), "\nvector        ");
    AppendVector(observation.vector, &text);
    text += '\n';
  }
  ENGRAM_RETURN_IF_ERROR(Print(text));
  return ExitCode::kOk;
}

}  // namespace engram::ctl
