// One group of the log in memory: the records that were, or are to be, written
// and synced together.

#ifndef ENGRAM_STORAGE_WAL_GROUP_H_
#define ENGRAM_STORAGE_WAL_GROUP_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "schema/wal_codec.h"
#include "storage/base/aligned_buffer.h"
#include "storage/base/buffer_pool.h"

namespace engram::wal {

// The group's bytes stay where they are from the moment it is written until
// its last owner lets go: the ring, the tails and the unsaved records all point
// into them, so a record is copied once, from its caller.
//
// Thread safety: not while records are added; immutable after Seal().
class Group {
 public:
  // A group with room for `record_bytes`; Add() makes more where needed, and
  // copies what there is.
  explicit Group(size_t record_bytes);

  // A group with a buffer of `pool`, which gets it back in the end.
  explicit Group(std::shared_ptr<BufferPool> pool);

  // A group that was read: `data` holds all of it, header included.
  Group(AlignedBuffer data, const schema::GroupHeader& header);

  ~Group();

  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  // Appends a record.
  void Add(const schema::RecordDraft& draft, Lsn lsn);

  // Completes header, padding and checksums; nothing changes afterwards.
  void Seal(uint64_t epoch, uint64_t sequence, Lsn durable_lsn);

  uint32_t record_count() const { return record_count_; }
  size_t record_bytes() const { return record_bytes_; }

  // Bytes of records that it has room for without another copy of them all.
  size_t capacity() const { return data_.size() - sizeof(schema::GroupHeader); }

  // 0 if there is no record, or only a marker.
  Lsn last_lsn() const { return last_lsn_; }
  Lsn first_lsn() const { return first_lsn_; }

  // Sets what the header says where the group holds only a marker.
  void set_first_lsn(Lsn lsn) { first_lsn_ = lsn; }

  // All bytes, a multiple of 4,096. Seal() must have been called.
  absl::Span<const char> bytes() const;

  // Calls `visit` for each record in LSN order. The views live as long as the
  // group.
  void ForEachRecord(
      absl::FunctionRef<void(const schema::RecordView&)> visit) const;

  // The same for the records that have a stamp.
  void ForEachStamp(
      absl::FunctionRef<void(const schema::ProducerStamp&, Lsn)> visit) const;

 private:
  void Grow(size_t record_bytes);

  const std::shared_ptr<BufferPool> pool_;  // or nullptr
  AlignedBuffer data_;
  size_t record_bytes_ = 0;
  uint32_t record_count_ = 0;
  Lsn first_lsn_ = 0;
  Lsn last_lsn_ = 0;
  bool stamped_ = false;  // a record may have a stamp
  // What is not written, of the records up to the last one that has any.
  struct Tag {
    uint8_t priority = schema::kNormalPriority;
    int64_t handed_in_micros = 0;
  };
  std::vector<Tag> tags_;
};

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_GROUP_H_
