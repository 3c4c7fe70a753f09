// The log's thread: writes what no appending thread writes itself, with several
// groups under way, and says when the log is idle.

#include <algorithm>
#include <optional>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/status_macros.h"
#include "storage/wal/short_slice.h"
#include "storage/wal/writer.h"

namespace engram::wal {
namespace {

// How long the log is idle before a marker says so. The marker carries the
// durable_lsn of the last group, which nothing else on disk would vouch for.
constexpr int64_t kIdleMicros = 2000;

// While groups are under way, one that still takes appends is written beside
// them from this size on. A smaller one gains more by waiting: it could not be
// synced before the sync under way has ended.
constexpr size_t kPipelinedBytesMin = size_t{256} << 10;

// The turns that the log's thread asks for. See decision 009 for what that is
// worth.
constexpr int64_t kSliceMicros = 100;

constexpr int64_t kNoLimit = -1;

}  // namespace

absl::StatusOr<std::unique_ptr<io::IoQueue>> Writer::CreateQueue() const {
  if (options_.create_queue) return options_.create_queue();
  if (options_.queue != QueueChoice::kPwrite) {
    absl::StatusOr<std::unique_ptr<io::IoQueue>> queue =
        io::CreateUringQueue(options_.lock_fd);
    if (queue.ok() || options_.queue == QueueChoice::kUring) return queue;
  }
  return io::CreatePwriteQueue();
}

absl::Status Writer::Start() {
  // Created here: the ring belongs to the thread that submits to it.
  ENGRAM_ASSIGN_OR_RETURN(queue_, CreateQueue());
  ENGRAM_RETURN_IF_ERROR(end_.Start());
  return absl::OkStatus();
}

void Writer::Run() {
  RequestShortSlice(kSliceMicros);  // only a hint
  const absl::Status start = Start();
  {
    MutexLock lock(mutex_);
    stats_.status = start;
    started_ = true;
    if (start.ok()) {
      stats_.queue_name = std::string(queue_->name());
      stats_.direct_io = end_.direct();
      stats_.current_segment = end_.header().number;
      planned_offset_ = end_.offset();
    }
    ended_ = !start.ok();
    progress_.NotifyAll();
  }
  if (!start.ok()) return;
  CommitLoop();
  MutexLock lock(mutex_);
  if (clean_close_ && stats_.status.ok() && end_.FitsMarker()) {
    lock.Unlock();
    const absl::Status status =
        end_.WriteMarker(schema::RecordType::kCleanClose);
    lock.Lock();
    if (!status.ok()) Fail(status);
  }
  ended_ = true;
  progress_.NotifyAll();
}

void Writer::CommitLoop() {
  Notices notices;
  MutexLock lock(mutex_);
  while (true) {
    // First: a leader is the faster one to write what waits, if it may.
    if (owner_ == Owner::kLogThread && in_flight_.empty()) Release(&notices);
    SubmitReady();
    if (!stats_.status.ok()) GiveUp(&notices);
    if (!notices.empty()) {
      lock.Unlock();
      Deliver(std::exchange(notices, {}));
      lock.Lock();
      continue;  // something may have come meanwhile
    }
    if (owner_ == Owner::kNobody && waiting_.empty()) {
      if (stopping_) return;
      if (MicrosToWait() == 0) {
        WriteIdleMarker(&notices);
        continue;
      }
    }
    const int64_t micros = MicrosToWait();
    gathering_ = IsGathering();
    asleep_ = true;
    timer_set_ = micros != kNoLimit;
    lock.Unlock();
    const std::optional<io::Completion> completion = queue_->Wait(micros);
    lock.Lock();
    asleep_ = false;
    if (!completion.has_value()) continue;
    lock.Unlock();
    OnCompletion(*completion, &notices);
    lock.Lock();
  }
}

// Whether the log's thread should write the first group that waits.
bool Writer::IsReady() const {
  if (waiting_.empty() || owner_ == Owner::kAppender || !stats_.status.ok()) {
    return false;
  }
  const PendingGroup& front = *waiting_.front();
  if (under_way_ == 0) return MicrosToGather(front) == 0;
  if (front.rolls || under_way_ == queue_->depth()) return false;
  return front.closed || front.group->record_bytes() >= kPipelinedBytesMin ||
         (front.has_process && !unwritten_);
}

// Whether there is a first group, which the log's thread will write, and which
// nothing but MicrosToGather() holds up.
bool Writer::IsGathering() const {
  return !waiting_.empty() && under_way_ == 0 && owner_ == Owner::kNobody &&
         stats_.status.ok();
}

// How long the first group that waits takes more appends before it is written,
// although nothing is under way. A group costs the same whatever it holds, in
// processor time that those who index need; while they are all busy, its
// records would only wait for them. Threads in Append() get theirs at once.
int64_t Writer::MicrosToGather(const PendingGroup& front) const {
  const bool hurry = front.closed || front.has_leader || front.has_process ||
                     front.group->record_bytes() >= kPipelinedBytesMin ||
                     stopping_;
  if (hurry || !sink_->IsBusy()) return 0;
  return std::max<int64_t>(0, last_begun_micros_ + options_.gather_micros -
                                  Clock::System().MonotonicMicros());
}

void Writer::SubmitReady() {
  while (IsReady()) {
    owner_ = Owner::kLogThread;
    last_begun_micros_ = Clock::System().MonotonicMicros();
    const PendingPtr pending = TakeFront();
    ++under_way_;
    unwritten_ = true;
    const Lsn durable_lsn = durable_lsn_;
    mutex_.Unlock();
    in_flight_.push_back({pending});
    const absl::Status status = Write(pending, durable_lsn);
    if (!status.ok()) in_flight_.back().ended = true;
    mutex_.Lock();
    if (!status.ok()) Fail(status);
  }
}

absl::Status Writer::Write(const PendingPtr& pending, Lsn durable_lsn) {
  const size_t bytes = schema::GroupBytes(pending->group->record_bytes());
  ENGRAM_CHECK(pending->rolls || end_.Fits(bytes));
  if (pending->rolls) ENGRAM_RETURN_IF_ERROR(RollOver());
  io::WriteRequest request = end_.Place(pending->group.get(), durable_lsn);
  request.tag = first_tag_ + in_flight_.size() - 1;
  return queue_->Submit(request);
}

absl::Status Writer::RollOver() {
  ENGRAM_CHECK(in_flight_.size() == 1);  // the group that needs the room
  ENGRAM_RETURN_IF_ERROR(end_.Roll());
  MutexLock lock(mutex_);
  MarkRolled();
  return absl::OkStatus();
}

void Writer::OnCompletion(const io::Completion& completion, Notices* notices) {
  ENGRAM_CHECK(completion.tag - first_tag_ < in_flight_.size());
  InFlight& entry = in_flight_[completion.tag - first_tag_];
  entry.ended = completion.last();
  if (!completion.status.ok()) {
    MutexLock lock(mutex_);
    Fail(completion.status);
    return;
  }
  entry.written = true;
  entry.durable = completion.stage == io::Completion::Stage::kDurable;
  {
    MutexLock lock(mutex_);
    if (!stats_.status.ok()) return;
    unwritten_ = std::any_of(in_flight_.begin(), in_flight_.end(),
                             [](const InFlight& i) { return !i.written; });
  }
  Advance(notices);
}

// Shows the sink what may be acknowledged now; returns how many groups at the
// front are durable.
size_t Writer::PublishReady() {
  const auto prefix = [this](bool InFlight::*reached) {
    return static_cast<size_t>(
        std::find_if(in_flight_.begin(), in_flight_.end(),
                     [reached](const InFlight& i) { return !(i.*reached); }) -
        in_flight_.begin());
  };
  const size_t durable = prefix(&InFlight::durable);
  const size_t written = prefix(&InFlight::written);
  size_t due = std::max(published_, durable);
  for (size_t i = due; i < written; ++i) {
    if (in_flight_[i].pending->has_process) due = i + 1;
  }
  for (; published_ < due; ++published_) {
    PendingGroup& pending = *in_flight_[published_].pending;
    sink_->Publish(pending.group);
    if (pending.has_process && published_ >= durable) {
      pending.progress.Raise(PendingGroup::kWritten);
    }
  }
  return durable;
}

void Writer::Advance(Notices* notices) {
  const size_t durable = PublishReady();
  std::vector<PendingPtr> done;
  for (size_t i = 0; i < durable; ++i) {
    done.push_back(std::move(in_flight_.front().pending));
    in_flight_.pop_front();
    ++first_tag_;
    --published_;
  }
  if (durable > 0) {
    MutexLock lock(mutex_);
    for (const PendingPtr& pending : done) {
      MarkDurable(*pending->group);
      Finish(pending, notices);
    }
    notices->durable_lsn = durable_lsn_;
    under_way_ -= durable;
  }
  // In the order of LSNs, whatever each of them waits for.
  for (const PendingPtr& pending : done) pending->CallBack(true, {});
  for (size_t i = 0; i < published_; ++i) {
    if (!in_flight_[i].pending->CallBack(false, {})) break;
  }
  sink_->OnCalledBack();
}

// The log has failed. Tells everyone, once nothing is under way any more.
void Writer::GiveUp(Notices* notices) {
  for (const InFlight& entry : in_flight_) {
    if (!entry.ended) return;
  }
  if (owner_ == Owner::kAppender) return;
  std::vector<PendingPtr> lost;
  for (InFlight& entry : in_flight_) lost.push_back(std::move(entry.pending));
  first_tag_ += in_flight_.size();
  in_flight_.clear();
  published_ = 0;
  under_way_ = 0;
  while (!waiting_.empty()) lost.push_back(TakeFront());
  for (const PendingPtr& pending : lost) Finish(pending, notices);
  const absl::Status status = stats_.status;
  mutex_.Unlock();
  for (const PendingPtr& pending : lost) pending->CallBack(true, status);
  sink_->OnCalledBack();
  mutex_.Lock();
}

int64_t Writer::MicrosToWait() const {
  if (IsGathering()) return MicrosToGather(*waiting_.front());
  if (idle_marked_ || under_way_ > 0 || !stats_.status.ok()) return kNoLimit;
  // Whoever writes a group now postpones it.
  if (owner_ != Owner::kNobody) return kIdleMicros;
  return std::max<int64_t>(
      0, last_group_micros_ + kIdleMicros - Clock::System().MonotonicMicros());
}

void Writer::WriteIdleMarker(Notices* notices) {
  idle_marked_ = true;
  owner_ = Owner::kLogThread;
  absl::Status status;
  // Not after another marker that took the room: that one says the same.
  if (end_.FitsMarker()) {
    planned_offset_ += schema::kWalBlockBytes;
    mutex_.Unlock();
    status = end_.WriteMarker(schema::RecordType::kIdleMarker);
    mutex_.Lock();
  }
  if (!status.ok()) Fail(status);
  Release(notices);
}

}  // namespace engram::wal
