#include "engine/db/load_queue.h"

#include <algorithm>
#include <utility>

#include "storage/base/thread_priority.h"

namespace engram::internal {

void LoadQueue::Request(std::shared_ptr<space::SpaceState> space) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    // Writes to a space that is being loaded ask again and again.
    if (std::find(queue_.begin(), queue_.end(), space) != queue_.end()) return;
    queue_.push_back(std::move(space));
    if (queue_.size() + loading_ > threads_.size() &&
        threads_.size() < threads_max_) {
      threads_.emplace_back([this] { Run(); });
    }
  }
  work_.NotifyOne();
}

void LoadQueue::Run() {
  LowerThreadPriority();
  MutexLock lock(mutex_);
  while (true) {
    while (queue_.empty() && !stopping_) work_.Wait(mutex_);
    if (stopping_) return;
    const std::shared_ptr<space::SpaceState> space = std::move(queue_.front());
    queue_.pop_front();
    ++loading_;
    lock.Unlock();
    // The status is kept by the space. One that is dropped meanwhile may have
    // lost its files; it needs none then.
    absl::Status status = space->EnsureResident();
    if (!status.ok() && space->dropped_lsn() != 0) {
      status = space->EnsureResident();
    }
    status.IgnoreError();
    lock.Lock();
    --loading_;
    if (queue_.empty() && loading_ == 0) idle_.NotifyAll();
  }
}

void LoadQueue::Drain() {
  MutexLock lock(mutex_);
  while (!stopping_ && (!queue_.empty() || loading_ != 0)) idle_.Wait(mutex_);
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
