// load

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "storage/base/status_macros.h"
#include "tools/ctl/interrupt.h"
#include "tools/ctl/load_source.h"
#include "tools/ctl/loader.h"
#include "tools/ctl/open_database.h"
#include "tools/ctl/output.h"
#include "tools/ctl/verbs.h"

namespace engram::ctl {
namespace {

absl::StatusOr<std::unique_ptr<LoadSource>> OpenSource(
    const LoadArguments& arguments) {
  if (IsJsonlName(arguments.file) && !arguments.id_prefix.empty()) {
    return UsageError(
        "--id-prefix is for vector files; lines of JSON name "
        "their own ids");
  }
  ENGRAM_ASSIGN_OR_RETURN(
      std::unique_ptr<LoadSource> source,
      LoadSource::Open(arguments.file, arguments.id_prefix));
  if (arguments.dimension != 0 && source->dimension() != 0 &&
      arguments.dimension != source->dimension()) {
    return absl::InvalidArgumentError(
        absl::StrCat(arguments.file, ": vectors have ", source->dimension(),
                     " components, --dimension is ", arguments.dimension));
  }
  return source;
}

double Rate(uint64_t records, double seconds) {
  return seconds > 0 ? static_cast<double>(records) / seconds : 0;
}

absl::Status PrintLoaded(const Global& global, const LoadArguments& arguments,
                         const Loader& loader) {
  const double acknowledged_rate =
      Rate(loader.written(), loader.acknowledged_seconds());
  const double indexed_rate = Rate(loader.written(), loader.indexed_seconds());
  if (global.json) {
    Json object = NewJsonObject();
    object["space"] = arguments.space;
    object["dimension"] = loader.dimension();
    object["observations"] = loader.written();
    object["last_lsn"] = loader.last_lsn();
    object["interrupted"] = Interrupted();
    object["acknowledged_seconds"] = loader.acknowledged_seconds();
    object["acknowledged_per_second"] = acknowledged_rate;
    object["indexed_seconds"] = loader.indexed_seconds();
    object["indexed_per_second"] = indexed_rate;
    return PrintJson(object);
  }
  std::string text =
      absl::StrFormat("%s %d observations into space \"%s\" (dimension %d)\n",
                      Interrupted() ? "interrupted; wrote" : "loaded",
                      loader.written(), arguments.space, loader.dimension());
  absl::StrAppendFormat(&text, "acknowledged  %.0f/s in %.2f s\n",
                        acknowledged_rate, loader.acknowledged_seconds());
  if (!Interrupted()) {
    absl::StrAppendFormat(&text, "indexed       %.0f/s in %.2f s\n",
                          indexed_rate, loader.indexed_seconds());
  }
  return Print(text);
}

}  // namespace

VerbResult Load(const Global& global, const LoadArguments& arguments) {
  CatchInterrupt();
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<LoadSource> source,
                          OpenSource(arguments));
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          OpenDatabase(global.db, Access::kCreate));
  Loader loader(*db, arguments, Clock::System());
  const absl::Status loaded = loader.Run(*source);
  ENGRAM_RETURN_IF_ERROR(CloseAfter(*db, loaded));
  ENGRAM_RETURN_IF_ERROR(PrintLoaded(global, arguments, loader));
  return Interrupted() ? ExitCode::kInterrupted : ExitCode::kOk;
}

}  // namespace engram::ctl
