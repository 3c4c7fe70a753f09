// Recovery: reads the log, and tells a torn tail from rot. docs/recovery.md
// says why each case is judged as it is.

#ifndef ENGRAM_STORAGE_WAL_READER_H_
#define ENGRAM_STORAGE_WAL_READER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "schema/wal_layout.h"
#include "storage/io/directory.h"
#include "storage/wal/group.h"
#include "storage/wal/loss.h"
#include "storage/wal/segment_files.h"
#include "storage/wal/segment_scanner.h"
#include "storage/wal/writer.h"

namespace engram::wal {

struct RecoveredSegment {
  uint64_t number = 0;
  uint64_t epoch = 0;  // 0 if its header is lost
  Lsn first_lsn = 0;
  Lsn last_lsn = 0;  // first_lsn - 1 if it holds no records
  uint64_t groups = 0;
  uint64_t records = 0;
  uint64_t end_offset = 0;
  uint64_t file_bytes = 0;
  uint64_t predecessor = 0;  // its number
  bool complete = false;     // a successor has recorded where it ends
};

// A group, a marker's too, and where it stands.
struct LocatedGroup {
  uint64_t segment = 0;
  uint64_t offset = 0;
  const ScannedGroup* scanned = nullptr;
};

struct RecoveryOptions {
  // Must be that of every segment; nothing is asked if it is all zero.
  schema::DatabaseId database_id = {};

  // Records up to here are saved elsewhere: damage below is only a warning.
  Lsn low_water_lsn = 0;

  // Records up to here were known to be durable by someone outside the log: a
  // checkpoint waits for the log before it is written.
  Lsn known_durable_lsn = 0;

  // That there is not a single segment is a loss.
  bool must_exist = false;

  // Goes on behind damage and lists what it took, instead of failing.
  bool salvage = false;

  // Reads beside the log's owner: syncs nothing, and fails with ABORTED if the
  // log changes under the reader, who starts over then. See ReadLive().
  bool live = false;

  // For messages; may be null.
  SpaceNames space_names;

  // Called for each group, and for each segment after its groups; may be null.
  std::function<void(const LocatedGroup&)> on_group;
  std::function<void(const RecoveredSegment&)> on_segment;

  // ReadLive() only: the groups since the last on_segment come again.
  std::function<void()> on_restart;
};

struct RecoveredLog {
  bool exists = false;  // false: there is not a single segment
  LogPosition position;
  std::vector<RecoveredSegment> segments;
  uint64_t records = 0;
  Lsn durable_lsn = 0;  // the largest that any group vouches for
  bool clean_close = false;
  std::vector<std::string> warnings;
  std::vector<LogLoss> losses;  // with RecoveryOptions::salvage
};

// Reads all segments in `directory` and calls `visit` for each group that
// holds records, in LSN order; some may lie below the low-water mark. Writes
// nothing, but syncs each file first: what is read must be what is on disk.
//
// A bad block does not end the log by itself. Let D be the largest durable_lsn
// that any later header of the same epoch, or known_durable_lsn, vouches for:
// if the first missing LSN is above D, the tail is torn and is cut; otherwise
// acknowledged data is damaged.
//   DATA_LOSS           names the file, the range of LSNs that is damaged, and
//                       the spaces where they can still be read; never with
//                       `salvage`
//   UNIMPLEMENTED       a segment of a newer format
//   FAILED_PRECONDITION a segment of another database
//   ABORTED             with `live` only
absl::StatusOr<RecoveredLog> Recover(
    io::Directory* directory, const RecoveryOptions& options,
    absl::FunctionRef<absl::Status(std::shared_ptr<const Group>)> visit);

// Recover() with `live`, once, of segments that OpenSegmentFiles() has opened
// before. This is how a database is read beside its owner: first the segments
// are opened, then it is found out what checkpoints hold, which is what
// low_water_lsn and known_durable_lsn say, and then the log is read. The other
// way round, records could leave the log that the checkpoints do not hold yet.
// Everything acknowledged before the segments were opened is found; a group
// whose sync is still under way is, too, if all of it is there.
// DATA_LOSS, or what is lost with `salvage`, may be a race: see ReadAttempts.
absl::StatusOr<RecoveredLog> RecoverOpened(
    io::Directory* directory, std::vector<SegmentFile> segments,
    const RecoveryOptions& options,
    absl::FunctionRef<absl::Status(std::shared_ptr<const Group>)> visit);

// Reads the log beside its owner, or without one: Recover() with `live` and
// `salvage`, again and again until no file got a new use while it was read.
// options.on_segment is called once for each segment, when it is known that
// what on_group has been told of it holds. What is reported as lost, or warned
// of, was found twice: no race looks the same twice.
//   UNAVAILABLE  the owner gave segments a new use faster than they were read
absl::StatusOr<RecoveredLog> ReadLive(io::Directory* directory,
                                      RecoveryOptions options);

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_READER_H_
