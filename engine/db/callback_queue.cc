#include "engine/db/callback_queue.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"

namespace engram::internal {

CallbackQueue::~CallbackQueue() {
  std::thread thread;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    thread = std::move(thread_);
  }
  work_.NotifyAll();
  if (thread.joinable()) thread.join();
}

absl::Status CallbackQueue::Reserve(int64_t timeout_micros) {
  const int64_t deadline = Clock::System().MonotonicMicros() + timeout_micros;
  MutexLock lock(mutex_);
  while (reserved_ >= places_) {
    const int64_t left = deadline - Clock::System().MonotonicMicros();
    if (left <= 0 || std::this_thread::get_id() == thread_.get_id()) {
      return absl::ResourceExhaustedError(
          absl::StrCat(reserved_,
                       " asynchronous writes wait for their "
                       "callbacks, allowed are ",
                       places_));
    }
    freed_.WaitFor(mutex_, left);
  }
  ++reserved_;
  if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void CallbackQueue::Cancel() {
  {
    MutexLock lock(mutex_);
    ENGRAM_CHECK(reserved_ > 0);
    --reserved_;
  }
  freed_.NotifyOne();
}

void CallbackQueue::Push(std::function<void()> callback) {
  MutexLock lock(mutex_);
  ENGRAM_CHECK(callbacks_.size() < reserved_);
  callbacks_.push_back(std::move(callback));
}

void CallbackQueue::Wake() {
  {
    MutexLock lock(mutex_);
    if (callbacks_.empty() || !asleep_) return;
    asleep_ = false;
  }
  work_.NotifyOne();
}

bool CallbackQueue::IsCallback() const {
  MutexLock lock(mutex_);
  return std::this_thread::get_id() == thread_.get_id();
}

void CallbackQueue::Run() {
  MutexLock lock(mutex_);
  while (true) {
    while (callbacks_.empty() && !stopping_) {
      asleep_ = true;
      work_.Wait(mutex_);
    }
    asleep_ = false;
    if (callbacks_.empty()) return;
    std::function<void()> callback = std::move(callbacks_.front());
    callbacks_.pop_front();
    lock.Unlock();
    callback();
    callback = nullptr;  // what it holds may be waited for
    lock.Lock();
    --reserved_;
    freed_.NotifyOne();
  }
}

}  // namespace engram::internal
