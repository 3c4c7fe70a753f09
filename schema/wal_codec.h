// Writes and reads the structures of wal_layout.h. The readers accept any
// bytes: they never touch memory outside what they are given, and allocate
// nothing that those bytes ask for.
//
// Thread safety: free functions without state.

#ifndef ENGRAM_SCHEMA_WAL_CODEC_H_
#define ENGRAM_SCHEMA_WAL_CODEC_H_

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "schema/wal_layout.h"

namespace engram::schema {

// --- Writing ---------------------------------------------------------------

// As ingest::Priority.
inline constexpr uint8_t kNormalPriority = 1;

// Who wrote a record exactly once, as far as it says: `sequence` rises from
// write to write of a producer. Carried by the last record of a write.
struct ProducerStamp {
  uint64_t producer = 0;  // 0: nobody says; the others are 0 then
  uint64_t sequence = 0;
  uint64_t previous = 0;  // the sequence before it, where that was named
};

// One record before it has an LSN. Borrows everything.
struct RecordDraft {
  RecordType type = RecordType::kObserve;
  uint64_t space_id = 0;
  absl::string_view id;            // kObserve, kRemove
  absl::Span<const float> vector;  // kObserve
  absl::string_view payload;       // kObserve
  int64_t timestamp_us = 0;        // kObserve
  absl::string_view description;   // kCreateSpace: see space_codec.h
  uint64_t next_segment = 0;       // kSeal
  ProducerStamp stamp;
  // The rest is not written: for whoever sees the record while this process
  // lives.
  uint8_t priority = kNormalPriority;
  int64_t handed_in_micros = 0;  // when its writer called; 0: unknown
};

// Bytes that the record takes in a group, padding included.
size_t RecordBytes(const RecordDraft& draft);

// Writes the record and its padding, RecordBytes(draft) bytes, to `out`. Its
// crc is left to SealGroup(): the epoch is known only when the group is
// written.
void EncodeRecord(const RecordDraft& draft, Lsn lsn, char* out);

// Completes a group in place: `group` starts with room for a GroupHeader,
// which is followed by the records; group.size() is GroupBytes(). Fills in the
// header and all CRCs.
struct GroupSeal {
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  Lsn first_lsn = 0;
  Lsn durable_lsn = 0;
  uint32_t record_count = 0;
  uint32_t record_bytes = 0;
};
void SealGroup(const GroupSeal& seal, absl::Span<char> group);

// Writes one header block of kWalBlockBytes; magic, version and crc are filled
// in.
void EncodeSegmentHeader(SegmentHeader header, char* block);

// --- Reading ---------------------------------------------------------------

// Reads one header block of kWalBlockBytes. DATA_LOSS if it is not intact,
// UNIMPLEMENTED if it is intact and of a newer version.
absl::StatusOr<SegmentHeader> DecodeSegmentHeader(const char* block);

// Reads the GroupHeader at the start of a block; false unless its magic, epoch
// and crc are right and its sizes are possible within `bytes_left`.
bool DecodeGroupHeader(const char* block, uint64_t epoch, uint64_t bytes_left,
                       GroupHeader* header);

// Continues the crc that chains the groups of a segment: a reader that starts
// with 0 and has seen all of them arrives at the successor's
// Predecessor::chain_crc.
uint32_t ChainCrc(uint32_t chain_crc, const GroupHeader& header);

// One record within a group; points into it.
struct RecordView {
  RecordType type = RecordType::kObserve;
  Lsn lsn = 0;
  uint64_t space_id = 0;
  absl::string_view id;
  absl::Span<const float> vector;
  absl::string_view payload;
  int64_t timestamp_us = 0;
  absl::string_view description;
  uint64_t next_segment = 0;
  uint8_t priority = kNormalPriority;  // of a record that was read
  int64_t handed_in_micros = 0;        // the same
};

// Checks a whole group (its body crc, each record's crc, LSN and sizes) and
// calls `visit` for each record in order. DATA_LOSS names what is wrong; then
// `visit` was not called at all. `group` is GroupBytes(header.record_bytes)
// long and aligned to 8 bytes.
absl::Status DecodeGroup(const GroupHeader& header,
                         absl::Span<const char> group,
                         absl::FunctionRef<void(const RecordView&)> visit);

// A record that was found in a group which is damaged.
struct LooseRecord {
  RecordView view;
  bool intact = false;  // its own checksum is right
};

// Reads what may be a record at the start of `bytes`, which is aligned to 8
// bytes: its LSN must lie in [first_lsn, last_lsn], and its sizes must fit.
// Nothing else vouches for it where it is not intact. False if it is none.
bool DecodeLooseRecord(uint64_t epoch, absl::Span<const char> bytes,
                       Lsn first_lsn, Lsn last_lsn, LooseRecord* record);

// The epoch that the block says it belongs to if it starts like a group: the
// only way to it where the header of the segment is lost. 0 if it does not.
uint64_t EpochOfGroup(const char* block);

// Reads one record that this process has just written itself, and trusts it:
// no crc is checked.
RecordView ViewRecord(const char* record);

// The stamp of such a record.
ProducerStamp ViewStamp(const char* record);

// The distance from a record to the next one.
size_t RecordStride(const char* record);

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_WAL_CODEC_H_
