#include "tools/ctl/verify_log.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "schema/space_codec.h"
#include "storage/base/status_macros.h"
#include "storage/wal/reader.h"
#include "storage/wal/segment_scanner.h"
#include "tools/ctl/verify_report.h"

namespace engram::ctl {
namespace {

// The header of the oldest segment that has one.
std::optional<schema::SegmentHeader> OldestHeader(
    const std::vector<wal::SegmentFile>& segments) {
  for (const wal::SegmentFile& segment : segments) {
    if (segment.scanner.has_value()) return segment.scanner->header();
  }
  return std::nullopt;
}

// Checks what the records mean, group by group.
class RecordChecker {
 public:
  RecordChecker(const LogExpectation& expectation,
                std::map<uint64_t, KnownSpace>* spaces, VerifyReport* report)
      : catalog_readable_(expectation.low_water_lsn.has_value()),
        next_space_id_(expectation.next_space_id),
        spaces_(*spaces),
        report_(*report) {}

  void Check(const schema::RecordView& record) {
    ++report_.records;
    switch (record.type) {
      case schema::RecordType::kCreateSpace:
        CheckCreate(record);
        break;
      case schema::RecordType::kDropSpace:
        CheckDrop(record);
        break;
      case schema::RecordType::kObserve:
      case schema::RecordType::kRemove:
        CheckWrite(record);
        break;
      case schema::RecordType::kIdleMarker:
      case schema::RecordType::kCleanClose:
      case schema::RecordType::kSeal:
        break;
    }
  }

 private:
  void Damage(const schema::RecordView& record, std::string message) {
    AddDamage(&report_, absl::StrCat("log record ", record.lsn),
              std::move(message));
  }

  // A space below next_space_id_ that nobody lists was dropped long ago.
  bool MayExist(const schema::RecordView& record) {
    if (!catalog_readable_ || record.space_id < next_space_id_) return true;
    Damage(record, absl::StrCat("names space ", record.space_id,
                                ", which was never created"));
    return false;
  }

  void CheckCreate(const schema::RecordView& record) {
    const absl::StatusOr<schema::SpaceDescription> description =
        schema::DecodeSpaceDescription(record.description);
    if (!description.ok()) {
      Damage(record, std::string(description.status().message()));
      return;
    }
    if (description->id != record.space_id) {
      Damage(record, absl::StrCat("creates space ", record.space_id,
                                  " and describes space ", description->id));
      return;
    }
    // The catalog lists it already if a checkpoint has been since; if it lists
    // it no more, a drop follows.
    const auto [it, created] = spaces_.try_emplace(record.space_id);
    if (created) it->second.dimension = description->dimension;
    next_space_id_ = std::max(next_space_id_, record.space_id + 1);
  }

  void CheckDrop(const schema::RecordView& record) {
    if (!MayExist(record)) return;
    const auto it = spaces_.find(record.space_id);
    if (it != spaces_.end()) it->second.dropped_in_log = true;
  }

  void CheckWrite(const schema::RecordView& record) {
    if (!MayExist(record)) return;
    const auto it = spaces_.find(record.space_id);
    if (it == spaces_.end()) return;
    KnownSpace& space = it->second;
    if (record.type == schema::RecordType::kObserve &&
        record.vector.size() != space.dimension) {
      Damage(record, absl::StrCat("its vector has ", record.vector.size(),
                                  " components, those of space ",
                                  record.space_id, " have ", space.dimension));
    }
    if (record.lsn > space.checkpoint_lsn) {
      space.waiting_ids.emplace(record.id.data(), record.id.size());
    }
  }

  const bool catalog_readable_;
  uint64_t next_space_id_;
  std::map<uint64_t, KnownSpace>& spaces_;
  VerifyReport& report_;
};

void ReportLog(const LogExpectation& expectation, const wal::RecoveredLog& log,
               VerifyReport* report) {
  for (const std::string& warning : log.warnings) {
    AddWarning(report, expectation.directory->path(), warning);
  }
  for (const wal::LogLoss& loss : log.losses) {
    AddDamage(report, expectation.directory->path(),
              wal::LossText(loss, nullptr));
  }
  if (log.losses.empty() && !log.exists && expectation.known_durable_lsn > 0) {
    AddDamage(report, expectation.directory->path(),
              absl::StrCat("the log is missing; checkpoints reach to LSN ",
                           expectation.known_durable_lsn));
  }
}

// What VerifyLog() returns where it gets no further.
absl::StatusOr<bool> LogUnreadable(const LogExpectation& expectation,
                                   const absl::Status& status,
                                   VerifyReport* report) {
  if (absl::IsUnimplemented(status) || absl::IsAborted(status)) return status;
  AddDamage(report, expectation.directory->path(),
            std::string(status.message()));
  return false;
}

}  // namespace

absl::StatusOr<bool> VerifyLog(
    const LogExpectation& expectation,
    absl::StatusOr<std::vector<wal::SegmentFile>> segments,
    std::map<uint64_t, KnownSpace>* spaces, VerifyReport* report) {
  if (!segments.ok()) {
    return LogUnreadable(expectation, segments.status(), report);
  }
  report->segments = segments->size();
  const std::optional<schema::SegmentHeader> oldest = OldestHeader(*segments);
  wal::RecoveryOptions options;
  if (expectation.database_id.has_value()) {
    options.database_id = *expectation.database_id;
  } else if (oldest.has_value()) {
    options.database_id = oldest->database_id;
  }
  if (expectation.low_water_lsn.has_value()) {
    options.low_water_lsn = *expectation.low_water_lsn;
  } else if (oldest.has_value()) {
    options.low_water_lsn = oldest->predecessor.last_lsn;
  }
  options.known_durable_lsn = expectation.known_durable_lsn;
  options.salvage = true;  // all of the damage, not only the first

  RecordChecker checker(expectation, spaces, report);
  const absl::StatusOr<wal::RecoveredLog> log = wal::RecoverOpened(
      expectation.directory, *std::move(segments), options,
      [&](std::shared_ptr<const wal::Group> group) {
        ++report->groups;
        group->ForEachRecord(
            [&](const schema::RecordView& record) { checker.Check(record); });
        return absl::OkStatus();
      });
  if (!log.ok()) return LogUnreadable(expectation, log.status(), report);
  ReportLog(expectation, *log, report);
  return log->losses.empty();
}

}  // namespace engram::ctl
