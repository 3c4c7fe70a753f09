// What damage took from the log.

#ifndef ENGRAM_STORAGE_WAL_LOSS_H_
#define ENGRAM_STORAGE_WAL_LOSS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "schema/wal_layout.h"
#include "storage/wal/segment_scanner.h"

namespace engram::wal {

// A record of a damaged group, as far as it can still be read. It is lost all
// the same: a batch is in one group and is replayed as a whole or not at all,
// and nothing says where in a group a batch begins.
struct LostRecord {
  Lsn lsn = 0;
  schema::RecordType type = schema::RecordType::kObserve;
  uint64_t space_id = 0;
  std::string id;       // of an observation or a removal
  bool intact = false;  // false: what stands here is likely, not certain
};

// A range of acknowledged records that are gone.
struct LogLoss {
  std::string path;     // the file, or the folder where a file is missing
  uint64_t offset = 0;  // of the damage in it
  Lsn first_lsn = 0;
  Lsn last_lsn = 0;
  bool open_ended = false;  // more may be gone behind last_lsn
  std::string reason;

  // Those that can be named, in LSN order, at most kLostRecordsMax.
  std::vector<LostRecord> records;
};

inline constexpr size_t kLostRecordsMax = 100'000;

using SpaceNames = std::function<std::string(uint64_t space_id)>;

// "wal/0000000000000001.log: acknowledged records are damaged, LSN 7 to 9: no
// group header (of spaces "notes", 12)". `names` may be null.
std::string LossText(const LogLoss& loss, const SpaceNames& names);

// Looks for the records of `loss` between `offset` and `end` of a segment, and
// adds them to it.
absl::Status FindLostRecords(const SegmentScanner& segment, uint64_t offset,
                             uint64_t end, LogLoss* loss);

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_LOSS_H_
