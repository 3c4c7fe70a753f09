// Runs the callbacks of asynchronous writes.

#ifndef ENGRAM_ENGINE_DB_CALLBACK_QUEUE_H_
#define ENGRAM_ENGINE_DB_CALLBACK_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <thread>

#include "absl/status/status.h"
#include "storage/base/mutex.h"

namespace engram::internal {

// One thread that runs callbacks in the order in which they are pushed. Not the
// log's: that one would acknowledge nothing while an application thinks.
//
// A place is reserved before a write is logged, so Push() never waits, and
// those who write too fast wait in Reserve(). The thread is woken by Wake(),
// once for all that a group of the log has pushed: woken by the first of them,
// it would be done with that one before the next comes, and be woken for each.
//
// Thread safety: all methods may be called concurrently.
class CallbackQueue {
 public:
  // At most `places` are reserved at a time.
  explicit CallbackQueue(size_t places) : places_(places) {}

  // Runs what was pushed. Nothing is reserved any more.
  ~CallbackQueue();

  CallbackQueue(const CallbackQueue&) = delete;
  CallbackQueue& operator=(const CallbackQueue&) = delete;

  // Reserves a place, at once or as soon as one is free. RESOURCE_EXHAUSTED
  // after `timeout_micros`, or at once if called from a callback: nobody else
  // would free one.
  absl::Status Reserve(int64_t timeout_micros);

  // Gives back a place that was reserved and will not be used.
  void Cancel();

  // Uses a place that was reserved; it is free again a little after `callback`
  // has returned. Followed by a Wake().
  void Push(std::function<void()> callback);

  // Sees to it that what was pushed before runs.
  void Wake();

  // Whether the caller is a callback.
  bool IsCallback() const;

 private:
  void Run();

  const size_t places_;

  mutable Mutex mutex_;
  CondVar work_;
  CondVar freed_;
  std::deque<std::function<void()>> callbacks_ ABSL_GUARDED_BY(mutex_);
  size_t reserved_ ABSL_GUARDED_BY(mutex_) = 0;
  bool asleep_ ABSL_GUARDED_BY(mutex_) = false;  // until Wake() sees it
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Started by the first Reserve(): most databases never need it.
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_CALLBACK_QUEUE_H_
