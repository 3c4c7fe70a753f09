#include "storage/wal/segment_files.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "schema/limits.h"
#include "schema/wal_codec.h"
#include "storage/base/status_macros.h"
#include "storage/wal/segments.h"

namespace engram::wal {
namespace {

absl::Status ReadHeader(const schema::DatabaseId& id, SegmentFile* segment) {
  absl::StatusOr<SegmentScanner> scanner =
      SegmentScanner::Open(segment->file.get());
  if (absl::IsDataLoss(scanner.status())) {
    segment->damage = scanner.status();
    return absl::OkStatus();
  }
  ENGRAM_RETURN_IF_ERROR(scanner.status());
  const schema::SegmentHeader& header = scanner->header();
  if (!(id == schema::DatabaseId{}) && !(header.database_id == id)) {
    return absl::FailedPreconditionError(absl::StrCat(
        segment->file->path(), ": is a segment of another database"));
  }
  if (header.number != segment->number) {
    segment->damage = absl::DataLossError(
        absl::StrCat("its header says segment ", header.number));
    return absl::OkStatus();
  }
  segment->scanner = *std::move(scanner);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<SegmentFile>> OpenSegmentFiles(
    io::Directory* directory, const schema::DatabaseId& id, bool live) {
  if (!live) ENGRAM_RETURN_IF_ERROR(directory->Sync());
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                          directory->List());
  const io::OpenMode mode =
      live ? io::OpenMode::kReadDirect : io::OpenMode::kRead;
  std::vector<SegmentFile> segments;
  for (const std::string& name : names) {  // sorted, so by number
    SegmentFile segment;
    segment.number = SegmentFileNumber(name);
    if (segment.number == 0) continue;
    absl::StatusOr<std::unique_ptr<io::File>> file =
        directory->Open(name, mode);
    if (live && absl::IsNotFound(file.status())) {
      return absl::AbortedError(file.status().message());
    }
    ENGRAM_RETURN_IF_ERROR(file.status());
    segment.file = *std::move(file);
    if (live) segment.file->HoldForReading();
    if (!live) ENGRAM_RETURN_IF_ERROR(segment.file->Sync());
    segments.push_back(std::move(segment));
  }
  // Only now: as long as a file is open its bytes can be told from those of a
  // later use, so the fewer of them change before, the better.
  schema::DatabaseId database = id;
  for (SegmentFile& segment : segments) {
    ENGRAM_RETURN_IF_ERROR(ReadHeader(database, &segment));
    if (segment.scanner.has_value()) {
      database = segment.scanner->header().database_id;
    }
  }
  return segments;
}

absl::StatusOr<SegmentFile> OpenSegmentFile(io::Directory* directory,
                                            uint64_t number,
                                            const schema::DatabaseId& id,
                                            bool live) {
  SegmentFile segment;
  segment.number = number;
  ENGRAM_ASSIGN_OR_RETURN(
      segment.file,
      directory->Open(SegmentFileName(number),
                      live ? io::OpenMode::kReadDirect : io::OpenMode::kRead));
  if (live) segment.file->HoldForReading();
  if (!live) ENGRAM_RETURN_IF_ERROR(segment.file->Sync());
  ENGRAM_RETURN_IF_ERROR(ReadHeader(id, &segment));
  return segment;
}

absl::Status RebuildHeader(const schema::Predecessor* recorded, Lsn next_lsn,
                           SegmentFile* segment) {
  ENGRAM_ASSIGN_OR_RETURN(const uint64_t file_bytes, segment->file->Size());
  if (file_bytes < schema::kSegmentBytesMin) return absl::OkStatus();
  schema::SegmentHeader header{};
  header.number = segment->number;
  header.segment_bytes = file_bytes;
  header.epoch = recorded == nullptr ? 0 : recorded->epoch;
  alignas(schema::kWalBlockBytes) char block[schema::kWalBlockBytes];
  ENGRAM_RETURN_IF_ERROR(
      segment->file->Read(schema::kGroupsOffset, absl::MakeSpan(block))
          .status());
  if (header.epoch == 0) header.epoch = schema::EpochOfGroup(block);
  schema::GroupHeader first;
  if (schema::DecodeGroupHeader(block, header.epoch,
                                file_bytes - schema::kGroupsOffset, &first) &&
      first.sequence == 0) {
    header.first_lsn = first.first_lsn;
  } else if (recorded == nullptr) {
    return absl::OkStatus();  // the epoch was read from the damage itself
  }
  // A group of an earlier use of the file has smaller LSNs.
  if (recorded == nullptr && next_lsn != 0 && header.first_lsn != next_lsn) {
    return absl::OkStatus();
  }
  if (header.first_lsn < next_lsn) header.first_lsn = next_lsn;
  if (header.first_lsn == 0) header.first_lsn = 1;
  ENGRAM_ASSIGN_OR_RETURN(segment->scanner, SegmentScanner::OpenWithHeader(
                                                segment->file.get(), header));
  return absl::OkStatus();
}

}  // namespace engram::wal
