// dead-letters

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "storage/base/status_macros.h"
#include "tools/ctl/open_database.h"
#include "tools/ctl/output.h"
#include "tools/ctl/utf8.h"
#include "tools/ctl/verbs.h"

namespace engram::ctl {
namespace {

// How long one waits to see what has become of it.
constexpr absl::Duration kIndexTimeout = absl::Minutes(10);

VerbResult ListThem(const Global& global, const Space& space) {
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<DeadLetter> letters,
                          space.ListDeadLetters());
  Table table({"LSN", "ID", "PAYLOAD", "WHY"});
  Json array = Json::array();
  for (const DeadLetter& letter : letters) {
    table.Add({absl::StrCat(letter.lsn), Printable(letter.id),
               BytesText(letter.payload_bytes),
               Printable(letter.status.ToString())});
    Json object = {{"lsn", letter.lsn}};
    SetBytes(object, "id", letter.id);
    object["payload_bytes"] = letter.payload_bytes;
    object["timestamp_us"] = letter.timestamp_us;
    object["status"] = letter.status.ToString();
    array.push_back(object);
  }
  if (global.json) {
    Json object = NewJsonObject();
    object["dead_letters"] = array;
    ENGRAM_RETURN_IF_ERROR(PrintJson(object));
  } else {
    ENGRAM_RETURN_IF_ERROR(Print(table.Text()));
  }
  return ExitCode::kOk;
}

// Retries or drops what was asked for; returns how many.
absl::StatusOr<uint64_t> Change(Space& space,
                                const DeadLettersArguments& arguments) {
  Lsn last = 0;
  uint64_t count = 0;
  if (arguments.drop != 0) {
    ENGRAM_ASSIGN_OR_RETURN(last, space.DropDeadLetter(arguments.drop));
    ++count;
  }
  std::vector<Lsn> wanted;
  if (arguments.retry != 0) wanted.push_back(arguments.retry);
  if (arguments.retry_all) {
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<DeadLetter> letters,
                            space.ListDeadLetters());
    for (const DeadLetter& letter : letters) wanted.push_back(letter.lsn);
  }
  for (const Lsn lsn : wanted) {
    ENGRAM_ASSIGN_OR_RETURN(last, space.RetryDeadLetter(lsn));
    ++count;
  }
  ENGRAM_RETURN_IF_ERROR(space.Wait(last, Stage::kIndexed, kIndexTimeout));
  return count;
}

}  // namespace

VerbResult DeadLetters(const Global& global,
                       const DeadLettersArguments& arguments) {
  const bool changes =
      arguments.retry != 0 || arguments.retry_all || arguments.drop != 0;
  ENGRAM_ASSIGN_OR_RETURN(
      const std::unique_ptr<Db> db,
      OpenDatabase(global.db, changes ? Access::kWrite : Access::kRead));
  ENGRAM_ASSIGN_OR_RETURN(Space space, FindSpace(*db, arguments.space));
  if (!changes) return ListThem(global, space);
  const absl::StatusOr<uint64_t> changed = Change(space, arguments);
  uint64_t left = 0;
  if (changed.ok()) {
    ENGRAM_ASSIGN_OR_RETURN(const SpaceStats stats, space.GetStats());
    left = stats.dead_letters;
  }
  ENGRAM_RETURN_IF_ERROR(CloseAfter(*db, changed.status()));
  const char* const what = arguments.drop != 0 ? "dropped" : "retried";
  if (global.json) {
    Json object = NewJsonObject();
    object[what] = *changed;
    object["dead_letters"] = left;
    ENGRAM_RETURN_IF_ERROR(PrintJson(object));
  } else {
    ENGRAM_RETURN_IF_ERROR(
        Print(absl::StrCat(what, " ", *changed, "; ", left, " left\n")));
  }
  return ExitCode::kOk;
}

}  // namespace engram::ctl
