// erase

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "storage/base/status_macros.h"
#include "tools/ctl/open_database.h"
#include "tools/ctl/output.h"
#include "tools/ctl/verbs.h"

namespace engram::ctl {

VerbResult Erase(const Global& global, const EraseArguments& arguments) {
  if (!arguments.yes) {
    return UsageError(absl::StrCat(
        "erase removes ", arguments.ids.size(), " observations of space \"",
        arguments.space,
        "\" from all files of the database; say --yes if that is wanted"));
  }
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          OpenDatabase(global.db, Access::kWrite));
  Lsn lsn = 0;
  absl::StatusOr<Space> space = db->OpenSpace(arguments.space, {});
  absl::Status status = space.status();
  if (status.ok()) {
    const absl::StatusOr<Lsn> erased =
        space->Erase(arguments.ids, absl::Seconds(arguments.timeout_s));
    status = erased.status();
    lsn = erased.value_or(0);
  }
  ENGRAM_RETURN_IF_ERROR(CloseAfter(*db, status));
  if (global.json) {
    Json object = NewJsonObject();
    object["erased"] = arguments.ids.size();
    object["lsn"] = lsn;
    ENGRAM_RETURN_IF_ERROR(PrintJson(object));
  } else {
    ENGRAM_RETURN_IF_ERROR(Print(absl::StrCat(
        "erased ", arguments.ids.size(), " ids of space \"", arguments.space,
        "\"; backups and exports may still have them\n")));
  }
  return ExitCode::kOk;
}

}  // namespace engram::ctl
