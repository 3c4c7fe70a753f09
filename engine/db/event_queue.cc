#include "engine/db/event_queue.h"

#include <utility>

namespace engram::internal {

EventQueue::~EventQueue() {
  {
    MutexLock lock(mutex_);
    items_.clear();
  }
  Stop();
}

void EventQueue::Start() {
  if (!listens_) return;
  MutexLock lock(mutex_);
  thread_ = std::thread([this, listener = listener_.get()] { Run(listener); });
}

void EventQueue::Stop() {
  std::thread thread;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    thread = std::move(thread_);
  }
  work_.NotifyAll();
  if (thread.joinable()) thread.join();
  std::shared_ptr<EventListener> listener;  // destroyed without the lock
  MutexLock lock(mutex_);
  listener.swap(listener_);
}

void EventQueue::PushItem(Item item) {
  items_.push_back(std::move(item));
  work_.NotifyOne();
}

void EventQueue::Push(Event event) {
  if (!listens_) return;
  MutexLock lock(mutex_);
  PushItem(std::move(event));
}

void EventQueue::PushRefusal(const Refusal& refusal,
                             const absl::Status& status) {
  if (!listens_) return;
  MutexLock lock(mutex_);
  if (refusals_ == kUntoldRefusalsMax) {
    ++missed_;
    return;
  }
  ++refusals_;
  PushItem(RefusedWrite{refusal, status});
}

// Reads under the lock: of two callers, the one that comes last reads what both
// have changed.
void EventQueue::NotePressure() {
  if (!listens_) return;
  MutexLock lock(mutex_);
  const Pressure now = read_pressure_();
  if (pressure_.has_value()) {
    pressure_ = now;
  } else if (now.level != told_) {
    pressure_ = now;
    PushItem(PressureMark());
  }
}

bool EventQueue::IsListener() const {
  MutexLock lock(mutex_);
  return std::this_thread::get_id() == thread_.get_id();
}

EventQueue::Event EventQueue::Take() {
  Item item = std::move(items_.front());
  items_.pop_front();
  if (auto* const event = std::get_if<Event>(&item)) return std::move(*event);
  if (auto* const refusal = std::get_if<RefusedWrite>(&item)) {
    --refusals_;
    refusal->missed = std::exchange(missed_, 0);
    return [write = std::move(*refusal)](EventListener& listener) {
      listener.OnWriteRefused(write);
    };
  }
  const Pressure now = *std::exchange(pressure_, std::nullopt);
  if (now.level == told_) return nullptr;
  const PressureChange change = {std::exchange(told_, now.level), now.level,
                                 now.pressure};
  return
      [change](EventListener& listener) { listener.OnPressureChanged(change); };
}

void EventQueue::Run(EventListener* listener) noexcept {
  MutexLock lock(mutex_);
  while (true) {
    while (items_.empty() && !stopping_) work_.Wait(mutex_);
    if (items_.empty()) return;
    const Event tell = Take();
    if (tell == nullptr) continue;
    lock.Unlock();
    tell(*listener);
    lock.Lock();
  }
}

}  // namespace engram::internal
