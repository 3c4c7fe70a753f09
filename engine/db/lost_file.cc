#include "engine/db/lost_file.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace engram::internal {
namespace {

absl::string_view KindText(LostWrite::Kind kind) {
  switch (kind) {
    case LostWrite::Kind::kObserve:
      return "observe";
    case LostWrite::Kind::kRemove:
      return "remove";
    case LostWrite::Kind::kCreateSpace:
      return "create space";
    case LostWrite::Kind::kDropSpace:
      break;
  }
  return "drop space";
}

}  // namespace

std::string LostText(const SalvageReport& report) {
  std::string text;
  for (const LogDamage& loss : report.losses) {
    absl::StrAppend(&text, "lost LSN ", loss.first_lsn);
    if (loss.last_lsn >= loss.first_lsn) {
      absl::StrAppend(&text, " to ", loss.last_lsn);
    }
    absl::StrAppend(&text, loss.open_ended ? " and maybe later" : "", ": ",
                    loss.path, ", offset ", loss.offset, ": ", loss.reason,
                    "\n");
    for (const LostWrite& write : loss.writes) {
      absl::StrAppend(&text, write.certain ? "  " : "  probably ", "LSN ",
                      write.lsn, ": ", KindText(write.kind), ", space ",
                      write.space_id);
      if (!write.space.empty()) {
        absl::StrAppend(&text, " \"", write.space, "\"");
      }
      if (!write.id.empty()) {
        absl::StrAppend(&text, ", id \"", absl::CEscape(write.id), "\"");
      }
      absl::StrAppend(&text, "\n");
    }
  }
  for (const std::string& note : report.notes) {
    absl::StrAppend(&text, "note: ", note, "\n");
  }
  return text;
}

}  // namespace engram::internal
