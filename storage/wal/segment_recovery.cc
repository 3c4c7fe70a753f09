// Recovery of one segment: what its bytes say, and what is missing in it.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "storage/wal/recovery.h"

namespace engram::wal {
namespace {

// How many times the bytes of a segment may be read in search of an intact
// group behind damage. Real damage needs less than one; hostile bytes, in which
// every block claims to start a large group, would need thousands.
constexpr uint64_t kCandidatePasses = 4;

}  // namespace

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
  if (!segment.scanner.has_value() && options_.salvage &&
      (!options_.live || opened_)) {
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
    ENGRAM_ASSIGN_OR_RETURN(
        const SegmentScanner::Headers headers,
        segment.scanner->ReadHeaders(schema::kGroupsOffset, limit));
    vouched_before_ = headers.durable_lsn;
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
  // Nearly always there is none, and the rest of the segment is read once.
  bool any_behind = true;
  if (last) {
    durable = std::max({durable, options_.known_durable_lsn, low_water_lsn_});
  }
  if (options_.live) {
    durable = std::max(durable, vouched_before_);
    *ended = next_lsn_ > durable;
    if (*ended) return absl::OkStatus();
  } else {
    ENGRAM_ASSIGN_OR_RETURN(const SegmentScanner::Headers headers,
                            segment.scanner->ReadHeaders(*offset, limit));
    durable = std::max(durable, headers.durable_lsn);
    any_behind = headers.any;
  }
  uint64_t next_offset = limit;
  std::unique_ptr<ScannedGroup> next;
  if (any_behind) {
    ENGRAM_ASSIGN_OR_RETURN(next,
                            NextBehind(segment, *offset, limit, &next_offset));
  }
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

}  // namespace engram::wal
