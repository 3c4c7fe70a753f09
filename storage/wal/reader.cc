#include "storage/wal/reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "schema/wal_codec.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"
#include "storage/wal/recovery.h"

namespace engram::wal {
namespace {

// What a salvaged log leaves free where it is not known how many LSNs were
// given out: they must not be given out twice. Far more than a log can hold.
constexpr Lsn kUnknownLsns = Lsn{1} << 32;

}  // namespace

absl::StatusOr<RecoveredLog> Recovery::Run() {
  if (!opened_) {
    ENGRAM_ASSIGN_OR_RETURN(
        segments_,
        OpenSegmentFiles(directory_, options_.database_id, options_.live));
  }
  log_.exists = !segments_.empty();
  if (options_.live && !opened_ && log_.exists &&
      segments_[0].scanner.has_value()) {
    // Who could say what is saved is not asked; what is gone was.
    low_water_lsn_ = std::max(
        low_water_lsn_, segments_[0].scanner->header().predecessor.last_lsn);
  }
  for (size_t i = 0; i < segments_.size(); ++i) {
    ENGRAM_RETURN_IF_ERROR(ScanSegment(i));
    if (!added_.has_value()) continue;
    segments_.push_back(*std::move(added_));
    added_.reset();
  }
  if (segments_.empty() &&
      (options_.must_exist || options_.known_durable_lsn > low_water_lsn_)) {
    next_lsn_ = low_water_lsn_ + 1;
    ENGRAM_RETURN_IF_ERROR(Lose(nullptr, 0, 0, options_.known_durable_lsn, true,
                                "the log is missing"));
  }
  SetPosition();
  return std::move(log_);
}

const schema::Predecessor* Recovery::RecordedOf(size_t index) const {
  if (index + 1 == segments_.size()) return nullptr;
  const SegmentFile& segment = segments_[index];
  const SegmentFile& next = segments_[index + 1];
  if (!next.scanner.has_value()) return nullptr;
  const schema::Predecessor& recorded = next.scanner->header().predecessor;
  if (recorded.number != segment.number) return nullptr;
  return &recorded;
}

void Recovery::SetPosition() {
  LogPosition& position = log_.position;
  if (options_.salvage) {
    next_lsn_ = std::max(
        {next_lsn_, options_.known_durable_lsn + 1, low_water_lsn_ + 1});
    const bool unknown =
        std::any_of(log_.losses.begin(), log_.losses.end(),
                    [](const LogLoss& loss) { return loss.open_ended; });
    if (unknown && next_lsn_ < schema::kWalNumberMax - kUnknownLsns) {
      next_lsn_ += kUnknownLsns;
    }
  }
  position.next_lsn = next_lsn_;
  for (const RecoveredSegment& segment : log_.segments) {
    position.next_segment = segment.number + 1;
    position.complete[segment.number] = segment.last_lsn;
  }
  position.predecessor.last_lsn = next_lsn_ - 1;
  if (segments_.empty() || !log_.losses.empty()) {
    // A log that was salvaged is not continued. A new one begins beside it, so
    // that until all is saved elsewhere nothing of the old one is overwritten,
    // and the same losses are found again should that fail.
    return;
  }
  const RecoveredSegment& last = log_.segments.back();
  position.predecessor.number = last.number;
  position.predecessor.epoch = last.epoch;
  position.predecessor.end_offset = last.end_offset;
  position.predecessor.chain_crc = chain_crc_;
  position.predecessor_groups = groups_;
}

absl::Status Recovery::Lose(const SegmentFile* segment, uint64_t offset,
                            uint64_t end, Lsn last_lsn, bool open_ended,
                            absl::string_view reason) {
  LogLoss loss;
  loss.path = segment == nullptr ? directory_->path() : segment->file->path();
  loss.offset = offset;
  loss.first_lsn = next_lsn_;
  loss.last_lsn = last_lsn;
  loss.open_ended = open_ended;
  loss.reason = std::string(reason);
  next_lsn_ = std::max(next_lsn_, last_lsn + 1);
  if (!open_ended && last_lsn <= low_water_lsn_) {
    log_.warnings.push_back(
        absl::StrCat(loss.path, ": damage at offset ", offset,
                     " in records that checkpoints have saved, LSN ",
                     loss.first_lsn, " to ", last_lsn, ": ", reason));
    return absl::OkStatus();
  }
  if (segment != nullptr && segment->scanner.has_value()) {
    ENGRAM_RETURN_IF_ERROR(CheckUse(*segment));
  }
  if (end > offset) {
    ENGRAM_RETURN_IF_ERROR(
        FindLostRecords(*segment->scanner, offset, end, &loss));
  }
  if (!options_.salvage) {
    return absl::DataLossError(LossText(loss, options_.space_names));
  }
  log_.losses.push_back(std::move(loss));
  return absl::OkStatus();
}

absl::Status Recovery::Take(const SegmentFile& segment, uint64_t offset,
                            const ScannedGroup& scanned) {
  ++groups_;
  chain_crc_ = schema::ChainCrc(chain_crc_, scanned.header);
  log_.durable_lsn = std::max(log_.durable_lsn, scanned.header.durable_lsn);
  if (options_.on_group) options_.on_group({segment.number, offset, &scanned});
  if (scanned.marker) return absl::OkStatus();
  next_lsn_ = scanned.group->last_lsn() + 1;
  records_ += scanned.group->record_count();
  log_.records += scanned.group->record_count();
  return visit_(scanned.group);
}

absl::Status Recovery::CheckUse(const SegmentFile& segment) const {
  if (!options_.live || !segment.damage.ok()) return absl::OkStatus();
  ENGRAM_ASSIGN_OR_RETURN(const bool same, segment.scanner->IsUnchanged());
  if (same) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat(
      segment.file->path(), ": has got a new use while it was read"));
}

absl::Status Recovery::Finish(size_t index, uint64_t end_offset) {
  const SegmentFile& segment = segments_[index];
  RecoveredSegment found;
  found.number = segment.number;
  found.first_lsn = first_lsn_;
  found.last_lsn = next_lsn_ - 1;
  found.groups = groups_;
  found.records = records_;
  found.end_offset = end_offset;
  found.complete = RecordedOf(index) != nullptr || added_.has_value();
  if (segment.scanner.has_value()) {
    found.epoch = segment.scanner->header().epoch;
    found.file_bytes = segment.scanner->file_bytes();
    found.predecessor = segment.scanner->header().predecessor.number;
    ENGRAM_RETURN_IF_ERROR(CheckUse(segment));
  }
  log_.segments.push_back(found);
  if (options_.on_segment) options_.on_segment(found);
  return absl::OkStatus();
}

absl::StatusOr<RecoveredLog> Recover(io::Directory* directory,
                                     const RecoveryOptions& options,
                                     GroupVisitor visit) {
  return Recovery(directory, options, visit).Run();
}

absl::StatusOr<RecoveredLog> RecoverOpened(io::Directory* directory,
                                           std::vector<SegmentFile> segments,
                                           const RecoveryOptions& options,
                                           GroupVisitor visit) {
  RecoveryOptions live = options;
  live.live = true;
  return Recovery(directory, live, visit, std::move(segments)).Run();
}

}  // namespace engram::wal
