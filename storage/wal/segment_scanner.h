// Reads the groups of one segment.

#ifndef ENGRAM_STORAGE_WAL_SEGMENT_SCANNER_H_
#define ENGRAM_STORAGE_WAL_SEGMENT_SCANNER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "schema/wal_layout.h"
#include "storage/base/aligned_buffer.h"
#include "storage/io/directory.h"
#include "storage/wal/group.h"

namespace engram::wal {

// A group that was found intact.
struct ScannedGroup {
  schema::GroupHeader header = {};
  std::shared_ptr<const Group> group;
  bool marker = false;
  schema::RecordType marker_type = schema::RecordType::kIdleMarker;
};

// Not thread-safe.
class SegmentScanner {
 public:
  // Reads and checks the header, from either copy. `file` outlives the
  // scanner. A file that is shorter than its header says is no error:
  // truncated() says so.
  static absl::StatusOr<SegmentScanner> Open(const io::File* file);

  // Reads groups by a header that was put together from what its neighbors say.
  static absl::StatusOr<SegmentScanner> OpenWithHeader(
      const io::File* file, const schema::SegmentHeader& header);

  const schema::SegmentHeader& header() const { return header_; }
  uint64_t file_bytes() const { return file_bytes_; }

  // Whether the file is shorter than it was made, with the message.
  bool truncated() const { return truncated_; }
  std::string TruncatedText() const;

  // Whether one of the two copies of the header is damaged; the other one has
  // been used.
  bool header_copy_damaged() const { return header_copy_damaged_; }

  // Reads the header once more and returns whether it is still the same: the
  // owner of the log may have given the file a new use.
  absl::StatusOr<bool> IsUnchanged() const;

  // The bytes from `offset` to `end`, or to the end of the file; whole blocks.
  absl::StatusOr<AlignedBuffer> ReadRaw(uint64_t offset, uint64_t end) const;

  // Reads the group at `offset`, which must end at `limit` or before. Returns
  // null, with the reason in `*why`, if there is no intact group.
  absl::StatusOr<std::unique_ptr<ScannedGroup>> Read(uint64_t offset,
                                                     uint64_t limit,
                                                     std::string* why) const;

  // What the intact group headers of this segment say together.
  struct Headers {
    bool any = false;
    Lsn durable_lsn = 0;  // the largest one that they vouch for
  };

  // Looks at every block from `offset` to `limit`.
  absl::StatusOr<Headers> ReadHeaders(uint64_t offset, uint64_t limit) const;

  // What a group must be at least to be found.
  struct Place {
    Lsn first_lsn = 0;
    uint64_t sequence = 0;
  };

  // Looks at the same blocks for the first one that starts an intact group at
  // or behind `from`. Returns it, and in `*at` where it is; null if there is
  // none, or if groups of more than `*candidate_bytes_left` had to be read to
  // find it.
  absl::StatusOr<std::unique_ptr<ScannedGroup>> FindGroup(
      uint64_t offset, uint64_t limit, const Place& from,
      uint64_t* candidate_bytes_left, uint64_t* at) const;

 private:
  // Calls `visit` with each intact group header of this segment and its offset
  // until that returns false.
  absl::Status ForEachHeader(
      uint64_t offset, uint64_t limit,
      absl::FunctionRef<bool(uint64_t, const schema::GroupHeader&)> visit)
      const;

  SegmentScanner(const io::File* file, const schema::SegmentHeader& header,
                 uint64_t file_bytes)
      : file_(file), header_(header), file_bytes_(file_bytes) {}

  const io::File* file_;
  schema::SegmentHeader header_;
  uint64_t file_bytes_;
  bool truncated_ = false;
  bool header_copy_damaged_ = false;
};

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_SEGMENT_SCANNER_H_
