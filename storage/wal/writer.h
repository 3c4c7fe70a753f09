// The write-ahead ingest queue: many appenders, one sync stream.

#ifndef ENGRAM_STORAGE_WAL_WRITER_H_
#define ENGRAM_STORAGE_WAL_WRITER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "schema/wal_codec.h"
#include "schema/wal_layout.h"
#include "storage/base/mutex.h"
#include "storage/io/io_queue.h"
#include "storage/wal/group.h"
#include "storage/wal/hand_over_policy.h"
#include "storage/wal/log_end.h"
#include "storage/wal/pending_group.h"
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
  // While the sink is busy, groups that no thread waits for begin so far apart.
  // At 16,000 asynchronous appends a second beside two workers on two
  // processors, the log and what it wakes took 30 % of a processor with 5,000
  // groups a second: see decision 023.
  int64_t gather_micros = 500;
  int lock_fd = -1;           // see io::DirectoryLock
  QueueFactory create_queue;  // in place of `queue`, for a simulated disk
};

// What the log tells the rest of the engine. No call may append.
class GroupSink {
 public:
  virtual ~GroupSink() = default;

  // Makes a group's records visible. Called in LSN order, one call at a time
  // but by any thread, before any append of the group is acknowledged. The
  // group is durable, or at least written where it, or one behind it, holds an
  // append that does not ask for more.
  virtual void Publish(const std::shared_ptr<const Group>& group) = 0;

  // Writer::durable_lsn() has reached `lsn`, or more. Called by any thread.
  virtual void OnDurable(Lsn lsn) = 0;

  // Callbacks have been called, as many as were due at once; on the log's
  // thread.
  virtual void OnCalledBack() {}

  // Whether what is published now would have to wait anyway, because all who
  // work on it are busy; see WriterOptions::gather_micros. Called under the
  // writer's lock by any thread, often.
  virtual bool IsBusy() const { return false; }

  // The log has failed, see invariant (3) below: once at most. Called under the
  // writer's lock by any thread, so it takes but a moment, and calls nothing of
  // the writer.
  virtual void OnFailed(const absl::Status& /*status*/) {}
};

// Decides, where LSNs are given, whether a write is still to be logged. Called
// with the writer's lock held: must be quick, and must not call the writer.
class AppendCondition {
 public:
  virtual ~AppendCondition() = default;

  // An error refuses the append: nothing is logged. May be called again, until
  // there is room.
  virtual absl::Status Check() = 0;

  // The append got its LSNs, right after Check() returned OK; this is the last
  // one.
  virtual void OnLogged(Lsn lsn) = 0;
};

struct WriterStats {
  std::string queue_name;
  bool direct_io = false;
  uint64_t groups = 0;
  uint64_t groups_led = 0;  // of these, written by a thread that appended
  uint64_t current_segment = 0;
  uint64_t bytes_written = 0;
  Lsn last_lsn = 0;
  Lsn durable_lsn = 0;
  absl::Status status;
};

// Appends records to the current segment and makes them durable in groups.
//
// A group is written by whoever holds the end of the log: the thread that
// appended its first record, with one blocking call, if nothing is under way
// (twice the acknowledgements a second of a ring with one appender: no other
// thread has to wake up); else the log's own thread, through its IoQueue, with
// several groups under way. What is appended meanwhile is the next group; while
// the sink is busy, one that nobody waits for is left open a little longer.
//
// Thread safety: all methods may be called concurrently.
//
// Invariants:
//  (1) LSNs rise by one from record to record, across segments too.
//  (2) A kSync append is acknowledged only after the syncs of its group and of
//      all before it returned 0, a kProcess append after all their writes did;
//      the sink has seen its group before. Acknowledgements of one kind, and
//      all callbacks, come in the order of LSNs.
//  (3) A failed write or sync is final: the kernel may have dropped the dirty
//      pages, so a retry could succeed without the data. Nothing is
//      acknowledged after it: every append that has not been, and every later
//      one, fails with the same status until the log is reopened.
//  (4) A block that holds acknowledged bytes is never written again.
//  (5) A successor segment is durable before its predecessor is sealed, and all
//      of the predecessor's groups are before any of the successor's is begun.
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

  // Appends the records to one group, in order, and waits until they are as
  // durable as asked. Returns the LSN of the last one; `logged_lsn`, if given,
  // has it also if the log fails after it was handed out.
  //   RESOURCE_EXHAUSTED   no room in the log within `room_timeout_micros`;
  //                        nothing was logged
  //   INVALID_ARGUMENT     more than fits in a segment
  //   as `condition` says  if there is one, and it refuses; nothing was logged
  //   any other            the log has failed (invariant 3)
  absl::StatusOr<Lsn> Append(absl::Span<const schema::RecordDraft> drafts,
                             int64_t room_timeout_micros,
                             Durability durability = Durability::kSync,
                             Lsn* logged_lsn = nullptr,
                             AppendCondition* condition = nullptr);

  // The same without waiting, unless for room: returns the LSN, and calls
  // `callback` when Append() would have returned, on the log's thread, which
  // must not be held up. An error returned here is not reported again.
  absl::StatusOr<Lsn> AppendAsync(absl::Span<const schema::RecordDraft> drafts,
                                  int64_t room_timeout_micros,
                                  Durability durability,
                                  AppendCallback callback,
                                  AppendCondition* condition = nullptr);

  // The largest LSN that has been handed out; larger ones are still free.
  Lsn last_lsn() const;
  Lsn durable_lsn() const;

  // Waits until durable_lsn() >= lsn. Fails if the log does, or is closed
  // before it gets there.
  absl::Status WaitDurable(Lsn lsn) const;

  // Writes what is left and a clean-close marker. Appends then fail.
  absl::Status Close();

  WriterStats GetStats() const;

  // Goes on in a segment that nothing was written to yet; returns its number.
  // All that has been appended before the call, and is as durable as asked for,
  // is in segments with lower ones. RESOURCE_EXHAUSTED if there is no room for
  // another segment within the time.
  absl::StatusOr<uint64_t> Roll(int64_t room_timeout_micros);

  // Gives back every complete segment whose records all have LSNs <=
  // `low_water_lsn`. The caller has made sure that they are saved elsewhere,
  // and that recovery will know.
  absl::Status Recycle(Lsn low_water_lsn);

  // Keeps every segment that is there: until as many Unpin(), Recycle() gives
  // nothing back and returns OK. The last Unpin() makes up for it; should that
  // fail, the next Recycle() tries again.
  void Pin();
  void Unpin();
  bool pinned();

  // Bytes of records that fit in one group.
  size_t record_bytes_max() const;

 private:
  using PendingPtr = std::shared_ptr<PendingGroup>;

  // Who may use end_: whoever has set owner_ to itself.
  enum class Owner { kNobody, kAppender, kLogThread };

  // A group that the log's thread has submitted.
  struct InFlight {
    PendingPtr pending;
    bool written = false;
    bool durable = false;
    bool ended = false;  // the queue is done with its bytes
  };

  // What is told to others once mutex_ is free.
  struct Notices {
    PendingPtr lead;  // its leader is to write it
    bool wake_log_thread = false;
    Lsn durable_lsn = 0;  // reached, if not 0
    std::vector<PendingPtr> finished;

    bool empty() const {
      return lead == nullptr && !wake_log_thread && durable_lsn == 0 &&
             finished.empty();
    }
  };

  Writer(const WriterOptions& options, const LogPosition& position,
         Segments* segments, GroupSink* sink);

  // --- writer.cc: appenders, and whoever commits
  struct Joined {
    PendingPtr pending;
    Lsn lsn = 0;         // of the last record
    bool leads = false;  // is asked first to write the group
    bool owns = false;   // and is so right now
  };
  absl::StatusOr<Joined> Join(absl::Span<const schema::RecordDraft> drafts,
                              int64_t room_timeout_micros,
                              Durability durability, AppendCallback callback,
                              AppendCondition* condition);
  absl::StatusOr<PendingPtr> WaitForRoom(size_t bytes, bool drops,
                                         int64_t deadline,
                                         AppendCondition* condition)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool FitsNext(size_t record_bytes, bool drops) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  PendingPtr OpenGroup(size_t bytes, bool drops)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool ReserveRoll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CloseGroup(PendingGroup* pending) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  PendingPtr TakeFront() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool CanLead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void LeadAsked(const PendingPtr& pending) ABSL_LOCKS_EXCLUDED(mutex_);
  void Lead(const PendingPtr& pending) ABSL_LOCKS_EXCLUDED(mutex_);
  void MarkDurable(const Group& group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Fail(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Finish(PendingPtr pending, Notices* notices)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(Notices* notices) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool TakeWake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Deliver(Notices notices) ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop(bool clean_close) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Status RecycleNow(Lsn low_water_lsn)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(recycle_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);

  // --- roll.cc
  absl::Status AwaitRoll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RollIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MarkRolled() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // --- log_thread.cc
  absl::StatusOr<std::unique_ptr<io::IoQueue>> CreateQueue() const;
  absl::Status Start();
  void Run();
  void CommitLoop() ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsReady() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsGathering() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t MicrosToGather(const PendingGroup& front) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SubmitReady() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Write(const PendingPtr& pending, Lsn durable_lsn)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status RollOver() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCompletion(const io::Completion& completion, Notices* notices)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Advance(Notices* notices) ABSL_LOCKS_EXCLUDED(mutex_);
  size_t PublishReady() ABSL_LOCKS_EXCLUDED(mutex_);
  void GiveUp(Notices* notices) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t MicrosToWait() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteIdleMarker(Notices* notices) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Constant after construction.
  const WriterOptions options_;
  Segments* const segments_;
  GroupSink* const sink_;
  std::unique_ptr<io::IoQueue> queue_;         // after Open()
  const std::shared_ptr<BufferPool> buffers_;  // of the largest groups

  // Of the owner; see Owner.
  LogEnd end_;

  // Of the log's thread alone.
  std::deque<InFlight> in_flight_;
  uint64_t first_tag_ = 0;  // of the first of them
  size_t published_ = 0;    // how many of them the sink has seen

  // One Roll() at a time; before all others.
  Mutex roll_mutex_;

  // Lock order: recycle_mutex_ before mutex_ before that of the segments.
  Mutex recycle_mutex_;
  int pins_ ABSL_GUARDED_BY(recycle_mutex_) = 0;
  // What Recycle() was asked for last while there were pins.
  Lsn pinned_low_water_lsn_ ABSL_GUARDED_BY(recycle_mutex_) = 0;
  mutable Mutex mutex_;
  CondVar room_;              // for appenders: a group left the queue
  mutable CondVar progress_;  // durable_lsn_ rose, or the log failed or ended
  Owner owner_ ABSL_GUARDED_BY(mutex_) = Owner::kNobody;
  // The last one may take more appends. While owner_ is kNobody and there is
  // one, the log's thread is awake, or sleeps until it has gathered enough.
  std::deque<PendingPtr> waiting_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of its closed groups
  size_t last_group_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Behind the last group that is closed, once all are written.
  uint64_t planned_offset_ ABSL_GUARDED_BY(mutex_) = 0;
  Lsn next_lsn_ ABSL_GUARDED_BY(mutex_);
  Lsn durable_lsn_ ABSL_GUARDED_BY(mutex_);
  // Roll() has reserved a spare, for the next group that is opened.
  bool roll_requested_ ABSL_GUARDED_BY(mutex_) = false;
  // How often groups were to go into a next segment, how often the log did, and
  // which of them the last Roll() waits for.
  uint64_t rolls_planned_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t rolls_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t roll_awaited_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t rolled_to_ ABSL_GUARDED_BY(mutex_) = 0;  // the segment
  size_t under_way_ ABSL_GUARDED_BY(mutex_) = 0;    // in_flight_.size()
  bool unwritten_ ABSL_GUARDED_BY(mutex_) = false;  // one of them is
  bool asleep_ ABSL_GUARDED_BY(mutex_) = false;  // the log's thread, in Wait()
  bool timer_set_ ABSL_GUARDED_BY(mutex_) = false;  // and with a deadline
  // It went to sleep with a group that gathers, so with the deadline of that.
  bool gathering_ ABSL_GUARDED_BY(mutex_) = false;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // the log's thread is done
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool clean_close_ ABSL_GUARDED_BY(mutex_) = false;
  bool idle_marked_ ABSL_GUARDED_BY(mutex_) = true;
  int64_t last_group_micros_ ABSL_GUARDED_BY(mutex_) = 0;  // was durable
  // When the log's thread last began one.
  int64_t last_begun_micros_ ABSL_GUARDED_BY(mutex_) = 0;
  HandOverPolicy hand_over_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, Lsn> complete_ ABSL_GUARDED_BY(mutex_);
  WriterStats stats_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_WRITER_H_
