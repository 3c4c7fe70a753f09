// Reads the groups of one segment.

#ifndef ENGRAM_STORAGE_WAL_SEGMENT_SCANNER_H_
#define ENGRAM_STORAGE_WAL_SEGMENT_SCANNER_H_

#include <cstdint>
#include <memory>
#include <string>

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
  // scanner.
  static absl::StatusOr<SegmentScanner> Open(const io::File* file);

  const schema::SegmentHeader& header() const { return header_; }
  uint64_t file_bytes() const { return file_bytes_; }

  // Reads the group at `offset`, which must end at `limit` or before. Returns
  // null, with the reason in `*why`, if there is no intact group.
  absl::StatusOr<std::unique_ptr<ScannedGroup>> Read(uint64_t offset,
                                                     uint64_t limit,
                                                     std::string* why) const;

  // Looks at every block from `offset` to `limit` and returns the largest
  // durable_lsn that an intact group header of this segment vouches for, 0 if
  // there is none. `*next_group` is the offset of the first such header whose
  // whole group is intact, or 0.
  absl::StatusOr<Lsn> FindDurable(uint64_t offset, uint64_t limit,
                                  uint64_t* next_group) const;

 private:
  SegmentScanner(const io::File* file, const schema::SegmentHeader& header,
                 uint64_t file_bytes)
      : file_(file), header_(header), file_bytes_(file_bytes) {}

  const io::File* file_;
  schema::SegmentHeader header_;
  uint64_t file_bytes_;
};

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_SEGMENT_SCANNER_H_
