// The part of verify that reads the log.

#ifndef ENGRAM_TOOLS_CTL_VERIFY_LOG_H_
#define ENGRAM_TOOLS_CTL_VERIFY_LOG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "schema/wal_layout.h"
#include "storage/io/directory.h"
#include "storage/wal/segment_files.h"
#include "tools/ctl/verify.h"

namespace engram::ctl {

// A space as catalog and head describe it, and what the log adds to that.
struct KnownSpace {
  uint32_t dimension = 0;
  Lsn checkpoint_lsn = 0;

  // Ids of which the log holds a record above checkpoint_lsn: their saved state
  // may lag behind.
  absl::flat_hash_set<std::string> waiting_ids;
  bool dropped_in_log = false;
};

// What is known of the log before it is read.
struct LogExpectation {
  io::Directory* directory = nullptr;
  // Missing where the file that says so is damaged: then it is taken from the
  // oldest segment.
  std::optional<schema::DatabaseId> database_id;
  std::optional<Lsn> low_water_lsn;
  Lsn known_durable_lsn = 0;
  // Above all ids of the spaces that the catalog has ever listed.
  uint64_t next_space_id = 1;
};

// Reads the log, adds what it finds to `spaces`, by id, and to `report`. Its
// segments, or why there are none, were opened before what is expected was
// read; see RecoverOpened().
// Returns whether it was read to its end: what it does not hold is then not
// there. UNIMPLEMENTED if a segment has a newer format, ABORTED if the owner
// gave one a new use.
absl::StatusOr<bool> VerifyLog(
    const LogExpectation& expectation,
    absl::StatusOr<std::vector<wal::SegmentFile>> segments,
    std::map<uint64_t, KnownSpace>* spaces, VerifyReport* report);

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_VERIFY_LOG_H_
