#include "storage/wal/reader.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "schema/wal_codec.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"
#include "storage/wal/segment_scanner.h"
#include "storage/wal/segments.h"

namespace engram::wal {
namespace {

// How many times the bytes of a segment may be read in search of an intact
// group behind damage. Real damage needs less than one; hostile bytes, in which
// every block claims to start a large group, would need thousands.
constexpr uint64_t kCandidatePasses = 4;

using GroupVisitor =
    absl::FunctionRef<absl::Status(std::shared_ptr<const Group>)>;

struct SegmentFile {
  std::unique_ptr<io::File> file;
  SegmentScanner scanner;
};

absl::Status Damaged(const io::File& file, Lsn first, Lsn last,
                     absl::string_view why) {
  return absl::DataLossError(
      absl::StrCat(file.path(), ": acknowledged records are damaged, LSN ",
                   first, " to ", last, ": ", why));
}

class Recovery {
 public:
  Recovery(io::Directory* directory, const RecoveryOptions& options,
           GroupVisitor visit)
      : directory_(directory), options_(options), visit_(visit) {}

  absl::StatusOr<RecoveredLog> Run();

 private:
  absl::Status OpenSegments();
  absl::Status CheckChain() const;

  // A segment with a successor: everything up to the recorded cut must be
  // there.
  absl::Status ScanComplete(const SegmentFile& segment,
                            const schema::Predecessor& recorded);

  // The last segment: finds where it ends.
  absl::Status ScanLast(const SegmentFile& segment);

  // If an intact group before `limit` shows that the damage at `*offset` took
  // no record that is still needed, goes on there and returns true.
  absl::StatusOr<bool> SkipHarmless(const SegmentFile& segment, uint64_t limit,
                                    absl::string_view why, uint64_t* offset);

  // Decides what a bad block at `*offset` of the last segment means. Moves
  // `*offset` behind damage that does no harm, or sets `*ended`.
  absl::Status Judge(const SegmentFile& segment, absl::string_view why,
                     uint64_t* offset, bool* ended);

  bool InOrder(const ScannedGroup& scanned) const {
    return scanned.header.first_lsn == next_lsn_ &&
           scanned.header.sequence == groups_;
  }
  absl::Status Take(const ScannedGroup& scanned);
  void Finish(const SegmentFile& segment, uint64_t end_offset);
  void Warn(std::string warning) {
    log_.warnings.push_back(std::move(warning));
  }

  io::Directory* const directory_;
  const RecoveryOptions options_;
  const GroupVisitor visit_;

  std::vector<SegmentFile> segments_;
  RecoveredLog log_;

  // Of the segment that is being scanned.
  Lsn next_lsn_ = 1;
  uint64_t groups_ = 0;
  uint32_t chain_crc_ = 0;
  Lsn durable_lsn_ = 0;
  uint64_t candidate_bytes_left_ = 0;
};

absl::Status Recovery::OpenSegments() {
  ENGRAM_RETURN_IF_ERROR(directory_->Sync());
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                          directory_->List());
  for (const std::string& name : names) {  // sorted, so by number
    const uint64_t number = SegmentFileNumber(name);
    if (number == 0) continue;
    ENGRAM_ASSIGN_OR_RETURN(std::unique_ptr<io::File> file,
                            directory_->Open(name, io::OpenMode::kRead));
    ENGRAM_RETURN_IF_ERROR(file->Sync());
    ENGRAM_ASSIGN_OR_RETURN(SegmentScanner scanner,
                            SegmentScanner::Open(file.get()));
    const schema::SegmentHeader& header = scanner.header();
    if (!(header.database_id == options_.database_id)) {
      return absl::FailedPreconditionError(
          absl::StrCat(file->path(), ": is a segment of another database"));
    }
    if (header.number != number) {
      return absl::DataLossError(absl::StrCat(
          file->path(), ": its header says segment ", header.number));
    }
    segments_.push_back({std::move(file), std::move(scanner)});
  }
  return absl::OkStatus();
}

absl::Status Recovery::CheckChain() const {
  const SegmentFile& oldest = segments_.front();
  const Lsn before = oldest.scanner.header().predecessor.last_lsn;
  if (before > options_.low_water_lsn) {
    return absl::DataLossError(absl::StrCat(
        oldest.file->path(), ": the log before it is missing, LSN ",
        options_.low_water_lsn + 1, " to ", before));
  }
  for (size_t i = 1; i < segments_.size(); ++i) {
    const schema::SegmentHeader& previous = segments_[i - 1].scanner.header();
    const schema::Predecessor& recorded =
        segments_[i].scanner.header().predecessor;
    if (recorded.number != previous.number ||
        recorded.epoch != previous.epoch) {
      return absl::DataLossError(absl::StrCat(
          segments_[i].file->path(), ": follows segment ", recorded.number,
          ", which is missing; found is segment ", previous.number));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<RecoveredLog> Recovery::Run() {
  ENGRAM_RETURN_IF_ERROR(OpenSegments());
  if (segments_.empty()) {
    if (options_.known_durable_lsn > options_.low_water_lsn) {
      return absl::DataLossError(absl::StrCat(
          directory_->path(), ": the log is missing, LSN ",
          options_.low_water_lsn + 1, " to ", options_.known_durable_lsn));
    }
    return std::move(log_);
  }
  log_.exists = true;
  ENGRAM_RETURN_IF_ERROR(CheckChain());
  for (size_t i = 0; i < segments_.size(); ++i) {
    next_lsn_ = segments_[i].scanner.header().first_lsn;
    groups_ = 0;
    chain_crc_ = 0;
    candidate_bytes_left_ =
        kCandidatePasses * segments_[i].scanner.file_bytes();
    if (i + 1 == segments_.size()) {
      ENGRAM_RETURN_IF_ERROR(ScanLast(segments_[i]));
    } else {
      ENGRAM_RETURN_IF_ERROR(ScanComplete(
          segments_[i], segments_[i + 1].scanner.header().predecessor));
    }
  }
  const RecoveredSegment& last = log_.segments.back();
  LogPosition& position = log_.position;
  position.next_segment = last.number + 1;
  position.next_lsn = last.last_lsn + 1;
  position.predecessor.number = last.number;
  position.predecessor.epoch = segments_.back().scanner.header().epoch;
  position.predecessor.last_lsn = last.last_lsn;
  position.predecessor.end_offset = last.end_offset;
  position.predecessor.chain_crc = chain_crc_;
  position.predecessor_groups = groups_;
  for (const RecoveredSegment& segment : log_.segments) {
    position.complete[segment.number] = segment.last_lsn;
  }
  return std::move(log_);
}

absl::Status Recovery::Take(const ScannedGroup& scanned) {
  ++groups_;
  chain_crc_ = schema::ChainCrc(chain_crc_, scanned.header);
  durable_lsn_ = std::max(durable_lsn_, scanned.header.durable_lsn);
  if (scanned.marker) return absl::OkStatus();
  next_lsn_ = scanned.group->last_lsn() + 1;
  log_.records += scanned.group->record_count();
  return visit_(scanned.group);
}

void Recovery::Finish(const SegmentFile& segment, uint64_t end_offset) {
  const schema::SegmentHeader& header = segment.scanner.header();
  log_.segments.push_back({header.number, header.first_lsn, next_lsn_ - 1,
                           groups_, end_offset, segment.scanner.file_bytes()});
}

absl::Status Recovery::ScanComplete(const SegmentFile& segment,
                                    const schema::Predecessor& recorded) {
  uint64_t offset = schema::kGroupsOffset;
  std::string why = "the groups are not those that were written";
  bool skipped = false;
  while (offset < recorded.end_offset) {
    ENGRAM_ASSIGN_OR_RETURN(
        const std::unique_ptr<ScannedGroup> scanned,
        segment.scanner.Read(offset, recorded.end_offset, &why));
    if (scanned != nullptr && InOrder(*scanned)) {
      ENGRAM_RETURN_IF_ERROR(Take(*scanned));
      offset += scanned->group->bytes().size();
      continue;
    }
    ENGRAM_ASSIGN_OR_RETURN(
        const bool skip,
        SkipHarmless(segment, recorded.end_offset, why, &offset));
    if (!skip) break;
    skipped = true;
  }
  if (next_lsn_ > recorded.last_lsn + 1) {
    return absl::DataLossError(absl::StrCat(
        segment.file->path(), ": holds LSN ", next_lsn_ - 1,
        ", but its successor says that it ends at ", recorded.last_lsn));
  }
  if (next_lsn_ == recorded.last_lsn + 1 && offset < recorded.end_offset) {
    Warn(absl::StrCat(segment.file->path(), ": damage at offset ", offset,
                      " in a marker: ", why));
  } else if (next_lsn_ != recorded.last_lsn + 1 ||
             (!skipped && chain_crc_ != recorded.chain_crc)) {
    const Lsn first = std::min(next_lsn_, recorded.last_lsn);
    if (recorded.last_lsn > options_.low_water_lsn) {
      return Damaged(*segment.file, first, recorded.last_lsn, why);
    }
    Warn(absl::StrCat(segment.file->path(), ": damaged from LSN ", first,
                      " on, which checkpoints have saved: ", why));
    next_lsn_ = recorded.last_lsn + 1;
  }
  Finish(segment, recorded.end_offset);
  return absl::OkStatus();
}

absl::Status Recovery::ScanLast(const SegmentFile& segment) {
  uint64_t offset = schema::kGroupsOffset;
  const uint64_t limit = segment.scanner.file_bytes();
  bool ended = false;
  while (!ended) {
    std::string why;
    ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<ScannedGroup> scanned,
                            segment.scanner.Read(offset, limit, &why));
    if (scanned == nullptr || !InOrder(*scanned)) {
      if (scanned != nullptr) why = "a group is out of order";
      ENGRAM_RETURN_IF_ERROR(Judge(segment, why, &offset, &ended));
      continue;
    }
    if (scanned->marker && scanned->marker_type == schema::RecordType::kSeal) {
      return absl::DataLossError(absl::StrCat(
          segment.file->path(),
          ": is sealed, but the segment that follows is missing, LSN ",
          next_lsn_, " and later"));
    }
    log_.clean_close = scanned->marker &&
                       scanned->marker_type == schema::RecordType::kCleanClose;
    ENGRAM_RETURN_IF_ERROR(Take(*scanned));
    offset += scanned->group->bytes().size();
  }
  Finish(segment, offset);
  return absl::OkStatus();
}

absl::StatusOr<bool> Recovery::SkipHarmless(const SegmentFile& segment,
                                            uint64_t limit,
                                            absl::string_view why,
                                            uint64_t* offset) {
  // An intact group behind the damage tells which LSNs the damage took.
  uint64_t next_offset = 0;
  ENGRAM_ASSIGN_OR_RETURN(
      const std::unique_ptr<ScannedGroup> next,
      segment.scanner.FindGroup(*offset, limit, &candidate_bytes_left_,
                                &next_offset));
  if (next == nullptr || next->header.first_lsn < next_lsn_ ||
      next->header.sequence <= groups_) {
    return false;
  }
  const Lsn last_damaged = next->header.first_lsn - 1;
  const bool only_markers = last_damaged < next_lsn_;
  if (!only_markers && last_damaged > options_.low_water_lsn) return false;
  Warn(absl::StrCat(segment.file->path(), ": damage at offset ", *offset,
                    only_markers ? " in a marker: "
                                 : " in records that checkpoints have saved: ",
                    why));
  next_lsn_ = next->header.first_lsn;
  groups_ = next->header.sequence;
  *offset = next_offset;
  return true;
}

absl::Status Recovery::Judge(const SegmentFile& segment, absl::string_view why,
                             uint64_t* offset, bool* ended) {
  const uint64_t limit = segment.scanner.file_bytes();
  ENGRAM_ASSIGN_OR_RETURN(const bool skipped,
                          SkipHarmless(segment, limit, why, offset));
  if (skipped) return absl::OkStatus();
  *ended = true;
  ENGRAM_ASSIGN_OR_RETURN(const Lsn vouched,
                          segment.scanner.FindDurable(*offset, limit));
  const Lsn durable =
      std::max({vouched, durable_lsn_, options_.known_durable_lsn});
  if (next_lsn_ > durable) return absl::OkStatus();  // a torn tail: cut here
  if (durable > options_.low_water_lsn) {
    return Damaged(*segment.file, next_lsn_, durable, why);
  }
  Warn(absl::StrCat(segment.file->path(), ": damage at offset ", *offset,
                    " in records that checkpoints have saved: ", why));
  next_lsn_ = durable + 1;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RecoveredLog> Recover(io::Directory* directory,
                                     const RecoveryOptions& options,
                                     GroupVisitor visit) {
  return Recovery(directory, options, visit).Run();
}

}  // namespace engram::wal
