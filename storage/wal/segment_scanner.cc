#include "storage/wal/segment_scanner.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "absl/strings/str_cat.h"
#include "schema/wal_codec.h"
#include "storage/base/status_macros.h"

namespace engram::wal {

using schema::kGroupsOffset;
using schema::kWalBlockBytes;

namespace {

// Fits into a core's cache.
constexpr size_t kScanWindowBytes = size_t{64} << 10;

}  // namespace

absl::StatusOr<SegmentScanner> SegmentScanner::Open(const io::File* file) {
  ENGRAM_ASSIGN_OR_RETURN(const uint64_t file_bytes, file->Size());
  AlignedBuffer blocks(kGroupsOffset);
  ENGRAM_ASSIGN_OR_RETURN(
      const size_t read,
      file->Read(0, absl::MakeSpan(blocks.data(), blocks.size())));
  absl::Status error = absl::DataLossError("segment header: truncated");
  std::optional<schema::SegmentHeader> found;
  size_t damaged = schema::kSegmentHeaderCopies;
  for (size_t copy = 0; copy < schema::kSegmentHeaderCopies; ++copy) {
    if ((copy + 1) * kWalBlockBytes > read) break;
    const absl::StatusOr<schema::SegmentHeader> header =
        schema::DecodeSegmentHeader(blocks.data() + copy * kWalBlockBytes);
    if (header.ok()) {
      --damaged;
      if (!found.has_value()) found = *header;
      continue;
    }
    // Intact but of a newer version says more than damaged.
    if (copy == 0 || absl::IsUnimplemented(header.status())) {
      error = header.status();
    }
  }
  if (!found.has_value()) {
    return absl::Status(error.code(),
                        absl::StrCat(file->path(), ": ", error.message()));
  }
  SegmentScanner scanner(file, *found,
                         std::min(file_bytes, found->segment_bytes));
  // Every byte was written before the segment was used.
  scanner.truncated_ = file_bytes < found->segment_bytes;
  scanner.header_copy_damaged_ = damaged != 0;
  return scanner;
}

absl::StatusOr<SegmentScanner> SegmentScanner::OpenWithHeader(
    const io::File* file, const schema::SegmentHeader& header) {
  ENGRAM_ASSIGN_OR_RETURN(const uint64_t file_bytes, file->Size());
  return SegmentScanner(file, header, file_bytes);
}

std::string SegmentScanner::TruncatedText() const {
  return absl::StrCat("truncated, has ", file_bytes_, " bytes of ",
                      header_.segment_bytes);
}

absl::StatusOr<bool> SegmentScanner::IsUnchanged() const {
  const absl::StatusOr<SegmentScanner> now = Open(file_);
  if (absl::IsDataLoss(now.status())) return false;
  ENGRAM_RETURN_IF_ERROR(now.status());
  return now->header_.epoch == header_.epoch &&
         now->header_.number == header_.number;
}

absl::StatusOr<AlignedBuffer> SegmentScanner::ReadRaw(uint64_t offset,
                                                      uint64_t end) const {
  end = std::min(end, file_bytes_) / kWalBlockBytes * kWalBlockBytes;
  if (offset >= end) return AlignedBuffer();
  AlignedBuffer data(end - offset);
  const auto bytes = absl::MakeSpan(data.data(), data.size());
  ENGRAM_ASSIGN_OR_RETURN(const size_t read, file_->Read(offset, bytes));
  std::fill(bytes.begin() + static_cast<ptrdiff_t>(read), bytes.end(), '\0');
  return data;
}

absl::StatusOr<std::unique_ptr<ScannedGroup>> SegmentScanner::Read(
    uint64_t offset, uint64_t limit, std::string* why) const {
  limit = std::min(limit, file_bytes_);
  if (offset + kWalBlockBytes > limit) {
    *why = "the segment ends";
    return nullptr;
  }
  // Aligned, because the file may be open past the page cache.
  alignas(kWalBlockBytes) char block[kWalBlockBytes];
  ENGRAM_ASSIGN_OR_RETURN(size_t read,
                          file_->Read(offset, absl::MakeSpan(block)));
  schema::GroupHeader header;
  if (read < kWalBlockBytes ||
      !schema::DecodeGroupHeader(block, header_.epoch, limit - offset,
                                 &header)) {
    *why = "no group header";
    return nullptr;
  }
  AlignedBuffer data(schema::GroupBytes(header.record_bytes));
  const auto bytes = absl::MakeSpan(data.data(), data.size());
  ENGRAM_ASSIGN_OR_RETURN(read, file_->Read(offset, bytes));
  if (read < bytes.size()) {
    *why = "the file ends within a group";
    return nullptr;
  }
  auto scanned = std::make_unique<ScannedGroup>();
  scanned->header = header;
  const absl::Status status = schema::DecodeGroup(
      header, bytes, [&scanned](const schema::RecordView& record) {
        scanned->marker = schema::IsMarker(record.type);
        scanned->marker_type = record.type;
      });
  if (!status.ok()) {
    *why = std::string(status.message());
    return nullptr;
  }
  scanned->group = std::make_shared<Group>(std::move(data), header);
  return scanned;
}

absl::Status SegmentScanner::ForEachHeader(
    uint64_t offset, uint64_t limit,
    absl::FunctionRef<bool(uint64_t, const schema::GroupHeader&)> visit) const {
  limit = std::min(limit, file_bytes_) / kWalBlockBytes * kWalBlockBytes;
  if (offset >= limit) return absl::OkStatus();
  AlignedBuffer window(std::min<uint64_t>(kScanWindowBytes, limit - offset));
  for (; offset + kWalBlockBytes <= limit; offset += kScanWindowBytes) {
    const size_t wanted = std::min<uint64_t>(kScanWindowBytes, limit - offset);
    ENGRAM_ASSIGN_OR_RETURN(
        const size_t read,
        file_->Read(offset, absl::MakeSpan(window.data(), wanted)));
    for (size_t at = 0; at + kWalBlockBytes <= read; at += kWalBlockBytes) {
      schema::GroupHeader header;
      if (schema::DecodeGroupHeader(window.data() + at, header_.epoch,
                                    limit - offset - at, &header) &&
          !visit(offset + at, header)) {
        return absl::OkStatus();
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<SegmentScanner::Headers> SegmentScanner::ReadHeaders(
    uint64_t offset, uint64_t limit) const {
  Headers headers;
  ENGRAM_RETURN_IF_ERROR(ForEachHeader(
      offset, limit, [&headers](uint64_t, const schema::GroupHeader& header) {
        headers.any = true;
        headers.durable_lsn = std::max(headers.durable_lsn, header.durable_lsn);
        return true;
      }));
  return headers;
}

absl::StatusOr<std::unique_ptr<ScannedGroup>> SegmentScanner::FindGroup(
    uint64_t offset, uint64_t limit, const Place& from,
    uint64_t* candidate_bytes_left, uint64_t* at) const {
  absl::StatusOr<std::unique_ptr<ScannedGroup>> found = nullptr;
  ENGRAM_RETURN_IF_ERROR(ForEachHeader(
      offset, limit,
      [&](uint64_t candidate, const schema::GroupHeader& header) {
        if (header.first_lsn < from.first_lsn ||
            header.sequence < from.sequence) {
          return true;
        }
        const uint64_t bytes = schema::GroupBytes(header.record_bytes);
        if (bytes > *candidate_bytes_left) return false;
        *candidate_bytes_left -= bytes;
        std::string ignored;
        found = Read(candidate, limit, &ignored);
        *at = candidate;
        return found.ok() && *found == nullptr;
      }));
  return found;
}

}  // namespace engram::wal
