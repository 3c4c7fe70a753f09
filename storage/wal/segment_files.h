// The segment files that a reader finds in the folder of the log.

#ifndef ENGRAM_STORAGE_WAL_SEGMENT_FILES_H_
#define ENGRAM_STORAGE_WAL_SEGMENT_FILES_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "schema/wal_layout.h"
#include "storage/io/directory.h"
#include "storage/wal/segment_scanner.h"

namespace engram::wal {

struct SegmentFile {
  uint64_t number = 0;  // as its name says
  std::unique_ptr<io::File> file;
  std::optional<SegmentScanner> scanner;  // none: see `damage`
  absl::Status damage;  // DATA_LOSS if the header cannot be used
};

// Opens every segment in the order of the numbers and reads the headers; syncs
// folder and files first unless `live`. All are of the database `id`, or of
// the same one if it is all zero.
//   FAILED_PRECONDITION, UNIMPLEMENTED  as for Recover()
//   ABORTED  with `live`, if a file went while the folder was read
absl::StatusOr<std::vector<SegmentFile>> OpenSegmentFiles(
    io::Directory* directory, const schema::DatabaseId& id, bool live);

// Opens one of them, as above. NOT_FOUND.
absl::StatusOr<SegmentFile> OpenSegmentFile(io::Directory* directory,
                                            uint64_t number,
                                            const schema::DatabaseId& id,
                                            bool live);

// Puts the header of `segment` together again, from what the segment behind
// it has recorded (null: there is none), else from its own first group, which
// must then begin with `next_lsn` (0: any). Leaves it as it is if neither says
// enough.
absl::Status RebuildHeader(const schema::Predecessor* recorded, Lsn next_lsn,
                           SegmentFile* segment);

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_SEGMENT_FILES_H_
