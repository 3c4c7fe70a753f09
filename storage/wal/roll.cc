// Going on in the next segment before this one is full.

#include <algorithm>
#include <utility>

#include "storage/base/clock.h"
#include "storage/base/status_macros.h"
#include "storage/wal/writer.h"

namespace engram::wal {
namespace {

// How often Roll() looks whether the log has become idle: the last group of a
// burst tells nobody that none follows.
constexpr int64_t kLookMicros = 1'000;

}  // namespace

absl::StatusOr<uint64_t> Writer::Roll(int64_t room_timeout_micros) {
  const int64_t deadline = DeadlineAfter(room_timeout_micros);
  MutexLock one_at_a_time(roll_mutex_);
  while (!segments_->Reserve()) {
    ENGRAM_RETURN_IF_ERROR(
        segments_->WaitReady(1, deadline - Clock::System().MonotonicMicros()));
  }
  MutexLock lock(mutex_);
  roll_requested_ = true;
  const absl::Status status = AwaitRoll();
  // The log has ended, and with it what was reserved.
  roll_requested_ = false;
  if (!status.ok()) return status;
  return rolled_to_;
}

absl::Status Writer::AwaitRoll() {
  while (roll_requested_ || rolls_ < roll_awaited_) {
    ENGRAM_RETURN_IF_ERROR(stats_.status);
    if (stopping_) return absl::FailedPreconditionError("the log is closed");
    if (roll_requested_ && owner_ == Owner::kNobody && waiting_.empty()) {
      RollIdle();
    } else {
      progress_.WaitFor(mutex_, kLookMicros);
    }
  }
  return stats_.status;
}

// Nobody writes, and nothing waits to be written.
void Writer::RollIdle() {
  roll_requested_ = false;
  roll_awaited_ = ++rolls_planned_;
  owner_ = Owner::kAppender;
  planned_offset_ = schema::kGroupsOffset;
  mutex_.Unlock();
  const absl::Status status = end_.Roll();
  mutex_.Lock();
  if (status.ok()) {
    MarkRolled();
  } else {
    Fail(status);
  }
  Notices notices;
  Release(&notices);
  mutex_.Unlock();
  Deliver(std::move(notices));
  mutex_.Lock();
}

void Writer::MarkRolled() {
  complete_[end_.previous_number()] = end_.previous_last_lsn();
  rolled_to_ = end_.header().number;
  ++rolls_;
  progress_.NotifyAll();
}

}  // namespace engram::wal
