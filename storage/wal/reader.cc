#include "storage/wal/reader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "schema/wal_codec.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"
#include "storage/wal/segment_files.h"

namespace engram::wal {
namespace {

// How many times the bytes of a segment may be read in search of an intact
// group behind damage. Real damage needs less than one; hostile bytes, in which
// every block claims to start a large group, would need thousands.
constexpr uint64_t kCandidatePasses = 4;

// What a salvaged log leaves free where it is not known how many LSNs were
// given out: they must not be given out twice. Far more than a log can hold.
constexpr Lsn kUnknownLsns = Lsn{1} << 32;

using GroupVisitor =
    absl::FunctionRef<absl::Status(std::shared_ptr<const Group>)>;

class Recovery {
 public:
  Recovery(io::Directory* directory, const RecoveryOptions& options,
           GroupVisitor visit)
      : directory_(directory),
        options_(options),
        low_water_lsn_(options.low_water_lsn),
        visit_(visit) {}

  absl::StatusOr<RecoveredLog> Run();

 private:
  // What the segment behind number `index` has recorded of it; null if that
  // one is missing, or cannot say.
  const schema::Predecessor* RecordedOf(size_t index) const;

  absl::Status ScanSegment(size_t index);

  // Deals with a header that cannot be used, or a file that is too short.
  // Clears `*readable` if there is nothing that could be read.
  absl::Status CheckFile(size_t index, bool* readable);

  // Reports what is missing before the segment.
  absl::Status CheckBefore(size_t index);

  // A segment with a successor: everything up to the recorded cut must be
  // there.
  absl::Status ScanComplete(const SegmentFile& segment,
                            const schema::Predecessor& recorded);

  // A segment without one: finds where it ends.
  absl::Status ScanOpen(const SegmentFile& segment, bool last,
                        uint64_t* end_offset);

  // Decides what a bad block at `*offset` of such a segment means. Moves
  // `*offset` behind damage, or sets `*ended`.
  absl::Status Judge(const SegmentFile& segment, bool last,
                     absl::string_view why, uint64_t* offset, bool* ended);

  // Nothing of the segment can be read.
  absl::Status LoseSegment(size_t index, absl::string_view reason);

  // The intact group behind the damage at `offset`, which tells which LSNs the
  // damage took; null if there is none.
  absl::StatusOr<std::unique_ptr<ScannedGroup>> NextBehind(
      const SegmentFile& segment, uint64_t offset, uint64_t limit,
      uint64_t* at) {
    return segment.scanner->FindGroup(offset, limit, {next_lsn_, groups_ + 1},
                                      &candidate_bytes_left_, at);
  }

  // The records from next_lsn_ to `last_lsn` are gone, with the bytes from
  // `offset` to `end` (0: with the file). A warning if they are saved; listed
  // if that is wanted; else DATA_LOSS. Then next_lsn_ is behind them.
  absl::Status Lose(const SegmentFile* segment, uint64_t offset, uint64_t end,
                    Lsn last_lsn, bool open_ended, absl::string_view reason);

  // What comes next is `next`, at `offset`.
  void GoOnAt(const ScannedGroup& next) {
    next_lsn_ = next.header.first_lsn;
    groups_ = next.header.sequence;
  }

  bool InOrder(const ScannedGroup& scanned) const {
    return scanned.header.first_lsn == next_lsn_ &&
           scanned.header.sequence == groups_;
  }
  absl::Status Take(const SegmentFile& segment, uint64_t offset,
                    const ScannedGroup& scanned);
  absl::Status Finish(size_t index, uint64_t end_offset);
  void SetPosition();
  void Warn(const SegmentFile& segment, absl::string_view what) {
    log_.warnings.push_back(absl::StrCat(segment.file->path(), ": ", what));
  }

  io::Directory* const directory_;
  const RecoveryOptions options_;
  Lsn low_water_lsn_;
  const GroupVisitor visit_;

  std::vector<SegmentFile> segments_;
  RecoveredLog log_;

  // Of the segment that is being scanned.
  Lsn next_lsn_ = 1;
  Lsn first_lsn_ = 1;
  uint64_t groups_ = 0;
  uint64_t records_ = 0;
  uint32_t chain_crc_ = 0;
  uint64_t candidate_bytes_left_ = 0;
  Lsn vouched_before_ = 0;            // with options_.live, of an open segment
  std::optional<SegmentFile> added_;  // likewise, behind the last one
};

absl::StatusOr<RecoveredLog> Recovery::Run() {
  ENGRAM_ASSIGN_OR_RETURN(
      segments_,
      OpenSegmentFiles(directory_, options_.database_id, options_.live));
  log_.exists = !segments_.empty();
  if (options_.live && log_.exists && segments_[0].scanner.has_value()) {
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
    if (options_.live && segment.damage.ok()) {
      ENGRAM_ASSIGN_OR_RETURN(const bool same, segment.scanner->IsUnchanged());
      if (!same) {
        return absl::AbortedError(absl::StrCat(
            segment.file->path(), ": has got a new use while it was read"));
      }
    }
  }
  log_.segments.push_back(found);
  if (options_.on_segment) options_.on_segment(found);
  return absl::OkStatus();
}

// --- One segment -------------------------------------------------------------

absl::Status Recovery::ScanSegment(size_t index) {
  const SegmentFile& segment = segments_[index];
  groups_ = 0;
  records_ = 0;
  chain_crc_ = 0;
  first_lsn_ = next_lsn_;
  bool readable = true;
  ENGRAM_RETURN_IF_ERROR(CheckFile(index, &readable));
  if (!readable) return Finish(index, 0);
  ENGRAM_RETURN_IF_ERROR(CheckBefore(index));
  const Lsn first = segment.scanner->header().first_lsn;
  if (index > 0 && first < next_lsn_) {
    // Bytes that someone made up, or a file of a copy of the log.
    ENGRAM_RETURN_IF_ERROR(LoseSegment(
        index, absl::StrCat("begins with LSN ", first, ", which is taken")));
    return Finish(index, 0);
  }
  next_lsn_ = first;
  first_lsn_ = first;
  candidate_bytes_left_ = kCandidatePasses * segment.scanner->file_bytes();
  const schema::Predecessor* const recorded = RecordedOf(index);
  if (recorded != nullptr) {
    ENGRAM_RETURN_IF_ERROR(ScanComplete(segment, *recorded));
    return Finish(index, recorded->end_offset);
  }
  uint64_t end_offset = 0;
  ENGRAM_RETURN_IF_ERROR(
      ScanOpen(segment, index + 1 == segments_.size(), &end_offset));
  return Finish(index, end_offset);
}

absl::Status Recovery::LoseSegment(size_t index, absl::string_view reason) {
  const Lsn read = next_lsn_;
  if (index == 0) next_lsn_ = low_water_lsn_ + 1;
  Lsn last = std::max(next_lsn_ - 1, options_.known_durable_lsn);
  bool open_ended = true;
  for (size_t i = index + 1; i < segments_.size() && open_ended; ++i) {
    if (!segments_[i].scanner.has_value()) continue;
    last = segments_[i].scanner->header().predecessor.last_lsn;
    next_lsn_ = std::min(next_lsn_, std::max<Lsn>(last, 1));
    open_ended = false;
  }
  const absl::Status status =
      Lose(&segments_[index], 0, 0, last, open_ended, reason);
  next_lsn_ = std::max(next_lsn_, read);
  return status;
}

absl::Status Recovery::CheckFile(size_t index, bool* readable) {
  SegmentFile& segment = segments_[index];
  const schema::Predecessor* const recorded = RecordedOf(index);
  if (!segment.scanner.has_value() && options_.salvage && !options_.live) {
    ENGRAM_RETURN_IF_ERROR(
        RebuildHeader(recorded, index == 0 ? 0 : next_lsn_, &segment));
    if (segment.scanner.has_value()) {
      Warn(segment, absl::StrCat("its header was put together again: ",
                                 segment.damage.message()));
    }
  }
  if (!segment.scanner.has_value()) {
    *readable = false;
    return LoseSegment(index, segment.damage.message());
  }
  const SegmentScanner& scanner = *segment.scanner;
  if (scanner.header_copy_damaged()) {
    Warn(segment, "one of the two copies of its header is damaged");
  }
  if (recorded != nullptr && recorded->epoch != scanner.header().epoch) {
    *readable = false;
    return LoseSegment(index,
                       "is not the use of the file that the next segment "
                       "follows");
  }
  if (scanner.truncated() && !options_.salvage) {
    // Passes if everything in it is saved.
    *readable = false;
    return LoseSegment(index, scanner.TruncatedText());
  }
  return absl::OkStatus();
}

absl::Status Recovery::CheckBefore(size_t index) {
  const SegmentFile& segment = segments_[index];
  const schema::SegmentHeader& header = segment.scanner->header();
  const schema::Predecessor& before = header.predecessor;
  if (index == 0) {
    if (before.last_lsn <= low_water_lsn_) return absl::OkStatus();
    next_lsn_ = low_water_lsn_ + 1;
    return Lose(&segment, 0, 0, before.last_lsn, false,
                "the log before it is missing");
  }
  if (!segment.damage.ok()) {  // put together again: it names no predecessor
    if (header.first_lsn <= next_lsn_) return absl::OkStatus();
    return Lose(&segment, 0, 0, header.first_lsn - 1, false,
                "the log before it is missing");
  }
  if (before.number == segments_[index - 1].number) return absl::OkStatus();
  const std::string reason =
      before.number == 0 ? "begins a new log after a loss"
                         : absl::StrCat("follows segment ", before.number,
                                        ", which is missing; found is segment ",
                                        segments_[index - 1].number);
  if (before.last_lsn < next_lsn_) {
    Warn(segment, absl::StrCat(reason, "; it held no records"));
    return absl::OkStatus();
  }
  return Lose(&segment, 0, 0, before.last_lsn, false, reason);
}

absl::Status Recovery::ScanComplete(const SegmentFile& segment,
                                    const schema::Predecessor& recorded) {
  uint64_t offset = schema::kGroupsOffset;
  const uint64_t limit = recorded.end_offset;
  bool skipped = false;
  while (offset < limit) {
    std::string why = "a group is out of order";
    ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<ScannedGroup> scanned,
                            segment.scanner->Read(offset, limit, &why));
    if (scanned != nullptr && InOrder(*scanned)) {
      if (scanned->group->last_lsn() <= recorded.last_lsn) {
        ENGRAM_RETURN_IF_ERROR(Take(segment, offset, *scanned));
        offset += scanned->group->bytes().size();
        continue;
      }
      why = absl::StrCat("holds LSN ", scanned->group->last_lsn(),
                         ", but its successor says that it ends at ",
                         recorded.last_lsn);
    }
    uint64_t next_offset = limit;
    ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<ScannedGroup> next,
                            NextBehind(segment, offset, limit, &next_offset));
    const Lsn last =
        next == nullptr ? recorded.last_lsn : next->header.first_lsn - 1;
    if (last >= next_lsn_) {
      ENGRAM_RETURN_IF_ERROR(
          Lose(&segment, offset, next_offset, last, false, why));
    } else {
      Warn(segment,
           absl::StrCat("damage at offset ", offset, " in a marker: ", why));
    }
    skipped = true;
    if (next == nullptr) break;
    GoOnAt(*next);
    offset = next_offset;
  }
  if (next_lsn_ <= recorded.last_lsn) {
    return Lose(&segment, offset, 0, recorded.last_lsn, false,
                "the groups are not those that were written");
  }
  if (skipped || chain_crc_ == recorded.chain_crc) return absl::OkStatus();
  const std::string what =
      absl::StrCat("the groups are not those that were written, LSN ",
                   first_lsn_, " to ", recorded.last_lsn);
  if (!options_.salvage && recorded.last_lsn > low_water_lsn_) {
    return absl::DataLossError(absl::StrCat(segment.file->path(), ": ", what));
  }
  Warn(segment, absl::StrCat(what, "; kept, for each is intact"));
  return absl::OkStatus();
}

absl::Status Recovery::ScanOpen(const SegmentFile& segment, bool last,
                                uint64_t* end_offset) {
  const uint64_t limit = segment.scanner->file_bytes();
  if (options_.live) {
    // Before anything else is read: while we read, the owner writes groups
    // that vouch for what was not there yet when we were at that place.
    ENGRAM_ASSIGN_OR_RETURN(vouched_before_, segment.scanner->FindDurable(
                                                 schema::kGroupsOffset, limit));
  }
  uint64_t& offset = *end_offset;
  offset = schema::kGroupsOffset;
  bool ended = false;
  bool sealed = false;
  while (!ended) {
    std::string why;
    ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<ScannedGroup> scanned,
                            segment.scanner->Read(offset, limit, &why));
    if (scanned == nullptr || !InOrder(*scanned)) {
      if (scanned != nullptr) why = "a group is out of order";
      ENGRAM_RETURN_IF_ERROR(Judge(segment, last, why, &offset, &ended));
      continue;
    }
    log_.clean_close = scanned->marker &&
                       scanned->marker_type == schema::RecordType::kCleanClose;
    sealed =
        scanned->marker && scanned->marker_type == schema::RecordType::kSeal;
    ENGRAM_RETURN_IF_ERROR(Take(segment, offset, *scanned));
    offset += scanned->group->bytes().size();
    ended = sealed;
  }
  if (!last) return absl::OkStatus();  // what is missing is reported with it
  if (sealed && options_.live) {
    // The owner has gone on since the folder was read.
    absl::StatusOr<SegmentFile> next = OpenSegmentFile(
        directory_, segment.number + 1, options_.database_id, true);
    if (next.ok()) {
      added_ = *std::move(next);
      return absl::OkStatus();
    }
    if (!absl::IsNotFound(next.status())) return next.status();
  }
  const Lsn durable = std::max(next_lsn_ - 1, options_.known_durable_lsn);
  if (sealed) {
    return Lose(&segment, offset, 0, durable, true,
                "is sealed, but the segment that follows is missing");
  }
  if (segment.scanner->truncated()) {
    return Lose(&segment, offset, 0, durable, true,
                segment.scanner->TruncatedText());
  }
  return absl::OkStatus();
}

absl::Status Recovery::Judge(const SegmentFile& segment, bool last,
                             absl::string_view why, uint64_t* offset,
                             bool* ended) {
  const uint64_t limit = segment.scanner->file_bytes();
  Lsn durable = log_.durable_lsn;
  if (last) {
    durable = std::max({durable, options_.known_durable_lsn, low_water_lsn_});
  }
  if (options_.live) {
    durable = std::max(durable, vouched_before_);
    *ended = next_lsn_ > durable;
    if (*ended) return absl::OkStatus();
  } else {
    ENGRAM_ASSIGN_OR_RETURN(const Lsn vouched,
                            segment.scanner->FindDurable(*offset, limit));
    durable = std::max(durable, vouched);
  }
  uint64_t next_offset = limit;
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<ScannedGroup> next,
                          NextBehind(segment, *offset, limit, &next_offset));
  if (next != nullptr && next->header.first_lsn == next_lsn_) {
    Warn(segment,
         absl::StrCat("damage at offset ", *offset, " in a marker: ", why));
  } else if (next_lsn_ > durable) {
    *ended = true;  // a torn tail: cut here
    return absl::OkStatus();
  } else {
    const Lsn last_lsn = next == nullptr ? durable : next->header.first_lsn - 1;
    ENGRAM_RETURN_IF_ERROR(
        Lose(&segment, *offset, next_offset, last_lsn, false, why));
  }
  *ended = next == nullptr;
  if (next == nullptr) return absl::OkStatus();
  GoOnAt(*next);
  *offset = next_offset;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RecoveredLog> Recover(io::Directory* directory,
                                     const RecoveryOptions& options,
                                     GroupVisitor visit) {
  return Recovery(directory, options, visit).Run();
}

}  // namespace engram::wal
