// verify

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "storage/base/status_macros.h"
#include "tools/ctl/output.h"
#include "tools/ctl/utf8.h"
#include "tools/ctl/verbs.h"
#include "tools/ctl/verify.h"

namespace engram::ctl {
namespace {

bool IsDamage(const VerifyFinding& finding) {
  return finding.severity == VerifyFinding::Severity::kDamage;
}

const char* SeverityName(const VerifyFinding& finding) {
  return IsDamage(finding) ? "damage" : "warning";
}

ExitCode ExitCodeOf(const VerifyReport& report) {
  if (report.findings.empty()) return ExitCode::kOk;
  return std::any_of(report.findings.begin(), report.findings.end(), IsDamage)
             ? ExitCode::kDamaged
             : ExitCode::kWarnings;
}

Json CountersOf(const VerifyReport& report) {
  return Json{{"segments", report.segments},
              {"groups", report.groups},
              {"records", report.records},
              {"spaces", report.spaces},
              {"nodes", report.nodes},
              {"live_nodes", report.live_nodes},
              {"twins", report.twins},
              {"unreachable_nodes", report.unreachable_nodes}};
}

absl::Status PrintReportJson(const VerifyReport& report, const char* result) {
  Json object = NewJsonObject();
  object["result"] = result;
  object["counters"] = CountersOf(report);
  if (report.absent.has_value()) object["absent"] = *report.absent;
  object["findings"] = Json::array();
  for (const VerifyFinding& finding : report.findings) {
    object["findings"].push_back({{"severity", SeverityName(finding)},
                                  {"place", Printable(finding.place)},
                                  {"message", finding.message}});
  }
  return PrintJson(object);
}

absl::Status PrintReportText(const VerifyReport& report, const char* result,
                             size_t findings_max) {
  std::string text;
  const size_t shown = std::min(findings_max, report.findings.size());
  for (size_t i = 0; i < shown; ++i) {
    const VerifyFinding& finding = report.findings[i];
    absl::StrAppendFormat(&text, "%-7s  %s: %s\n", SeverityName(finding),
                          Printable(finding.place), Printable(finding.message));
  }
  if (shown < report.findings.size()) {
    absl::StrAppend(&text, "and ", report.findings.size() - shown,
                    " more findings (--findings ", report.findings.size(),
                    " shows all)\n");
  }
  absl::StrAppend(&text, FieldLines(CountersOf(report)));
  if (report.absent.has_value()) {
    absl::StrAppend(&text, *report.absent ? "the id is in no file\n"
                                          : "the id is in files, or may be\n");
  }
  absl::StrAppend(&text, result, "\n");
  return Print(text);
}

}  // namespace

VerbResult Verify(const Global& global, const VerifyArguments& arguments) {
  std::optional<AbsentId> absent;
  if (!arguments.absent.empty()) {
    absent = {arguments.absent, arguments.space};
  } else if (!arguments.space.empty()) {
    return UsageError("--space says where --absent is not to be");
  }
  absl::StatusOr<VerifyReport> report = VerifyDatabase(global.db, absent);
  if (!report.ok()) return OpenError(std::move(report).status());
  // Damage first: the limit of what is shown must not hide it.
  std::stable_partition(report->findings.begin(), report->findings.end(),
                        IsDamage);
  const ExitCode code = ExitCodeOf(*report);
  const char* result = code == ExitCode::kOk         ? "ok"
                       : code == ExitCode::kWarnings ? "warnings"
                                                     : "damaged";
  ENGRAM_RETURN_IF_ERROR(
      global.json ? PrintReportJson(*report, result)
                  : PrintReportText(*report, result, arguments.findings_max));
  return code;
}

}  // namespace engram::ctl
