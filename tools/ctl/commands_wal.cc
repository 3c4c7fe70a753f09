// wal ls, wal verify, wal salvage

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "storage/base/status_macros.h"
#include "storage/io/posix_directory.h"
#include "storage/wal/reader.h"
#include "storage/wal/segments.h"
#include "tools/ctl/open_database.h"
#include "tools/ctl/output.h"
#include "tools/ctl/utf8.h"
#include "tools/ctl/verbs.h"
#include "tools/ctl/wal_show.h"

namespace engram::ctl {
namespace {

using schema::RecordType;

std::string LsnText(Lsn first, Lsn last) {
  return last < first ? "-" : absl::StrCat(first, "-", last);
}

Lsn LastLsn(const wal::RecoveredLog& log) {
  return log.segments.empty() ? 0 : log.segments.back().last_lsn;
}

const char* StateOf(const wal::RecoveredLog& log, size_t index) {
  if (log.segments[index].epoch == 0) return "damaged";
  if (log.segments[index].complete) return "complete";
  if (index + 1 < log.segments.size()) return "cut off";
  return log.clean_close ? "closed" : "open";
}

Json SegmentJson(const wal::RecoveredSegment& segment, const char* state) {
  return Json{{"segment", segment.number},
              {"epoch", absl::StrFormat("%016x", segment.epoch)},
              {"state", state},
              {"first_lsn", segment.first_lsn},
              {"last_lsn", segment.last_lsn},
              {"groups", segment.groups},
              {"records", segment.records},
              {"end_offset", segment.end_offset},
              {"bytes", segment.file_bytes},
              {"predecessor", segment.predecessor}};
}

// A loss as wal verify and wal salvage print it.
struct Finding {
  Json json;
  std::string text;
  bool damage = true;
};

Finding FindingOf(const wal::LogLoss& loss) {
  Finding finding;
  finding.text = wal::LossText(loss, nullptr);
  finding.json =
      Json{{"severity", "damage"},      {"place", Printable(loss.path)},
           {"offset", loss.offset},     {"first_lsn", loss.first_lsn},
           {"last_lsn", loss.last_lsn}, {"open_ended", loss.open_ended},
           {"message", loss.reason},    {"writes", Json::array()}};
  for (const wal::LostRecord& record : loss.records) {
    Json write{{"lsn", record.lsn},
               {"type", RecordTypeName(record.type)},
               {"space_id", record.space_id},
               {"certain", record.intact}};
    if (!record.id.empty()) SetBytes(write, "id", record.id);
    finding.json["writes"].push_back(std::move(write));
  }
  return finding;
}

Finding WarningOf(const std::string& warning) {
  return {Json{{"severity", "warning"}, {"message", Printable(warning)}},
          warning, false};
}

const char* KindName(LostWrite::Kind kind) {
  switch (kind) {
    case LostWrite::Kind::kObserve:
      return RecordTypeName(RecordType::kObserve);
    case LostWrite::Kind::kRemove:
      return RecordTypeName(RecordType::kRemove);
    case LostWrite::Kind::kCreateSpace:
      return RecordTypeName(RecordType::kCreateSpace);
    case LostWrite::Kind::kDropSpace:
      break;
  }
  return RecordTypeName(RecordType::kDropSpace);
}

absl::Status PrintSalvageJson(const SalvageReport& report) {
  Json object = NewJsonObject();
  object["recorded_in"] = Printable(report.recorded_in);
  object["losses"] = Json::array();
  for (const LogDamage& loss : report.losses) {
    Json writes = Json::array();
    for (const LostWrite& lost : loss.writes) {
      Json write{{"lsn", lost.lsn},
                 {"type", KindName(lost.kind)},
                 {"space_id", lost.space_id},
                 {"certain", lost.certain}};
      if (!lost.space.empty()) write["space"] = lost.space;
      if (!lost.id.empty()) SetBytes(write, "id", lost.id);
      writes.push_back(std::move(write));
    }
    object["losses"].push_back({{"place", Printable(loss.path)},
                                {"offset", loss.offset},
                                {"first_lsn", loss.first_lsn},
                                {"last_lsn", loss.last_lsn},
                                {"open_ended", loss.open_ended},
                                {"message", loss.reason},
                                {"writes", std::move(writes)}});
  }
  object["notes"] = report.notes;
  return PrintJson(object);
}

absl::Status PrintSalvageText(const SalvageReport& report) {
  if (report.losses.empty()) return Print("nothing was damaged\n");
  std::string text;
  for (const LogDamage& loss : report.losses) {
    absl::StrAppend(&text, "LOST     LSN ", loss.first_lsn);
    if (loss.last_lsn >= loss.first_lsn) {
      absl::StrAppend(&text, " to ", loss.last_lsn);
    }
    absl::StrAppend(&text, loss.open_ended ? " and maybe later" : "", ": ",
                    Printable(loss.path), ", offset ", loss.offset, ": ",
                    loss.reason, "\n");
    for (const LostWrite& write : loss.writes) {
      absl::StrAppend(
          &text, write.certain ? "  LSN " : "  probably LSN ", write.lsn, " ",
          KindName(write.kind), " space ",
          write.space.empty() ? absl::StrCat(write.space_id) : write.space,
          write.id.empty() ? "" : " id ", Printable(write.id), "\n");
    }
  }
  for (const std::string& note : report.notes) {
    absl::StrAppend(&text, "note     ", Printable(note), "\n");
  }
  absl::StrAppend(&text, "The rest is saved. This list stands in ",
                  Printable(report.recorded_in), " too.\n");
  return Print(text);
}

}  // namespace

absl::StatusOr<std::unique_ptr<io::Directory>> OpenLogFolder(
    const Global& global) {
  absl::StatusOr<std::unique_ptr<io::Directory>> directory =
      io::OpenPosixDirectory(global.db + "/wal", /*create=*/false);
  if (!directory.ok()) return OpenError(std::move(directory).status());
  return directory;
}

VerbResult WalList(const Global& global) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<io::Directory> directory,
                          OpenLogFolder(global));
  absl::StatusOr<wal::RecoveredLog> log = wal::ReadLive(directory.get(), {});
  if (!log.ok()) return OpenError(std::move(log).status());
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                          directory->List());
  const auto spares =
      std::count_if(names.begin(), names.end(), wal::IsSpareFileName);
  Json object = NewJsonObject();
  object["last_lsn"] = LastLsn(*log);
  object["durable_lsn"] = log->durable_lsn;
  object["spares"] = spares;
  object["damages"] = log->losses.size();
  object["segments"] = Json::array();
  Table table(
      {"SEGMENT", "EPOCH", "STATE", "LSN", "GROUPS", "RECORDS", "END", "SIZE"});
  for (size_t i = 0; i < log->segments.size(); ++i) {
    const wal::RecoveredSegment& segment = log->segments[i];
    const char* const state = StateOf(*log, i);
    object["segments"].push_back(SegmentJson(segment, state));
    table.Add(
        {absl::StrCat(segment.number), absl::StrFormat("%016x", segment.epoch),
         state, LsnText(segment.first_lsn, segment.last_lsn),
         absl::StrCat(segment.groups), absl::StrCat(segment.records),
         absl::StrCat(segment.end_offset), BytesText(segment.file_bytes)});
  }
  ENGRAM_RETURN_IF_ERROR(
      global.json ? PrintJson(object)
                  : Print(absl::StrCat(table.Text(), FieldLines(object))));
  return log->losses.empty() ? ExitCode::kOk : ExitCode::kDamaged;
}

VerbResult WalVerify(const Global& global, size_t findings_max) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<io::Directory> directory,
                          OpenLogFolder(global));
  absl::StatusOr<wal::RecoveredLog> log = wal::ReadLive(directory.get(), {});
  if (!log.ok()) return OpenError(std::move(log).status());
  std::vector<Finding> findings;
  for (const wal::LogLoss& loss : log->losses) {
    findings.push_back(FindingOf(loss));
  }
  for (const std::string& warning : log->warnings) {
    findings.push_back(WarningOf(warning));
  }
  const ExitCode code = !log->losses.empty()     ? ExitCode::kDamaged
                        : !log->warnings.empty() ? ExitCode::kWarnings
                                                 : ExitCode::kOk;
  const char* const result = code == ExitCode::kDamaged    ? "damaged"
                             : code == ExitCode::kWarnings ? "warnings"
                                                           : "ok";
  uint64_t groups = 0;
  for (const wal::RecoveredSegment& segment : log->segments) {
    groups += segment.groups;
  }
  const Json counters{{"segments", log->segments.size()},
                      {"groups", groups},
                      {"records", log->records},
                      {"last_lsn", LastLsn(*log)},
                      {"durable_lsn", log->durable_lsn}};
  const size_t shown = std::min(findings_max, findings.size());
  if (global.json) {
    Json object = NewJsonObject();
    object["result"] = result;
    object["counters"] = counters;
    object["findings"] = Json::array();
    for (Finding& finding : findings) {
      object["findings"].push_back(std::move(finding.json));
    }
    ENGRAM_RETURN_IF_ERROR(PrintJson(object));
    return code;
  }
  std::string text;
  for (size_t i = 0; i < shown; ++i) {
    absl::StrAppendFormat(&text, "%-7s  %s\n",
                          findings[i].damage ? "damage" : "warning",
                          Printable(findings[i].text));
  }
  if (shown < findings.size()) {
    absl::StrAppend(&text, "and ", findings.size() - shown,
                    " more findings (--findings ", findings.size(),
                    " shows all)\n");
  }
  ENGRAM_RETURN_IF_ERROR(
      Print(absl::StrCat(text, FieldLines(counters), result, "\n")));
  return code;
}

VerbResult WalSalvage(const Global& global, bool yes) {
  if (!yes) {
    return UsageError(
        "wal salvage gives up what is damaged in the log (wal verify lists "
        "it), and the damaged bytes; copy the folder first, and say --yes");
  }
  Options options;
  options.create_if_missing = false;
  options.salvage_damaged_log = true;
  absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(global.db, options);
  if (!db.ok()) return OpenError(std::move(db).status());
  ENGRAM_RETURN_IF_ERROR(CloseAfter(**db, absl::OkStatus()));
  const SalvageReport& report = (*db)->salvage_report();
  ENGRAM_RETURN_IF_ERROR(global.json ? PrintSalvageJson(report)
                                     : PrintSalvageText(report));
  return report.losses.empty() ? ExitCode::kOk : ExitCode::kDamaged;
}

}  // namespace engram::ctl
