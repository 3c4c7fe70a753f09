#include "storage/wal/copy_log.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "schema/wal_codec.h"
#include "storage/base/aligned_buffer.h"
#include "storage/base/status_macros.h"
#include "storage/wal/group.h"
#include "storage/wal/reader.h"
#include "storage/wal/segment_files.h"
#include "storage/wal/segments.h"

namespace engram::wal {
namespace {

using schema::kGroupsOffset;
using schema::kWalBlockBytes;

constexpr size_t kChunkBytes = size_t{1} << 20;

// Finds the cut while the bytes of a segment pass by.
class CutFinder {
 public:
  CutFinder(const schema::SegmentHeader& header, Lsn last_lsn)
      : header_(header), last_lsn_(last_lsn) {}

  // Looks at the groups that begin in the chunk at `offset`. Whether one of
  // them, or what is none, is behind the last record.
  bool Find(uint64_t offset, absl::Span<const char> chunk) {
    while (cut_ < offset + chunk.size()) {
      schema::GroupHeader group;
      if (!schema::DecodeGroupHeader(chunk.data() + (cut_ - offset),
                                     header_.epoch,
                                     header_.segment_bytes - cut_, &group) ||
          group.first_lsn > last_lsn_) {
        return true;
      }
      cut_ += schema::GroupBytes(group.record_bytes);
      ++groups_;
    }
    return false;
  }

  // Where the groups seen so far end, and how many they are.
  uint64_t cut() const { return cut_; }
  uint64_t groups() const { return groups_; }

 private:
  const schema::SegmentHeader& header_;
  const Lsn last_lsn_;
  uint64_t cut_ = kGroupsOffset;
  uint64_t groups_ = 0;
};

// Copies the first `end` bytes of `from`; fewer if `finder`, which may be null,
// says so. Returns how many.
absl::StatusOr<uint64_t> CopyBytes(const io::File& from, uint64_t end,
                                   CutFinder* finder, io::File* to) {
  AlignedBuffer buffer(kChunkBytes);
  for (uint64_t offset = 0; offset < end; offset += kChunkBytes) {
    auto chunk = absl::MakeSpan(buffer.data(),
                                std::min<uint64_t>(kChunkBytes, end - offset));
    ENGRAM_ASSIGN_OR_RETURN(const size_t read, from.Read(offset, chunk));
    if (read < chunk.size()) {
      return absl::DataLossError(absl::StrCat(from.path(), ": ends at byte ",
                                              offset + read, ", not at ", end));
    }
    if (finder != nullptr && finder->Find(offset, chunk)) {
      chunk = chunk.subspan(0, finder->cut() - offset);
      end = 0;
    }
    ENGRAM_RETURN_IF_ERROR(to->Write(offset, chunk));
    if (end == 0) return offset + chunk.size();
  }
  return end;
}

absl::Status WriteZeros(uint64_t offset, uint64_t end, io::File* to) {
  AlignedBuffer zeros(kChunkBytes);
  std::memset(zeros.data(), 0, zeros.size());
  for (; offset < end; offset += kChunkBytes) {
    ENGRAM_RETURN_IF_ERROR(to->Write(
        offset,
        absl::MakeConstSpan(zeros.data(),
                            std::min<uint64_t>(kChunkBytes, end - offset))));
  }
  return absl::OkStatus();
}

// The last segment of the copy: up to the record `last_lsn`, and the marker.
absl::StatusOr<uint64_t> CopyLast(const SegmentFile& segment, Lsn last_lsn,
                                  io::File* to) {
  const schema::SegmentHeader& header = segment.scanner->header();
  CutFinder finder(header, last_lsn);
  ENGRAM_RETURN_IF_ERROR(
      CopyBytes(*segment.file, segment.scanner->file_bytes(), &finder, to)
          .status());
  Group marker(sizeof(schema::RecordHeader));
  schema::RecordDraft draft;
  draft.type = schema::RecordType::kIdleMarker;
  marker.Add(draft, last_lsn);
  marker.set_first_lsn(last_lsn + 1);
  marker.Seal(header.epoch, finder.groups(), last_lsn);
  // A group of records leaves room for one behind it.
  ENGRAM_RETURN_IF_ERROR(to->Write(finder.cut(), marker.bytes()));
  return finder.cut() + marker.bytes().size();
}

// `next` is the segment behind it, if that is copied as well.
absl::Status CopySegment(const SegmentFile& segment, const SegmentFile* next,
                         Lsn last_lsn, io::Directory* to) {
  const schema::SegmentHeader& header = segment.scanner->header();
  // Of no bytes yet: all are written below, so that recycling the segment finds
  // a file without holes.
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<io::File> copy,
                          to->CreateZeroed(SegmentFileName(segment.number), 0));
  uint64_t end = 0;
  if (next == nullptr) {
    ENGRAM_ASSIGN_OR_RETURN(end, CopyLast(segment, last_lsn, copy.get()));
  } else {
    const schema::Predecessor& cut = next->scanner->header().predecessor;
    if (cut.number != segment.number || cut.epoch != header.epoch) {
      return absl::DataLossError(absl::StrCat(next->file->path(),
                                              ": follows segment ", cut.number,
                                              " and not ", segment.number));
    }
    // With the seal.
    end = std::min(cut.end_offset + kWalBlockBytes,
                   segment.scanner->file_bytes());
    ENGRAM_RETURN_IF_ERROR(
        CopyBytes(*segment.file, end, nullptr, copy.get()).status());
  }
  ENGRAM_RETURN_IF_ERROR(WriteZeros(end, header.segment_bytes, copy.get()));
  return copy->Sync();
}

// As recovery will.
absl::Status CheckCopy(io::Directory* copy, const CopyLogOptions& options) {
  RecoveryOptions recovery;
  recovery.database_id = options.database_id;
  recovery.low_water_lsn = options.low_water_lsn;
  recovery.known_durable_lsn = options.last_lsn;
  recovery.must_exist = true;
  const absl::StatusOr<RecoveredLog> log =
      Recover(copy, recovery,
              [](std::shared_ptr<const Group>) { return absl::OkStatus(); });
  if (!log.ok()) {
    return absl::Status(
        log.status().code(),
        absl::StrCat("the copy of the log: ", log.status().message()));
  }
  if (log->position.next_lsn != options.last_lsn + 1) {
    return absl::DataLossError(absl::StrCat(
        copy->path(), ": the copy of the log ends with LSN ",
        log->position.next_lsn - 1, ", durable is ", options.last_lsn));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CopyLog(io::Directory* from, io::Directory* to,
                     const CopyLogOptions& options) {
  ENGRAM_ASSIGN_OR_RETURN(
      std::vector<SegmentFile> segments,
      OpenSegmentFiles(from, options.database_id, /*live=*/true));
  for (const SegmentFile& segment : segments) {
    ENGRAM_RETURN_IF_ERROR(segment.damage);
    if (!segment.scanner.has_value()) {
      return absl::DataLossError(
          absl::StrCat(segment.file->path(), ": has no header"));
    }
  }
  // One that is still empty may be the only one that is left.
  while (!segments.empty() &&
         segments.back().scanner->header().first_lsn > options.last_lsn + 1) {
    segments.pop_back();
  }
  for (size_t i = 0; i < segments.size(); ++i) {
    const SegmentFile* const next =
        i + 1 < segments.size() ? &segments[i + 1] : nullptr;
    ENGRAM_RETURN_IF_ERROR(
        CopySegment(segments[i], next, options.last_lsn, to));
  }
  ENGRAM_RETURN_IF_ERROR(to->Sync());
  return CheckCopy(to, options);
}

}  // namespace engram::wal
