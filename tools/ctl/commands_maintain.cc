// drop, compact, checkpoint

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "storage/base/errno_status.h"
#include "storage/base/status_macros.h"
#include "tools/ctl/open_database.h"
#include "tools/ctl/output.h"
#include "tools/ctl/verbs.h"

namespace engram::ctl {
namespace {

// Bytes of the regular files below `path`. Files that go meanwhile are no
// error.
absl::StatusOr<uint64_t> BytesOnDisk(const std::string& path) {
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(path, error);
  uint64_t bytes = 0;
  while (!error && entry != std::filesystem::recursive_directory_iterator()) {
    std::error_code ignored;
    if (entry->is_regular_file(ignored) && !entry->is_symlink(ignored)) {
      const uintmax_t size = entry->file_size(ignored);
      if (!ignored) bytes += size;
    }
    entry.increment(error);
  }
  if (error) return ErrnoStatus(error.value(), "list", path);
  return bytes;
}

}  // namespace

VerbResult Drop(const Global& global, const std::string& space, bool yes) {
  if (!yes) {
    return UsageError(absl::StrCat("drop removes space \"", space,
                                   "\" with all it holds; say --yes if that "
                                   "is wanted"));
  }
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          OpenDatabase(global.db, Access::kWrite));
  ENGRAM_RETURN_IF_ERROR(CloseAfter(*db, db->DropSpace(space)));
  if (!global.json) {
    ENGRAM_RETURN_IF_ERROR(
        Print(absl::StrCat("dropped space \"", space, "\"\n")));
    return ExitCode::kOk;
  }
  Json object = NewJsonObject();
  object["dropped"] = space;
  ENGRAM_RETURN_IF_ERROR(PrintJson(object));
  return ExitCode::kOk;
}

VerbResult Compact(const Global& global) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          OpenDatabase(global.db, Access::kWrite));
  ENGRAM_ASSIGN_OR_RETURN(const uint64_t before, BytesOnDisk(global.db));
  ENGRAM_RETURN_IF_ERROR(CloseAfter(*db, db->Compact()));
  ENGRAM_ASSIGN_OR_RETURN(const uint64_t after, BytesOnDisk(global.db));
  if (global.json) {
    Json object = NewJsonObject();
    object["bytes_before"] = before;
    object["bytes_after"] = after;
    ENGRAM_RETURN_IF_ERROR(PrintJson(object));
  } else {
    ENGRAM_RETURN_IF_ERROR(
        Print(absl::StrCat("on disk before  ", BytesText(before),
                           "\non disk after   ", BytesText(after), "\n")));
  }
  return ExitCode::kOk;
}

VerbResult Checkpoint(const Global& global) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          OpenDatabase(global.db, Access::kWrite));
  absl::Status status = db->Checkpoint();
  DbStats stats;
  if (status.ok()) {
    absl::StatusOr<DbStats> read = db->GetStats();
    status = read.status();
    if (read.ok()) stats = *std::move(read);
  }
  ENGRAM_RETURN_IF_ERROR(CloseAfter(*db, status));
  if (global.json) {
    Json object = NewJsonObject();
    object["last_lsn"] = stats.last_lsn;
    object["low_water_lsn"] = stats.low_water_lsn;
    ENGRAM_RETURN_IF_ERROR(PrintJson(object));
  } else {
    ENGRAM_RETURN_IF_ERROR(
        Print(absl::StrCat("saved; the log is needed above LSN ",
                           stats.low_water_lsn, " only\n")));
  }
  return ExitCode::kOk;
}

}  // namespace engram::ctl
