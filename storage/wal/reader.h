// Recovery: reads the log, and tells a torn tail from rot.

#ifndef ENGRAM_STORAGE_WAL_READER_H_
#define ENGRAM_STORAGE_WAL_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "schema/wal_layout.h"
#include "storage/io/directory.h"
#include "storage/wal/group.h"
#include "storage/wal/writer.h"

namespace engram::wal {

struct RecoveryOptions {
  schema::DatabaseId database_id = {};

  // Records up to here are saved elsewhere: damage below is only a warning.
  Lsn low_water_lsn = 0;

  // Records up to here were known to be durable by someone outside the log: a
  // checkpoint waits for the log before it is written.
  Lsn known_durable_lsn = 0;
};

struct RecoveredSegment {
  uint64_t number = 0;
  Lsn first_lsn = 0;
  Lsn last_lsn = 0;  // first_lsn - 1 if it holds no records
  uint64_t groups = 0;
  uint64_t end_offset = 0;
  uint64_t file_bytes = 0;
};

struct RecoveredLog {
  bool exists = false;  // false: there is not a single segment
  LogPosition position;
  std::vector<RecoveredSegment> segments;
  uint64_t records = 0;
  bool clean_close = false;
  std::vector<std::string> warnings;
};

// Reads all segments in `directory` and calls `visit` for each group that
// holds records, in LSN order; some may lie below the low-water mark. Writes
// nothing, but syncs each file first: what is read must be what is on disk.
//
// A bad block does not end the log by itself. Let D be the largest durable_lsn
// that any later header of the same epoch, or known_durable_lsn, vouches for:
// if the first missing LSN is above D, the tail is torn and is cut; otherwise
// acknowledged data is damaged.
//   DATA_LOSS           names the file and the range of LSNs that is damaged
//   UNIMPLEMENTED       a segment of a newer format
//   FAILED_PRECONDITION a segment of another database
absl::StatusOr<RecoveredLog> Recover(
    io::Directory* directory, const RecoveryOptions& options,
    absl::FunctionRef<absl::Status(std::shared_ptr<const Group>)> visit);

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_READER_H_
