// info, ls, stats, producers

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "schema/space_codec.h"
#include "schema/wal_layout.h"
#include "storage/base/status_macros.h"
#include "storage/io/directory_lock.h"
#include "tools/ctl/open_database.h"
#include "tools/ctl/output.h"
#include "tools/ctl/published_stats.h"
#include "tools/ctl/stats_json.h"
#include "tools/ctl/verbs.h"

namespace engram::ctl {
namespace {

absl::StatusOr<std::vector<SpaceStats>> StatsOfSpaces(Db& db) {
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                          db.ListSpaces());
  std::vector<SpaceStats> all;
  for (const std::string& name : names) {
    ENGRAM_ASSIGN_OR_RETURN(const Space space, FindSpace(db, name));
    ENGRAM_ASSIGN_OR_RETURN(SpaceStats stats, space.GetStats());
    all.push_back(std::move(stats));
  }
  return all;
}

Json SpacesArray(const std::vector<SpaceStats>& all) {
  Json array = Json::array();
  for (const SpaceStats& stats : all) array.push_back(ToJson(stats));
  return array;
}

// What was asked for, and what that is where a graph has made it so.
std::string CodesText(const SpaceStats& stats) {
  const std::string asked = QuantizationName(stats.options.quantization);
  if (stats.options.quantization != Quantization::kAuto || !stats.has_graph) {
    return asked;
  }
  return absl::StrCat(asked, ":", QuantizationName(stats.quantization));
}

std::string SpacesTable(const std::vector<SpaceStats>& all) {
  Table table({"SPACE", "DIMENSION", "METRIC", "M", "CODES", "STORED", "LIVE",
               "PENDING", "NODES", "TWINS", "RETIRED", "UNREACHABLE", "MEMORY",
               "SEARCHED", "CHECKPOINT"});
  for (const SpaceStats& stats : all) {
    table.Add({stats.name, absl::StrCat(stats.options.dimension),
               MetricName(stats.options.metric), absl::StrCat(stats.options.M),
               CodesText(stats), StoredName(stats.options.stored),
               absl::StrCat(stats.live_records),
               absl::StrCat(stats.pending_records), absl::StrCat(stats.nodes),
               absl::StrCat(stats.twins), absl::StrCat(stats.retired_slots),
               absl::StrCat(stats.unreachable_nodes),
               BytesText(stats.memory_bytes),
               stats.has_graph ? "graph" : "flat",
               absl::StrCat("LSN ", stats.checkpoint_lsn)});
  }
  return table.Text();
}

}  // namespace

VerbResult Info(const Global& global) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          OpenDatabase(global.db, Access::kRead));
  ENGRAM_ASSIGN_OR_RETURN(const DbStats stats, db->GetStats());
  const Json all = ToJson(stats);
  Json object = NewJsonObject();
  object["path"] = stats.path;
  object["database_id"] = stats.database_id;
  // The newest that Open() accepts, and what a checkpoint writes.
  object["format"] = {{"wal", schema::kWalFormatVersion},
                      {"checkpoint", schema::kCheckpointFormatVersion}};
  for (const char* key :
       {"spaces", "last_lsn", "durable_lsn", "low_water_lsn"}) {
    object[key] = all[key];
  }
  object["wal"] = {{"segments", stats.wal_segments},
                   {"bytes", stats.wal_bytes},
                   {"status", all["wal"]["status"]}};
  object["checkpoint"] = all["checkpoint"]["status"];
  if (global.json) {
    ENGRAM_RETURN_IF_ERROR(PrintJson(object));
  } else {
    ENGRAM_RETURN_IF_ERROR(Print(FieldLines(object)));
  }
  return ExitCode::kOk;
}

VerbResult List(const Global& global) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          OpenDatabase(global.db, Access::kRead));
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<SpaceStats> all,
                          StatsOfSpaces(*db));
  if (global.json) {
    Json object = NewJsonObject();
    object["spaces"] = SpacesArray(all);
    ENGRAM_RETURN_IF_ERROR(PrintJson(object));
  } else {
    ENGRAM_RETURN_IF_ERROR(Print(SpacesTable(all)));
  }
  return ExitCode::kOk;
}

VerbResult Stats(const Global& global, const StatsArguments& arguments) {
  if (io::DirectoryLock::IsHeld(global.db + "/wal").value_or(false)) {
    // Another process has it, and says itself how it is.
    const absl::StatusOr<schema::StatsPage> page =
        ReadPublishedStats(global.db);
    if (page.ok()) return PrintPublishedStats(global, arguments, *page);
  }
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          OpenDatabase(global.db, Access::kRead));
  if (arguments.prometheus) {
    ENGRAM_ASSIGN_OR_RETURN(const Metrics metrics, db->GetMetrics());
    ENGRAM_RETURN_IF_ERROR(Print(PrometheusText(metrics)));
    return ExitCode::kOk;
  }
  Json object = NewJsonObject();
  std::string text;
  if (arguments.space.empty()) {
    ENGRAM_ASSIGN_OR_RETURN(const DbStats stats, db->GetStats());
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<SpaceStats> all,
                            StatsOfSpaces(*db));
    object["database"] = ToJson(stats);
    object["spaces"] = SpacesArray(all);
    text = FieldLines(object["database"]);
  } else {
    ENGRAM_ASSIGN_OR_RETURN(const Space found, FindSpace(*db, arguments.space));
    ENGRAM_ASSIGN_OR_RETURN(const SpaceStats stats, found.GetStats());
    object["space"] = ToJson(stats);
    text = FieldLines(object["space"]);
  }
  ENGRAM_RETURN_IF_ERROR(global.json ? PrintJson(object) : Print(text));
  return ExitCode::kOk;
}

VerbResult Producers(const Global& global) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          OpenDatabase(global.db, Access::kRead));
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<ProducerPosition> producers,
                          db->ListProducers());
  Table table({"PRODUCER", "SEQUENCE", "LSN"});
  Json array = Json::array();
  for (const ProducerPosition& last : producers) {
    table.Add({absl::StrCat(last.producer), absl::StrCat(last.sequence),
               absl::StrCat(last.lsn)});
    array.push_back(Json{{"producer", last.producer},
                         {"sequence", last.sequence},
                         {"lsn", last.lsn}});
  }
  if (global.json) {
    Json object = NewJsonObject();
    object["producers"] = array;
    ENGRAM_RETURN_IF_ERROR(PrintJson(object));
  } else {
    ENGRAM_RETURN_IF_ERROR(Print(table.Text()));
  }
  return ExitCode::kOk;
}

}  // namespace engram::ctl
