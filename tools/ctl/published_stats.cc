#include "tools/ctl/published_stats.h"

#include <cstdlib>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "storage/base/status_macros.h"
#include "storage/io/page_file.h"
#include "tools/ctl/output.h"
#include "tools/ctl/utf8.h"

namespace engram::ctl {
namespace {

// The owner writes for microseconds, once a second.
constexpr int kAttempts = 500;
constexpr absl::Duration kPause = absl::Milliseconds(2);

// A pid and a newline are less.
constexpr size_t kOwnerBytesMax = 64;

// The lines that are series, all of them or those of one space.
std::vector<absl::string_view> SeriesOf(absl::string_view text,
                                        const std::string& space) {
  const std::string label = absl::StrCat("space=\"", space, "\"");
  std::vector<absl::string_view> lines;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (line.empty() || line[0] == '#') continue;
    if (space.empty() || absl::StrContains(line, label)) lines.push_back(line);
  }
  return lines;
}

double AgeSeconds(const schema::StatsPage& page) {
  return absl::ToDoubleSeconds(absl::Now() -
                               absl::FromUnixMicros(page.unix_micros));
}

Json SeriesObject(const std::vector<absl::string_view>& lines) {
  Json object = Json::object();
  for (const absl::string_view line : lines) {
    // A label may hold spaces; the value holds none.
    const size_t space = line.rfind(' ');
    const std::string value(line.substr(space + 1));
    object[std::string(line.substr(0, space))] =
        std::strtod(value.c_str(), nullptr);
  }
  return object;
}

// Whether OWNER names another process. One that cannot be read says nothing: it
// may be missing where the disk is full.
bool IsOfAnother(const std::string& db, const schema::StatsPage& page) {
  const absl::StatusOr<std::string> owner = io::ReadPageFile(
      absl::StrCat(db, "/", schema::kOwnerFileName), kOwnerBytesMax);
  int64_t pid = 0;
  return owner.ok() && absl::SimpleAtoi(*owner, &pid) && pid != page.pid;
}

}  // namespace

absl::StatusOr<schema::StatsPage> ReadPublishedStats(const std::string& db) {
  const std::string path = absl::StrCat(db, "/", schema::kStatsFileName);
  absl::Status last;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    ENGRAM_ASSIGN_OR_RETURN(const std::string bytes,
                            io::ReadPageFile(path, schema::kStatsPageBytesMax));
    absl::StatusOr<schema::StatsPage> page = schema::DecodeStatsPage(bytes);
    if (page.ok() && IsOfAnother(db, *page)) {
      return absl::NotFoundError(absl::StrCat(
          path, ": is of process ", page->pid, ", which owns it no more"));
    }
    if (!absl::IsDataLoss(page.status())) return page;
    last = page.status();
    absl::SleepFor(kPause);
  }
  return last;
}

VerbResult PrintPublishedStats(const Global& global,
                               const StatsArguments& arguments,
                               const schema::StatsPage& page) {
  if (arguments.prometheus) {
    ENGRAM_RETURN_IF_ERROR(Print(PrintableLines(page.text)));
    return ExitCode::kOk;
  }
  const std::vector<absl::string_view> lines =
      SeriesOf(page.text, arguments.space);
  if (lines.empty()) {
    return absl::NotFoundError(absl::StrCat(global.db, ": process ", page.pid,
                                            " publishes nothing of a space \"",
                                            arguments.space, "\""));
  }
  if (global.json) {
    Json object = NewJsonObject();
    object["published"] = {{"pid", page.pid},
                           {"unix_us", page.unix_micros},
                           {"age_s", AgeSeconds(page)}};
    object["series"] = SeriesObject(lines);
    ENGRAM_RETURN_IF_ERROR(PrintJson(object));
    return ExitCode::kOk;
  }
  std::string text =
      absl::StrFormat("published by process %d, its owner, %.1f s ago\n",
                      page.pid, AgeSeconds(page));
  for (const absl::string_view line : lines) {
    absl::StrAppend(&text, PrintableLines(line), "\n");
  }
  ENGRAM_RETURN_IF_ERROR(Print(text));
  return ExitCode::kOk;
}

}  // namespace engram::ctl
