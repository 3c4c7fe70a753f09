#include "engine/db/load_queue.h"

#include <utility>

#include "storage/base/thread_priority.h"

namespace engram::internal {
namespace {

// How long a load waits for others to leave memory, a second in all: records
// wait for it, and what holds the memory may be in use for good.
constexpr int kRoomPausesMax = 100;
constexpr int64_t kRoomPauseMicros = 10'000;

}  // namespace

void LoadQueue::Request(space::SpaceEntry entry) {
  {
    MutexLock lock(mutex_);
    // Writes to a space that is being loaded ask again and again.
    if (stopping_ || !queued_ids_.insert(entry.state->id()).second) return;
    queue_.push_back(std::move(entry));
    AddThreads();
  }
  work_.NotifyOne();
}

void LoadQueue::Start() {
  {
    MutexLock lock(mutex_);
    started_ = true;
    AddThreads();
  }
  work_.NotifyAll();
}

void LoadQueue::AddThreads() {
  while (started_ && threads_.size() < threads_max_ &&
         threads_.size() < queue_.size() + loading_) {
    threads_.emplace_back([this] { Run(); });
  }
}

void LoadQueue::AwaitRoom() {
  for (int i = 0; i < kRoomPausesMax && !stopping_; ++i) {
    mutex_.Unlock();
    const bool room = has_room_();
    mutex_.Lock();
    if (room) return;
    work_.WaitFor(mutex_, kRoomPauseMicros);
  }
}

void LoadQueue::Run() {
  LowerThreadPriority();
  MutexLock lock(mutex_);
  while (true) {
    while (queue_.empty() && !stopping_) work_.Wait(mutex_);
    if (stopping_) return;
    space::SpaceEntry entry = std::move(queue_.front());
    queue_.pop_front();
    queued_ids_.erase(entry.state->id());
    ++loading_;
    AwaitRoom();
    lock.Unlock();
    // The status is kept by the space. One that is dropped meanwhile may have
    // lost its files; it needs none then.
    absl::Status status = entry.state->EnsureResident();
    if (!status.ok() && entry.state->dropped_lsn() != 0) {
      status = entry.state->EnsureResident();
    }
    status.IgnoreError();
    entry = {};  // the last one to know a space that was dropped frees it
    lock.Lock();
    --loading_;
    if (queue_.empty() && loading_ == 0) idle_.NotifyAll();
  }
}

void LoadQueue::Drain() {
  MutexLock lock(mutex_);
  while (started_ && !stopping_ && (!queue_.empty() || loading_ != 0)) {
    idle_.Wait(mutex_);
  }
}

void LoadQueue::Stop() {
  std::vector<std::thread> threads;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    queue_.clear();
    threads = std::move(threads_);
    threads_.clear();
  }
  work_.NotifyAll();
  idle_.NotifyAll();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace engram::internal
