// Tells the application's listener what happens.

#ifndef ENGRAM_ENGINE_DB_EVENT_QUEUE_H_
#define ENGRAM_ENGINE_DB_EVENT_QUEUE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <variant>

#include "engram/event_listener.h"
#include "storage/base/mutex.h"

namespace engram::internal {

// One thread that tells events in the order in which they are pushed. Pushing
// takes a moment whatever the listener does, so it may be done anywhere: by the
// log's thread, and under locks. Without a listener nothing is queued.
//
// Thread safety: all methods may be called concurrently, but for Start() and
// Stop().
class EventQueue {
 public:
  // Given the listener, which lives as long as the call.
  using Event = std::function<void(EventListener& listener)>;

  // How full the queues are, and what that means.
  struct Pressure {
    PressureLevel level = PressureLevel::kNone;
    double pressure = 0;
  };

  // `listener` may be null. `read_pressure` is called under a lock of this
  // queue, and pushes nothing.
  EventQueue(std::shared_ptr<EventListener> listener,
             std::function<Pressure()> read_pressure)
      : listens_(listener != nullptr),
        read_pressure_(std::move(read_pressure)),
        listener_(std::move(listener)) {}

  // Without Stop() before it, tells no more than the event that it is at.
  ~EventQueue();

  EventQueue(const EventQueue&) = delete;
  EventQueue& operator=(const EventQueue&) = delete;

  // Begins to tell, with what was pushed before.
  void Start();

  // Tells what was pushed, if Start() was called, and ends. The listener is let
  // go: it may hold handles that keep this queue alive. Not to be called by the
  // listener, and nothing is pushed afterwards.
  void Stop();

  void Push(Event event);

  // One that is told as soon as there is room among those that are not, and
  // otherwise counted.
  void PushRefusal(const Refusal& refusal, const absl::Status& status);

  // To be called after each change of pressure. Pushes a change of its level.
  void NotePressure();

  // Whether the caller is the listener.
  bool IsListener() const;

 private:
  // Stands for pressure_, whose `after` may change as long as it waits.
  struct PressureMark {};
  using Item = std::variant<Event, RefusedWrite, PressureMark>;

  void Run(EventListener* listener) noexcept;
  void PushItem(Item item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // What is to be told of the item at the front; null if it is nothing.
  Event Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const bool listens_;
  const std::function<Pressure()> read_pressure_;

  mutable Mutex mutex_;
  std::shared_ptr<EventListener> listener_ ABSL_GUARDED_BY(mutex_);
  CondVar work_;
  std::deque<Item> items_ ABSL_GUARDED_BY(mutex_);
  uint64_t refusals_ ABSL_GUARDED_BY(mutex_) = 0;  // of items_
  uint64_t missed_ ABSL_GUARDED_BY(mutex_) = 0;    // since the last one told
  PressureLevel told_ ABSL_GUARDED_BY(mutex_) = PressureLevel::kNone;
  std::optional<Pressure> pressure_ ABSL_GUARDED_BY(mutex_);  // to be told
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_EVENT_QUEUE_H_
