// The appenders' side of the writer, and what whoever commits a group does.
// See log_thread.cc for the other side.

#include "storage/wal/writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/status_macros.h"

namespace engram::wal {
namespace {

using schema::GroupBytes;
using schema::kGroupsOffset;

// A group is closed to further appends when it takes this much of the segment:
// beyond it, one write is as fast as the device, and those who wait for it wait
// longer.
constexpr size_t kGroupBytesTarget = size_t{1} << 20;
constexpr size_t kGroupRecordBytesTarget =
    kGroupBytesTarget - sizeof(schema::GroupHeader);

// Buffers of that size that are kept: as many as may wait and be under way.
constexpr size_t kBuffersMax = 16;

// A group that is expected to hold this much gets one of them.
constexpr size_t kPooledBytesMin = kGroupBytesTarget / 2;

// Closed groups that wait for the log's thread; appends wait beyond. Keeps it
// busy while the appenders are not running.
constexpr size_t kWaitingBytesMax = size_t{8} << 20;

// A group whose buffer is too small is copied to a larger one while it holds
// less than this. Beyond, the next append starts another group.
constexpr size_t kCopiedBytesMax = size_t{64} << 10;

// A larger group is left to the log's thread, which has several under way.
constexpr size_t kLedBytesMax = size_t{256} << 10;

// What only drops of spaces may use of a segment: they are how a user makes
// room on a full disk. 16 blocks; fewer in the small segments of tests.
constexpr uint64_t kDropReserveBytesMax = uint64_t{64} << 10;
uint64_t DropReserveBytes(uint64_t segment_bytes) {
  return std::min(
      kDropReserveBytesMax,
      segment_bytes / 8 / schema::kWalBlockBytes * schema::kWalBlockBytes);
}

// A failed log has one code whatever made it fail: RESOURCE_EXHAUSTED, say,
// promises that nothing was written and that it may be tried again.
absl::Status LogFailure(const absl::Status& status) {
  if (absl::IsInternal(status)) return status;
  return absl::InternalError(absl::StrCat(
      "the log has failed, reopen the database: ", status.message()));
}

}  // namespace

Writer::Writer(const WriterOptions& options, const LogPosition& position,
               Segments* segments, GroupSink* sink)
    : options_(options),
      segments_(segments),
      sink_(sink),
      buffers_(std::make_shared<BufferPool>(kGroupBytesTarget, kBuffersMax)),
      end_(options.database_id, position, segments),
      next_lsn_(position.next_lsn),
      durable_lsn_(position.next_lsn - 1),
      complete_(position.complete) {}

absl::StatusOr<std::unique_ptr<Writer>> Writer::Open(
    const WriterOptions& options, const LogPosition& position,
    Segments* segments, GroupSink* sink) {
  ENGRAM_CHECK(options.segment_bytes == segments->segment_bytes());
  std::unique_ptr<Writer> writer(new Writer(options, position, segments, sink));
  writer->thread_ = std::thread([w = writer.get()] { w->Run(); });
  absl::Status status;
  {
    MutexLock lock(writer->mutex_);
    while (!writer->started_) writer->progress_.Wait(writer->mutex_);
    status = writer->stats_.status;
  }
  if (!status.ok()) return status;
  return writer;
}

Writer::~Writer() { Stop(/*clean_close=*/false); }

absl::Status Writer::Close() {
  Stop(/*clean_close=*/true);
  MutexLock lock(mutex_);
  return stats_.status;
}

void Writer::Stop(bool clean_close) {
  if (!thread_.joinable()) return;
  bool running = false;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    clean_close_ = clean_close;
    running = started_ && !ended_;
  }
  room_.NotifyAll();
  if (running) queue_->Wake();
  thread_.join();
}

size_t Writer::record_bytes_max() const {
  return options_.segment_bytes - kGroupsOffset - LogEnd::kReservedBytes -
         DropReserveBytes(options_.segment_bytes) - sizeof(schema::GroupHeader);
}

// --- Appending ---------------------------------------------------------------

absl::StatusOr<Lsn> Writer::Append(absl::Span<const schema::RecordDraft> drafts,
                                   int64_t room_timeout_micros,
                                   Durability durability, Lsn* logged_lsn,
                                   AppendCondition* condition) {
  ENGRAM_ASSIGN_OR_RETURN(
      const Joined joined,
      Join(drafts, room_timeout_micros, durability, nullptr, condition));
  if (logged_lsn != nullptr) *logged_lsn = joined.lsn;
  PendingGroup& pending = *joined.pending;
  if (joined.leads) {
    if (joined.owns) {
      Lead(joined.pending);
    } else {
      pending.lead.WaitFor(PendingGroup::kAsked);
      const bool asked = pending.lead.step() == PendingGroup::kAsked;
      if (asked) LeadAsked(joined.pending);
    }
  }
  const bool sync = durability == Durability::kSync;
  pending.progress.WaitFor(sync ? PendingGroup::kFinished
                                : PendingGroup::kWritten);
  if (pending.progress.step() == PendingGroup::kFinished &&
      !pending.status.ok()) {
    return pending.status;
  }
  return joined.lsn;
}

absl::StatusOr<Lsn> Writer::AppendAsync(
    absl::Span<const schema::RecordDraft> drafts, int64_t room_timeout_micros,
    Durability durability, AppendCallback callback,
    AppendCondition* condition) {
  ENGRAM_CHECK(callback != nullptr);
  ENGRAM_ASSIGN_OR_RETURN(const Joined joined,
                          Join(drafts, room_timeout_micros, durability,
                               std::move(callback), condition));
  return joined.lsn;
}

absl::StatusOr<Writer::Joined> Writer::Join(
    absl::Span<const schema::RecordDraft> drafts, int64_t room_timeout_micros,
    Durability durability, AppendCallback callback,
    AppendCondition* condition) {
  ENGRAM_CHECK(!drafts.empty());
  size_t bytes = 0;
  bool drops = true;
  for (const schema::RecordDraft& draft : drafts) {
    bytes += schema::RecordBytes(draft);
    drops = drops && draft.type == schema::RecordType::kDropSpace;
  }
  if (bytes > record_bytes_max()) {
    return absl::InvalidArgumentError(
        absl::StrCat("write of ", bytes, " bytes, a log segment holds ",
                     record_bytes_max()));
  }
  const int64_t deadline = DeadlineAfter(room_timeout_micros);
  Joined joined;
  bool wake = false;
  {
    MutexLock lock(mutex_);
    ENGRAM_ASSIGN_OR_RETURN(joined.pending,
                            WaitForRoom(bytes, drops, deadline, condition));
    PendingGroup& pending = *joined.pending;
    for (const schema::RecordDraft& draft : drafts) {
      pending.group->Add(draft, next_lsn_++);
    }
    joined.lsn = next_lsn_ - 1;
    if (condition != nullptr) condition->OnLogged(joined.lsn);
    if (durability == Durability::kProcess) pending.has_process = true;
    if (callback != nullptr) {
      pending.callbacks.push_back(
          {joined.lsn, durability, std::move(callback)});
    } else if (durability == Durability::kSync && !pending.has_leader) {
      pending.has_leader = true;
      joined.leads = true;
    }
    if (joined.leads && owner_ == Owner::kNobody && CanLead()) {
      owner_ = Owner::kAppender;
      joined.owns = true;
      TakeFront();
    } else if (IsReady() || (IsGathering() && !gathering_)) {
      wake = TakeWake();
    }
  }
  if (wake) queue_->Wake();
  return joined;
}

absl::StatusOr<Writer::PendingPtr> Writer::WaitForRoom(
    size_t bytes, bool drops, int64_t deadline, AppendCondition* condition) {
  while (true) {
    ENGRAM_RETURN_IF_ERROR(stats_.status);
    if (stopping_) return absl::FailedPreconditionError("the log is closed");
    if (waiting_bytes_ >= kWaitingBytesMax) {
      room_.Wait(mutex_);  // the log's thread takes a group any moment
      continue;
    }
    // The lock is held from here until the records have their LSNs.
    if (condition != nullptr) ENGRAM_RETURN_IF_ERROR(condition->Check());
    PendingPtr pending = OpenGroup(bytes, drops);
    if (pending != nullptr) return pending;
    mutex_.Unlock();
    const absl::Status status =
        segments_->WaitReady(1, deadline - Clock::System().MonotonicMicros());
    mutex_.Lock();
    ENGRAM_RETURN_IF_ERROR(stats_.status);
    ENGRAM_RETURN_IF_ERROR(status);
  }
}

// Whether a group goes behind those that are closed, in the same segment.
bool Writer::FitsNext(size_t record_bytes, bool drops) const {
  const size_t reserved =
      LogEnd::kReservedBytes +
      (drops ? 0 : DropReserveBytes(options_.segment_bytes));
  return planned_offset_ + GroupBytes(record_bytes) + reserved <=
         options_.segment_bytes;
}

// The group for records of `bytes`, with its place in a segment; nothing if
// that takes a spare segment, and none is free.
Writer::PendingPtr Writer::OpenGroup(size_t bytes, bool drops) {
  const size_t group_max =
      std::min(kGroupRecordBytesTarget, record_bytes_max());
  // What the last group held is the best guess for this one. A thread that
  // writes its own knows.
  size_t capacity = owner_ == Owner::kNobody ? 0 : last_group_bytes_;
  if (!waiting_.empty() && !waiting_.back()->closed) {
    PendingGroup& open = *waiting_.back();
    const size_t joined = open.group->record_bytes();
    if (joined + bytes <= group_max &&
        (joined + bytes <= open.group->capacity() ||
         joined < kCopiedBytesMax)) {
      if (!open.rolls &&
          (roll_requested_ || !FitsNext(joined + bytes, drops))) {
        if (!ReserveRoll()) return nullptr;
        open.rolls = true;
      }
      return waiting_.back();
    }
    CloseGroup(&open);
    capacity = std::max(capacity, 2 * joined);
  }
  const bool rolls = roll_requested_ || !FitsNext(bytes, drops);
  if (rolls && !ReserveRoll()) return nullptr;
  const bool pooled =
      bytes <= group_max && std::max(bytes, capacity) >= kPooledBytesMin;
  waiting_.push_back(std::make_shared<PendingGroup>(
      pooled ? std::make_shared<Group>(buffers_)
             : std::make_shared<Group>(std::max(bytes, capacity))));
  waiting_.back()->rolls = rolls;
  return waiting_.back();
}

// Whether the group that is opened may go into the next segment.
bool Writer::ReserveRoll() {
  if (!roll_requested_ && !segments_->Reserve()) return false;
  ++rolls_planned_;
  if (std::exchange(roll_requested_, false)) roll_awaited_ = rolls_planned_;
  return true;
}

void Writer::CloseGroup(PendingGroup* pending) {
  pending->closed = true;
  const size_t bytes = GroupBytes(pending->group->record_bytes());
  if (pending->rolls) planned_offset_ = kGroupsOffset;
  planned_offset_ += bytes;
  waiting_bytes_ += bytes;
}

// --- Committing --------------------------------------------------------------

Writer::PendingPtr Writer::TakeFront() {
  PendingPtr pending = std::move(waiting_.front());
  waiting_.pop_front();
  if (!pending->closed) CloseGroup(pending.get());
  waiting_bytes_ -= GroupBytes(pending->group->record_bytes());
  last_group_bytes_ = pending->group->record_bytes();
  room_.NotifyAll();
  return pending;
}

// Whether the one group that waits is for its leader to write. Callbacks and
// acknowledgements of the write alone are the log's thread's business, and so
// is a new segment.
bool Writer::CanLead() const {
  if (waiting_.size() != 1 || !stats_.status.ok()) return false;
  const PendingGroup& front = *waiting_.front();
  return front.has_leader && !front.has_process && !front.rolls &&
         front.callbacks.empty() && front.group->record_bytes() <= kLedBytesMax;
}

void Writer::LeadAsked(const PendingPtr& pending) {
  const int64_t now = Clock::System().MonotonicMicros();
  {
    MutexLock lock(mutex_);
    hand_over_.OnDelay(now - pending->asked_micros);
  }
  Lead(pending);
}

void Writer::Lead(const PendingPtr& pending) {
  const Group& group = *pending->group;
  const io::WriteRequest request =
      end_.Place(pending->group.get(), durable_lsn());
  const absl::Status status =
      request.file->WriteDurable(request.offset, request.data);
  if (status.ok()) sink_->Publish(pending->group);
  Notices notices;
  {
    MutexLock lock(mutex_);
    if (status.ok()) {
      MarkDurable(group);
      ++stats_.groups_led;
      notices.durable_lsn = group.last_lsn();
    } else {
      Fail(status);
    }
    Finish(pending, &notices);
    Release(&notices);
  }
  Deliver(std::move(notices));
}

void Writer::MarkDurable(const Group& group) {
  ENGRAM_CHECK(group.first_lsn() == durable_lsn_ + 1);
  durable_lsn_ = group.last_lsn();
  ++stats_.groups;
  stats_.bytes_written += group.bytes().size();
  stats_.current_segment = end_.header().number;
  idle_marked_ = false;
  last_group_micros_ = Clock::System().MonotonicMicros();
  progress_.NotifyAll();
}

void Writer::Fail(const absl::Status& status) {
  if (stats_.status.ok()) {
    stats_.status = LogFailure(status);
    sink_->OnFailed(stats_.status);
  }
  progress_.NotifyAll();
  room_.NotifyAll();
}

void Writer::Finish(PendingPtr pending, Notices* notices) {
  pending->status = stats_.status;
  notices->finished.push_back(std::move(pending));
}

// Gives up the end of the log: to the leader of the group that waits, or to the
// log's thread.
void Writer::Release(Notices* notices) {
  owner_ = Owner::kNobody;
  if (CanLead() && hand_over_.Ask()) {
    owner_ = Owner::kAppender;
    notices->lead = TakeFront();
    notices->lead->asked_micros = Clock::System().MonotonicMicros();
    return;
  }
  // It sleeps without a deadline if the last group was vouched for.
  const bool needed = !waiting_.empty() || stopping_ || !timer_set_;
  if (needed) notices->wake_log_thread = TakeWake();
}

bool Writer::TakeWake() { return std::exchange(asleep_, false); }

void Writer::Deliver(Notices notices) {
  // First those who go on writing: waking the others takes microseconds each.
  if (notices.lead != nullptr) notices.lead->lead.Raise(PendingGroup::kAsked);
  if (notices.wake_log_thread) queue_->Wake();
  if (notices.durable_lsn != 0) sink_->OnDurable(notices.durable_lsn);
  for (const PendingPtr& pending : notices.finished) {
    pending->progress.Raise(PendingGroup::kFinished);
    pending->lead.Raise(PendingGroup::kNotNeeded);
  }
}

// --- State -------------------------------------------------------------------

Lsn Writer::last_lsn() const {
  MutexLock lock(mutex_);
  return next_lsn_ - 1;
}

Lsn Writer::durable_lsn() const {
  MutexLock lock(mutex_);
  return durable_lsn_;
}

absl::Status Writer::WaitDurable(Lsn lsn) const {
  MutexLock lock(mutex_);
  while (durable_lsn_ < lsn) {
    ENGRAM_RETURN_IF_ERROR(stats_.status);
    if (ended_) return absl::FailedPreconditionError("the log is closed");
    progress_.Wait(mutex_);
  }
  return absl::OkStatus();
}

WriterStats Writer::GetStats() const {
  MutexLock lock(mutex_);
  WriterStats stats = stats_;
  stats.last_lsn = next_lsn_ - 1;
  stats.durable_lsn = durable_lsn_;
  return stats;
}

absl::Status Writer::Recycle(Lsn low_water_lsn) {
  // One at a time: what is left on disk must be a chain without holes, also
  // if one of the steps fails.
  MutexLock recycling(recycle_mutex_);
  if (pins_ > 0) {
    pinned_low_water_lsn_ = low_water_lsn;
    return absl::OkStatus();
  }
  return RecycleNow(low_water_lsn);
}

void Writer::Pin() {
  MutexLock recycling(recycle_mutex_);
  ++pins_;
}

void Writer::Unpin() {
  MutexLock recycling(recycle_mutex_);
  ENGRAM_CHECK(pins_ > 0);
  if (--pins_ > 0) return;
  RecycleNow(std::exchange(pinned_low_water_lsn_, 0)).IgnoreError();
}

bool Writer::pinned() {
  MutexLock recycling(recycle_mutex_);
  return pins_ > 0;
}

absl::Status Writer::RecycleNow(Lsn low_water_lsn) {
  while (true) {
    uint64_t number = 0;
    {
      MutexLock lock(mutex_);
      if (complete_.empty() || complete_.begin()->second > low_water_lsn) {
        return absl::OkStatus();
      }
      number = complete_.begin()->first;
    }
    ENGRAM_RETURN_IF_ERROR(segments_->Recycle(number));
    MutexLock lock(mutex_);
    complete_.erase(number);
  }
}

}  // namespace engram::wal
