// A copy of the log beside its owner, for a backup.

#ifndef ENGRAM_STORAGE_WAL_COPY_LOG_H_
#define ENGRAM_STORAGE_WAL_COPY_LOG_H_

#include "absl/status/status.h"
#include "schema/wal_layout.h"
#include "storage/io/directory.h"

namespace engram::wal {

struct CopyLogOptions {
  schema::DatabaseId database_id = {};

  // Records up to here are saved elsewhere; see RecoveryOptions.
  Lsn low_water_lsn = 0;

  // The copy ends with this record. It is durable.
  Lsn last_lsn = 0;
};

// Copies the segments in `from` to the empty folder `to`, byte by byte:
// segments get new uses in place, so a second name for one would not keep what
// it holds. The owner of the log may append meanwhile, but recycles nothing.
//
// The last segment is cut behind the record `last_lsn`, whatever stands there
// in the original, and a marker at the cut vouches for that record: what is
// damaged in the copy later is known to be damage, and never a torn tail. The
// copy is synced, and read as recovery will read it, before it is trusted.
//   DATA_LOSS           the log is damaged, so a copy of it would be
//   RESOURCE_EXHAUSTED  no room
absl::Status CopyLog(io::Directory* from, io::Directory* to,
                     const CopyLogOptions& options);

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_COPY_LOG_H_
