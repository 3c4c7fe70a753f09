// The bytes of the write-ahead log. docs/formats/wal.md shows them byte by
// byte and says how a reader decides what is valid.
//
// A segment file is two header blocks (equal; either will do) and then groups:
//
//   segment := SegmentHeader SegmentHeader group*
//   group   := GroupHeader record* zero padding to 4,096
//   record  := RecordHeader body zero padding to 8
//
// All integers are little endian.

#ifndef ENGRAM_SCHEMA_WAL_LAYOUT_H_
#define ENGRAM_SCHEMA_WAL_LAYOUT_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace engram {

// See engram/options.h, which has the same alias for the public.
using Lsn = uint64_t;

namespace schema {

static_assert(std::endian::native == std::endian::little,
              "the codecs copy structs; a big-endian port must swap");

inline constexpr uint32_t kWalFormatVersion = 2;
inline constexpr uint64_t kSegmentMagic = 0x31474553'4d475245;  // "ERGMSEG1"
inline constexpr uint64_t kGroupMagic = 0x31505247'4d475245;    // "ERGMGRP1"
inline constexpr size_t kWalBlockBytes = 4096;
inline constexpr size_t kSegmentHeaderCopies = 2;
inline constexpr size_t kGroupsOffset = kSegmentHeaderCopies * kWalBlockBytes;
inline constexpr size_t kRecordAlignment = 8;
inline constexpr size_t kDatabaseIdBytes = 16;

// No log gets that far; beyond it, adding to an LSN or to a segment's number
// could overflow.
inline constexpr uint64_t kWalNumberMax = uint64_t{1} << 62;

struct DatabaseId {
  uint8_t bytes[kDatabaseIdBytes];

  friend bool operator==(const DatabaseId&, const DatabaseId&) = default;
};

// What a segment says of the one before it. `end_offset` is the recorded cut:
// no reader looks at the predecessor beyond it, ever.
struct Predecessor {
  uint64_t number;  // 0: there is none
  uint64_t epoch;
  uint64_t last_lsn;    // of its last good record, or of those before it
  uint64_t end_offset;  // where its last good group ends
  uint32_t chain_crc;   // see ChainCrc()
  uint32_t reserved;
};
static_assert(sizeof(Predecessor) == 40);

// Fills a block; the rest of the block is zero.
struct SegmentHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t header_crc;  // crc32c of the block with this field zero
  DatabaseId database_id;
  uint64_t number;  // 1, 2, 3, ...
  uint64_t epoch;   // random for each use of the file, never 0
  uint64_t first_lsn;
  uint64_t segment_bytes;
  Predecessor predecessor;
};
static_assert(sizeof(SegmentHeader) == 104);
static_assert(std::is_trivially_copyable_v<SegmentHeader>);

struct GroupHeader {
  uint64_t magic;
  uint64_t epoch;        // of the segment
  uint64_t sequence;     // 0, 1, 2, ... within the segment
  uint64_t first_lsn;    // of its first record; a marker consumes no LSN
  uint64_t durable_lsn;  // known to be synced when this group was built
  uint32_t record_count;
  uint32_t record_bytes;  // of all records with their padding
  uint32_t body_crc;      // crc32c of everything after this header
  uint32_t reserved;
  uint32_t reserved2;
  uint32_t header_crc;  // crc32c of the 60 bytes before it
};
static_assert(sizeof(GroupHeader) == 64);
static_assert(offsetof(GroupHeader, header_crc) == 60);

enum class RecordType : uint8_t {
  kObserve = 1,
  kRemove = 2,
  kCreateSpace = 3,
  kDropSpace = 4,
  kIdleMarker = 5,  // nothing follows for a while; carries durable_lsn
  kCleanClose = 6,  // nothing follows at all
  kSeal = 7,        // the log goes on in the segment that the body names
};

// Markers stand alone in their group and consume no LSN.
constexpr bool IsMarker(RecordType type) {
  return type == RecordType::kIdleMarker || type == RecordType::kCleanClose ||
         type == RecordType::kSeal;
}

struct RecordHeader {
  uint32_t length;  // header and body, without padding
  uint32_t crc;     // crc32c of the segment's epoch, then of what follows
  uint64_t lsn;
  uint8_t type;
  uint8_t flags;  // 0 up to version 2
  uint16_t reserved;
  uint32_t reserved2;
  uint64_t space_id;
  // See ProducerStamp. From version 2 on; zero before.
  uint64_t producer;
  uint64_t producer_sequence;
  uint64_t producer_previous;
};
static_assert(sizeof(RecordHeader) == 56);
static_assert(offsetof(RecordHeader, lsn) == 8);

// Followed by float vector[dimension], id, attributes, payload.
struct ObserveBody {
  uint32_t dimension;
  uint32_t payload_bytes;
  uint32_t attributes_bytes;  // 0 up to version 2
  uint16_t id_bytes;
  uint16_t reserved;
  int64_t timestamp_us;
};
static_assert(sizeof(ObserveBody) == 24);

// Followed by the id.
struct RemoveBody {
  uint16_t id_bytes;
  uint16_t reserved;
  uint32_t reserved2;
};
static_assert(sizeof(RemoveBody) == 8);

struct SealBody {
  uint64_t next_segment;
};
static_assert(sizeof(SealBody) == 8);

constexpr size_t RoundUp(size_t bytes, size_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

// Bytes that a group with `record_bytes` takes in the segment.
constexpr size_t GroupBytes(size_t record_bytes) {
  return RoundUp(sizeof(GroupHeader) + record_bytes, kWalBlockBytes);
}

}  // namespace schema
}  // namespace engram

#endif  // ENGRAM_SCHEMA_WAL_LAYOUT_H_
