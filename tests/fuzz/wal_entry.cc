#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "schema/limits.h"
#include "schema/wal_codec.h"
#include "schema/wal_layout.h"
#include "storage/base/check.h"
#include "storage/base/crc32c.h"
#include "storage/wal/reader.h"
#include "storage/wal/segments.h"
#include "tests/fuzz/bytes_directory.h"
#include "tests/fuzz/entries.h"

namespace engram::fuzz {
namespace {

using schema::GroupHeader;
using schema::kWalBlockBytes;
using schema::RecordHeader;

constexpr schema::DatabaseId kDatabase = {{7}};

template <typename T>
T Load(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

// Makes the checksums of the records between `record` and `end` right, and with
// `lsn` their LSNs too.
void FixRecords(uint64_t epoch, char* record, const char* end, Lsn* lsn) {
  while (record + sizeof(RecordHeader) <= end) {
    auto header = Load<RecordHeader>(record);
    if (header.length < sizeof(RecordHeader) ||
        header.length > static_cast<size_t>(end - record)) {
      return;
    }
    if (lsn != nullptr) {
      header.lsn =
          schema::IsMarker(static_cast<schema::RecordType>(header.type))
              ? *lsn - 1
              : (*lsn)++;
      std::memcpy(record, &header, sizeof(header));
    }
    constexpr size_t kStart = offsetof(RecordHeader, lsn);
    header.crc = ExtendCrc32c(Crc32c(&epoch, sizeof(epoch)), record + kStart,
                              header.length - kStart);
    std::memcpy(record, &header, sizeof(header));
    const size_t stride = schema::RecordStride(record);
    if (stride > static_cast<size_t>(end - record)) return;
    record += stride;
  }
}

// Makes each block, or run of blocks, that could be a group one whose checksums
// are right.
void FixGroups(unsigned flags, const schema::SegmentHeader& segment,
               std::string* bytes) {
  Lsn next_lsn = segment.first_lsn;
  uint64_t sequence = 0;
  size_t offset = schema::kGroupsOffset;
  while (offset + kWalBlockBytes <= bytes->size()) {
    char* const group = bytes->data() + offset;
    auto header = Load<GroupHeader>(group);
    header.magic = schema::kGroupMagic;
    header.epoch = segment.epoch;
    header.record_bytes %= 2 * kWalBlockBytes;
    const size_t size = schema::GroupBytes(header.record_bytes);
    if (size > bytes->size() - offset) return;
    const bool fix_order = (flags & kFixOrder) != 0;
    if (fix_order) {
      header.first_lsn = next_lsn;
      header.sequence = sequence++;
    }
    FixRecords(header.epoch, group + sizeof(header),
               group + sizeof(header) + header.record_bytes,
               fix_order ? &next_lsn : nullptr);
    header.body_crc =
        Crc32c(group + sizeof(header), size - sizeof(GroupHeader));
    header.header_crc = Crc32c(&header, offsetof(GroupHeader, header_crc));
    std::memcpy(group, &header, sizeof(header));
    offset += size;
  }
}

schema::SegmentHeader SecondHeader(const schema::SegmentHeader& first,
                                   uint8_t last_lsn, uint8_t end_blocks) {
  schema::SegmentHeader header = first;
  header.number = 2;
  header.epoch = first.epoch ^ 1;
  header.predecessor.number = 1;
  header.predecessor.epoch = first.epoch;
  header.predecessor.last_lsn = last_lsn;
  header.predecessor.end_offset = uint64_t{end_blocks} * kWalBlockBytes;
  header.first_lsn = header.predecessor.last_lsn + 1;
  return header;
}

std::string WithHeader(const schema::SegmentHeader& header, size_t bytes) {
  std::string segment(bytes, '\0');
  schema::EncodeSegmentHeader(header, segment.data());
  schema::EncodeSegmentHeader(header, segment.data() + kWalBlockBytes);
  return segment;
}

// Recovers the log and checks what must hold whatever stands in it.
bool Read(io::Directory* directory, unsigned flags, Lsn low_water_lsn,
          Lsn known_durable_lsn) {
  wal::RecoveryOptions recovery;
  recovery.database_id = kDatabase;
  recovery.low_water_lsn = low_water_lsn;
  recovery.known_durable_lsn = known_durable_lsn;
  recovery.salvage = (flags & kSalvage) != 0;
  recovery.live = (flags & kLive) != 0;
  Lsn previous = 0;
  const auto log = wal::Recover(
      directory, recovery, [&](std::shared_ptr<const wal::Group> group) {
        group->ForEachRecord([&](const schema::RecordView& record) {
          ENGRAM_CHECK(record.lsn > previous);
          previous = record.lsn;
          ENGRAM_CHECK(!schema::IsMarker(record.type));
          ENGRAM_CHECK(record.id.size() <= schema::kIdBytesMax);
          ENGRAM_CHECK(record.vector.size() <= schema::kDimensionMax);
        });
        return absl::OkStatus();
      });
  if (!log.ok()) {
    ENGRAM_CHECK(!recovery.salvage || !absl::IsDataLoss(log.status()));
    return false;
  }
  ENGRAM_CHECK(log->exists);
  ENGRAM_CHECK(recovery.salvage || log->losses.empty());
  ENGRAM_CHECK(log->position.next_lsn > previous);
  // Nothing that is known to have been acknowledged and is not saved is cut.
  ENGRAM_CHECK(log->position.next_lsn > known_durable_lsn ||
               known_durable_lsn <= low_water_lsn);
  for (const wal::LogLoss& loss : log->losses) {
    ENGRAM_CHECK(log->position.next_lsn > loss.last_lsn);
    for (const wal::LostRecord& record : loss.records) {
      ENGRAM_CHECK(record.lsn >= loss.first_lsn && record.lsn <= loss.last_lsn);
      ENGRAM_CHECK(record.id.size() <= schema::kIdBytesMax);
    }
  }
  return true;
}

}  // namespace

bool WalSegment(absl::string_view input) {
  constexpr size_t kStart = kWalOptionBytes + sizeof(schema::SegmentHeader);
  if (input.size() < kStart) return false;
  uint8_t options[kWalOptionBytes];
  std::memcpy(options, input.data(), sizeof(options));
  const unsigned flags = options[0];
  auto header = Load<schema::SegmentHeader>(input.data() + kWalOptionBytes);
  input.remove_prefix(kStart);
  // Few blocks: what matters is what stands in them.
  const size_t blocks = std::min<size_t>(
      32, (input.size() + kWalChunkBytes - 1) / kWalChunkBytes);

  if ((flags & kFixChecksums) != 0) {
    header.database_id = kDatabase;
    header.number = 1;
    header.segment_bytes = schema::kSegmentBytesMin;
    header.predecessor = {};
  }
  std::string segment =
      WithHeader(header, schema::kGroupsOffset + blocks * kWalBlockBytes);
  if ((flags & kFixChecksums) == 0) {
    std::memcpy(segment.data(), &header, sizeof(header));
    std::memcpy(segment.data() + kWalBlockBytes, &header, sizeof(header));
  }
  for (size_t block = 0; block < blocks; ++block) {
    const absl::string_view chunk =
        input.substr(block * kWalChunkBytes, kWalChunkBytes);
    std::memcpy(segment.data() + schema::kGroupsOffset + block * kWalBlockBytes,
                chunk.data(), chunk.size());
  }
  if ((flags & kFixChecksums) != 0) FixGroups(flags, header, &segment);
  const uint64_t file_bytes =
      (flags & kTruncated) != 0 ? segment.size() : schema::kSegmentBytesMin;
  BytesDirectory directory;
  directory.Add(wal::SegmentFileName(1), segment, file_bytes);
  const std::string second = WithHeader(
      SecondHeader(header, options[3], options[4]), schema::kGroupsOffset);
  if ((flags & kSecondSegment) != 0) {
    directory.Add(wal::SegmentFileName(2), second, schema::kSegmentBytesMin);
  }
  return Read(&directory, flags, options[1], options[2]);
}

}  // namespace engram::fuzz
