// Where the log goes on: the current segment, and the place behind its last
// group.

#ifndef ENGRAM_STORAGE_WAL_LOG_END_H_
#define ENGRAM_STORAGE_WAL_LOG_END_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "absl/status/status.h"
#include "schema/wal_layout.h"
#include "storage/io/io_queue.h"
#include "storage/wal/group.h"
#include "storage/wal/segments.h"

namespace engram::wal {

// Where a new log, or one that was recovered, goes on.
struct LogPosition {
  uint64_t next_segment = 1;
  Lsn next_lsn = 1;
  schema::Predecessor predecessor = {};
  uint64_t predecessor_groups = 0;  // that it holds up to its cut
  // The last LSN of each segment that is still there, by number.
  std::map<uint64_t, Lsn> complete;
};

// Gives groups their places, and starts the next segment when one is full.
// Groups stand in the order in which they were placed; writing them is the
// caller's business.
//
// Thread safety: none; see Writer, which passes it from thread to thread.
//
// Invariants:
//  (1) A place is given once: no block is written again.
//  (2) A successor segment is durable before its predecessor is sealed, and all
//      groups of the predecessor are durable before the successor is started.
class LogEnd {
 public:
  // What every group of records leaves free behind it: a block for the marker
  // that vouches for it, and one for the seal.
  static constexpr size_t kReservedBytes = 2 * schema::kWalBlockBytes;

  // `segments` outlives the object.
  LogEnd(const schema::DatabaseId& database_id, const LogPosition& position,
         Segments* segments);

  // Starts the first segment and seals the one that `position` ended in.
  absl::Status Start();

  // Whether a group of records of `group_bytes` still goes into this segment.
  bool Fits(size_t group_bytes) const;

  // Whether a marker does, with a block left for the seal.
  bool FitsMarker() const;

  // Completes a group that Fits() and gives it its place. The request's tag is
  // left to the caller. `durable_lsn` is what is known to be synced.
  io::WriteRequest Place(Group* group, Lsn durable_lsn);

  // Writes a marker in one blocking call. Everything that was placed is
  // durable.
  absl::Status WriteMarker(schema::RecordType type);

  // Goes on in the next segment, with a spare that was reserved. Everything
  // that was placed is durable.
  absl::Status Roll();

  const schema::SegmentHeader& header() const { return header_; }
  bool direct() const { return file_->direct(); }
  uint64_t offset() const { return offset_; }

  // Of the segment that Roll() left.
  uint64_t previous_number() const { return predecessor_.number; }
  Lsn previous_last_lsn() const { return predecessor_.last_lsn; }

 private:
  absl::Status StartSegment();
  absl::Status SealPredecessor(io::File* file, uint64_t groups);

  const schema::DatabaseId database_id_;
  Segments* const segments_;

  std::unique_ptr<io::File> file_;
  schema::SegmentHeader header_ = {};
  schema::Predecessor predecessor_;
  uint64_t predecessor_groups_;
  uint64_t next_segment_;
  uint64_t offset_ = 0;
  uint64_t sequence_ = 0;
  uint32_t chain_crc_ = 0;
  Lsn last_lsn_;  // of the last record that was placed
};

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_LOG_END_H_
