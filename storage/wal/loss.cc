#include "storage/wal/loss.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "schema/wal_codec.h"
#include "storage/base/status_macros.h"

namespace engram::wal {
namespace {

// More spaces than this are counted, not named, in a message.
constexpr size_t kSpacesNamedMax = 8;

// So much of a damaged stretch is searched for records.
constexpr uint64_t kSearchedBytesMax = uint64_t{64} << 20;

// Zeros of this length end it: nothing was ever written behind them, or the
// names of few records are not worth the reading.
constexpr uint64_t kLossWindowBytes = uint64_t{64} << 10;

bool IsZero(absl::Span<const char> bytes) {
  return bytes.empty() ||
         (bytes[0] == 0 &&
          std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// No record begins in so many zeros.
constexpr size_t kZerosBytes = 256;

absl::StatusOr<std::vector<char>> ReadDamaged(const SegmentScanner& segment,
                                              uint64_t offset, uint64_t end) {
  std::vector<char> bytes;
  for (; offset < end; offset += kLossWindowBytes) {
    ENGRAM_ASSIGN_OR_RETURN(
        const AlignedBuffer window,
        segment.ReadRaw(offset, std::min(end, offset + kLossWindowBytes)));
    if (IsZero(absl::MakeConstSpan(window.data(), window.size()))) break;
    bytes.insert(bytes.end(), window.data(), window.data() + window.size());
  }
  return bytes;
}

std::string SpacesText(const LogLoss& loss, const SpaceNames& names) {
  std::set<uint64_t> ids;
  for (const LostRecord& record : loss.records) ids.insert(record.space_id);
  if (ids.empty()) return "";
  std::vector<std::string> texts;
  for (const uint64_t id : ids) {
    const std::string name = names ? names(id) : "";
    texts.push_back(name.empty() ? absl::StrCat(id)
                                 : absl::StrCat("\"", name, "\""));
    if (texts.size() == kSpacesNamedMax) break;
  }
  return absl::StrCat(ids.size() == 1 ? " (of space " : " (of spaces ",
                      absl::StrJoin(texts, ", "),
                      ids.size() > texts.size() ? " and others)" : ")");
}

}  // namespace

std::string LossText(const LogLoss& loss, const SpaceNames& names) {
  std::string range;
  if (loss.last_lsn >= loss.first_lsn) {
    range = absl::StrCat("LSN ", loss.first_lsn, " to ", loss.last_lsn,
                         loss.open_ended ? " and maybe later" : "");
  } else {
    range = absl::StrCat("LSN ", loss.first_lsn, " and later");
  }
  return absl::StrCat(loss.path, ": acknowledged records are damaged, ", range,
                      ": ", loss.reason, SpacesText(loss, names));
}

absl::Status FindLostRecords(const SegmentScanner& segment, uint64_t offset,
                             uint64_t end, LogLoss* loss) {
  if (loss->last_lsn < loss->first_lsn) return absl::OkStatus();
  end = std::min(end, offset + kSearchedBytesMax);
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<char> data,
                          ReadDamaged(segment, offset, end));
  const absl::Span<const char> bytes(data);
  Lsn next = loss->first_lsn;
  for (size_t at = 0; at + sizeof(schema::RecordHeader) <= bytes.size();) {
    if (at % kZerosBytes == 0 && IsZero(bytes.subspan(at, kZerosBytes))) {
      at += kZerosBytes;
      continue;
    }
    schema::LooseRecord record;
    if (next > loss->last_lsn || loss->records.size() == kLostRecordsMax) break;
    if (!schema::DecodeLooseRecord(segment.header().epoch, bytes.subspan(at),
                                   next, loss->last_lsn, &record)) {
      at += schema::kRecordAlignment;
      continue;
    }
    loss->records.push_back({record.view.lsn, record.view.type,
                             record.view.space_id, std::string(record.view.id),
                             record.intact});
    next = record.view.lsn + 1;
    at += std::min(schema::RecordStride(bytes.data() + at), bytes.size() - at);
  }
  return absl::OkStatus();
}

}  // namespace engram::wal
