// One recovery of the log, as it goes on: reader.cc has what concerns the whole
// log, segment_recovery.cc what concerns one segment.

#ifndef ENGRAM_STORAGE_WAL_RECOVERY_H_
#define ENGRAM_STORAGE_WAL_RECOVERY_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "storage/wal/reader.h"
#include "storage/wal/segment_files.h"

namespace engram::wal {

using GroupVisitor =
    absl::FunctionRef<absl::Status(std::shared_ptr<const Group>)>;

// See Recover(). Used once. Not thread-safe.
class Recovery {
 public:
  Recovery(io::Directory* directory, const RecoveryOptions& options,
           GroupVisitor visit)
      : directory_(directory),
        options_(options),
        low_water_lsn_(options.low_water_lsn),
        visit_(visit) {}

  // Of segments that are open already.
  Recovery(io::Directory* directory, const RecoveryOptions& options,
           GroupVisitor visit, std::vector<SegmentFile> segments)
      : Recovery(directory, options, visit) {
    segments_ = std::move(segments);
    opened_ = true;
  }

  absl::StatusOr<RecoveredLog> Run();

 private:
  // What the segment behind number `index` has recorded of it; null if that
  // one is missing, or cannot say.
  const schema::Predecessor* RecordedOf(size_t index) const;

  absl::Status ScanSegment(size_t index);

  // Deals with a header that cannot be used, or a file that is too short.
  // Clears `*readable` if there is nothing that could be read.
  absl::Status CheckFile(size_t index, bool* readable);

  // Reports what is missing before the segment.
  absl::Status CheckBefore(size_t index);

  // A segment with a successor: everything up to the recorded cut must be
  // there.
  absl::Status ScanComplete(const SegmentFile& segment,
                            const schema::Predecessor& recorded);

  // A segment without one: finds where it ends.
  absl::Status ScanOpen(const SegmentFile& segment, bool last,
                        uint64_t* end_offset);

  // Decides what a bad block at `*offset` of such a segment means. Moves
  // `*offset` behind damage, or sets `*ended`.
  absl::Status Judge(const SegmentFile& segment, bool last,
                     absl::string_view why, uint64_t* offset, bool* ended);

  // Nothing of the segment can be read.
  absl::Status LoseSegment(size_t index, absl::string_view reason);

  // The intact group behind the damage at `offset`, which tells which LSNs the
  // damage took; null if there is none.
  absl::StatusOr<std::unique_ptr<ScannedGroup>> NextBehind(
      const SegmentFile& segment, uint64_t offset, uint64_t limit,
      uint64_t* at) {
    return segment.scanner->FindGroup(offset, limit, {next_lsn_, groups_ + 1},
                                      &candidate_bytes_left_, at);
  }

  // The records from next_lsn_ to `last_lsn` are gone, with the bytes from
  // `offset` to `end` (0: with the file). A warning if they are saved; listed
  // if that is wanted; else DATA_LOSS. Then next_lsn_ is behind them.
  absl::Status Lose(const SegmentFile* segment, uint64_t offset, uint64_t end,
                    Lsn last_lsn, bool open_ended, absl::string_view reason);

  // What comes next is `next`, at `offset`.
  void GoOnAt(const ScannedGroup& next) {
    next_lsn_ = next.header.first_lsn;
    groups_ = next.header.sequence;
  }

  bool InOrder(const ScannedGroup& scanned) const {
    return scanned.header.first_lsn == next_lsn_ &&
           scanned.header.sequence == groups_;
  }
  absl::Status Take(const SegmentFile& segment, uint64_t offset,
                    const ScannedGroup& scanned);
  // ABORTED, with options_.live, if the owner has given the file a new use:
  // then nothing that was found in it, or missed, says anything.
  absl::Status CheckUse(const SegmentFile& segment) const;

  absl::Status Finish(size_t index, uint64_t end_offset);
  void SetPosition();
  void Warn(const SegmentFile& segment, absl::string_view what) {
    log_.warnings.push_back(absl::StrCat(segment.file->path(), ": ", what));
  }

  io::Directory* const directory_;
  const RecoveryOptions options_;
  Lsn low_water_lsn_;
  const GroupVisitor visit_;

  std::vector<SegmentFile> segments_;
  bool opened_ = false;  // segments_ was given, with all that is known of it
  RecoveredLog log_;

  // Of the segment that is being scanned.
  Lsn next_lsn_ = 1;
  Lsn first_lsn_ = 1;
  uint64_t groups_ = 0;
  uint64_t records_ = 0;
  uint32_t chain_crc_ = 0;
  uint64_t candidate_bytes_left_ = 0;
  Lsn vouched_before_ = 0;            // with options_.live, of an open segment
  std::optional<SegmentFile> added_;  // likewise, behind the last one
};

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_RECOVERY_H_
