// The write-ahead ingest queue: many appenders, one sync stream.

#ifndef ENGRAM_STORAGE_WAL_WRITER_H_
#define ENGRAM_STORAGE_WAL_WRITER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "schema/wal_codec.h"
#include "schema/wal_layout.h"
#include "storage/base/mutex.h"
#include "storage/io/io_queue.h"
#include "storage/wal/group.h"
#include "storage/wal/segments.h"

namespace engram::wal {

enum class QueueChoice { kAuto, kUring, kPwrite };

// Makes a queue on the thread that will own it.
using QueueFactory =
    std::function<absl::StatusOr<std::unique_ptr<io::IoQueue>>()>;

struct WriterOptions {
  schema::DatabaseId database_id = {};
  uint64_t segment_bytes = 0;
  QueueChoice queue = QueueChoice::kAuto;
  int lock_fd = -1;           // see io::DirectoryLock
  QueueFactory create_queue;  // in place of `queue`, for a simulated disk
};

// Where a new log, or one that was recovered, goes on.
struct LogPosition {
  uint64_t next_segment = 1;
  Lsn next_lsn = 1;
  schema::Predecessor predecessor = {};
  uint64_t predecessor_groups = 0;  // that it holds up to its cut
  // The last LSN of each segment that is still there, by number.
  std::map<uint64_t, Lsn> complete;
};

// Receives the groups in LSN order as they become durable, before anyone is
// told so. Called on the log's thread.
class GroupSink {
 public:
  virtual ~GroupSink() = default;
  virtual void OnDurable(const std::shared_ptr<const Group>& group) = 0;
};

struct WriterStats {
  std::string queue_name;
  bool direct_io = false;
  uint64_t groups = 0;
  uint64_t current_segment = 0;
  uint64_t bytes_written = 0;
  Lsn last_lsn = 0;
  Lsn durable_lsn = 0;
  absl::Status status;
};

// Appends records to the current segment and makes them durable in groups:
// whatever is appended while one group is being written and synced is the next
// one.
//
// Thread safety: all methods may be called concurrently.
//
// Invariants:
//  (1) LSNs rise by one from record to record, across segments too.
//  (2) An append is acknowledged only after the sync that covers it returned 0
//      and the sink has seen its group.
//  (3) A failed write or sync is final: the kernel may have dropped the dirty
//      pages, so a retry could succeed without the data. Every later append
//      fails with the same status until the log is reopened.
//  (4) A block that holds acknowledged bytes is never written again.
//  (5) A successor segment is durable before its predecessor is sealed.
class Writer {
 public:
  // Starts a new segment at `position`. All pointers outlive the writer.
  static absl::StatusOr<std::unique_ptr<Writer>> Open(
      const WriterOptions& options, const LogPosition& position,
      Segments* segments, GroupSink* sink);

  // Stops without a clean-close marker if Close() was not called.
  ~Writer();

  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Appends the records to one group, in order, and waits until it is durable.
  // Returns the LSN of the last one.
  //   RESOURCE_EXHAUSTED   no room in the log within `room_timeout_micros`;
  //                        nothing was logged
  //   INVALID_ARGUMENT     more than fits in a segment
  //   any other            the log has failed (invariant 3)
  absl::StatusOr<Lsn> Append(absl::Span<const schema::RecordDraft> drafts,
                             int64_t room_timeout_micros);

  // The largest LSN that has been handed out; larger ones are still free.
  Lsn last_lsn() const;
  Lsn durable_lsn() const;

  // Waits until durable_lsn() >= lsn. Fails if the log does, or is closed
  // before it gets there.
  absl::Status WaitDurable(Lsn lsn) const;

  // Writes what is left and a clean-close marker. Appends then fail.
  absl::Status Close();

  WriterStats GetStats() const;

  // Gives back every complete segment whose records all have LSNs <=
  // `low_water_lsn`. The caller has made sure that they are saved elsewhere,
  // and that recovery will know.
  absl::Status Recycle(Lsn low_water_lsn);

  // Bytes of records that fit in one group.
  size_t record_bytes_max() const;

 private:
  // A group that appends are still joining, and those who wait for it.
  struct Pending {
    explicit Pending(size_t record_bytes)
        : group(std::make_shared<Group>(record_bytes)) {}

    std::shared_ptr<Group> group;
    bool done = false;
    absl::Status status;
    CondVar finished;
  };

  Writer(const WriterOptions& options, const LogPosition& position,
         Segments* segments, GroupSink* sink);

  absl::StatusOr<std::unique_ptr<io::IoQueue>> CreateQueue() const;

  // --- The log's thread ---
  void Run();
  absl::Status Start();
  void CommitPending() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteRecords(Group* group);
  absl::Status WriteMarker(schema::RecordType type);
  absl::Status WriteGroup(Group* group);
  absl::Status Roll();
  absl::Status StartSegment();
  absl::Status SealPredecessor(io::File* file, uint64_t groups);
  bool Fits(size_t group_bytes, size_t reserved_bytes) const;
  void WriteIdleMarker() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // --- Appenders ---
  absl::Status WaitForRoom(size_t bytes, int64_t deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Constant after construction.
  const WriterOptions options_;
  Segments* const segments_;
  GroupSink* const sink_;

  // Of the log's thread alone.
  std::unique_ptr<io::IoQueue> queue_;
  std::unique_ptr<io::File> file_;
  schema::SegmentHeader header_ = {};
  schema::Predecessor predecessor_;
  uint64_t predecessor_groups_;
  uint64_t next_segment_;
  uint64_t offset_ = 0;
  uint64_t sequence_ = 0;
  uint32_t chain_crc_ = 0;
  Lsn written_lsn_;  // of the last record that was written

  // Lock order: recycle_mutex_ before mutex_.
  Mutex recycle_mutex_;
  mutable Mutex mutex_;
  mutable CondVar work_;     // for the log's thread
  mutable CondVar changed_;  // everyone else: a group was taken or finished
  std::shared_ptr<Pending> pending_ ABSL_GUARDED_BY(mutex_);
  size_t last_group_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Where the next group goes if it fits, once those under way are written.
  uint64_t planned_offset_ ABSL_GUARDED_BY(mutex_) = 0;
  int spares_claimed_ ABSL_GUARDED_BY(mutex_) = 0;
  Lsn next_lsn_ ABSL_GUARDED_BY(mutex_);
  Lsn durable_lsn_ ABSL_GUARDED_BY(mutex_);
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // the log's thread is done
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool clean_close_ ABSL_GUARDED_BY(mutex_) = false;
  bool idle_marked_ ABSL_GUARDED_BY(mutex_) = true;
  std::map<uint64_t, Lsn> complete_ ABSL_GUARDED_BY(mutex_);
  WriterStats stats_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_WRITER_H_
