// backup, restore, export, import

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "storage/base/status_macros.h"
#include "tools/ctl/open_database.h"
#include "tools/ctl/output.h"
#include "tools/ctl/restore.h"
#include "tools/ctl/verbs.h"

namespace engram::ctl {

VerbResult Backup(const Global& global, const std::string& dir) {
  absl::StatusOr<std::unique_ptr<Db>> db =
      OpenDatabase(global.db, Access::kWrite);
  if (absl::IsUnavailable(db.status())) {
    return WithExitCode(
        absl::UnavailableError(absl::StrCat(
            db.status().message(),
            "; while it is open, only that process can back it up, by "
            "Db::Backup()")),
        ExitCode::kUnavailable);
  }
  ENGRAM_RETURN_IF_ERROR(db.status());
  absl::Status status = (*db)->Backup(dir);
  absl::StatusOr<DbStats> stats = (*db)->GetStats();
  if (status.ok()) status = stats.status();
  ENGRAM_RETURN_IF_ERROR(CloseAfter(**db, status));
  if (global.json) {
    Json object = NewJsonObject();
    object["backup"] = dir;
    object["last_lsn"] = stats->last_lsn;
    ENGRAM_RETURN_IF_ERROR(PrintJson(object));
  } else {
    ENGRAM_RETURN_IF_ERROR(Print(absl::StrCat(
        "backed up to ", dir, ", up to LSN ", stats->last_lsn, "\n")));
  }
  return ExitCode::kOk;
}

VerbResult Restore(const Global& global, const RestoreArguments& arguments) {
  ENGRAM_ASSIGN_OR_RETURN(const Restored restored,
                          RestoreDatabase(arguments.backup, arguments.dir));
  if (global.json) {
    Json object = NewJsonObject();
    object["restored"] = arguments.dir;
    object["files"] = restored.files;
    object["bytes"] = restored.bytes;
    object["warnings"] = restored.warnings;
    ENGRAM_RETURN_IF_ERROR(PrintJson(object));
    return ExitCode::kOk;
  }
  std::string text =
      absl::StrCat("restored ", arguments.dir, " from ", arguments.backup, ": ",
                   restored.files, " files, ", BytesText(restored.bytes), "\n");
  if (restored.warnings > 0) {
    absl::StrAppend(&text, "verify has ", restored.warnings,
                    " warnings of it, and no damage\n");
  }
  ENGRAM_RETURN_IF_ERROR(Print(text));
  return ExitCode::kOk;
}

VerbResult Export(const Global& global, const ExportArguments& arguments) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          OpenDatabase(global.db, Access::kRead));
  ENGRAM_RETURN_IF_ERROR(db->ExportSpace(arguments.space, arguments.file));
  ENGRAM_ASSIGN_OR_RETURN(const Space space, FindSpace(*db, arguments.space));
  ENGRAM_ASSIGN_OR_RETURN(const SpaceStats stats, space.GetStats());
  if (global.json) {
    Json object = NewJsonObject();
    object["exported"] = arguments.file;
    object["observations"] = stats.live_records;
    ENGRAM_RETURN_IF_ERROR(PrintJson(object));
  } else {
    ENGRAM_RETURN_IF_ERROR(
        Print(absl::StrCat("exported ", stats.live_records, " observations to ",
                           arguments.file, "\n")));
  }
  return ExitCode::kOk;
}

VerbResult Import(const Global& global, const ExportArguments& arguments) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          OpenDatabase(global.db, Access::kCreate));
  absl::Status status = db->ImportSpace(arguments.file, arguments.space);
  SpaceStats stats;
  if (status.ok()) {
    absl::StatusOr<Space> space = FindSpace(*db, arguments.space);
    absl::StatusOr<SpaceStats> read =
        space.ok() ? space->GetStats() : space.status();
    status = read.status();
    if (read.ok()) stats = *std::move(read);
  }
  ENGRAM_RETURN_IF_ERROR(CloseAfter(*db, status));
  if (global.json) {
    Json object = NewJsonObject();
    object["imported"] = arguments.space;
    object["observations"] = stats.live_records;
    ENGRAM_RETURN_IF_ERROR(PrintJson(object));
  } else {
    ENGRAM_RETURN_IF_ERROR(Print(absl::StrCat("imported ", stats.live_records,
                                              " observations into ", "space \"",
                                              arguments.space, "\"\n")));
  }
  return ExitCode::kOk;
}

}  // namespace engram::ctl
