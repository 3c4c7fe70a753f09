// An owner of numbers instead of records, for the tests of the worker pool.

#ifndef ENGRAM_TESTS_UNIT_ENGINE_INGEST_SCRIPTED_OWNER_H_
#define ENGRAM_TESTS_UNIT_ENGINE_INGEST_SCRIPTED_OWNER_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/ingest/worker_pool.h"
#include "storage/base/mutex.h"

namespace engram::ingest {

// Keeps a backlog of numbers, and a log of what was served.
class ScriptedOwner final : public BacklogOwner {
 public:
  void Push(uint64_t number) {
    MutexLock lock(mutex_);
    waiting_.push_back(number);
  }

  Served Serve(size_t records_max) override {
    if (inside_.exchange(true)) overlapped_ = true;
    if (before_serve_) before_serve_();
    size_t count = 0;
    {
      MutexLock lock(mutex_);
      count = std::min({records_max, waiting_.size(), batch_max_});
      for (size_t i = 0; i < count; ++i) {
        served_.push_back(waiting_.front());
        waiting_.pop_front();
      }
      batches_.push_back(records_max);
    }
    inside_ = false;
    return {count, count};
  }

  // Called at the start of each Serve(). Set before anything is enqueued.
  void set_before_serve(std::function<void()> hook) {
    before_serve_ = std::move(hook);
  }
  // Serves less than it is asked for.
  void set_batch_max(size_t records) { batch_max_ = records; }

  std::vector<uint64_t> served() const {
    MutexLock lock(mutex_);
    return served_;
  }
  // What the pool asked for, call by call.
  std::vector<size_t> batches() const {
    MutexLock lock(mutex_);
    return batches_;
  }
  bool overlapped() const { return overlapped_; }

 private:
  std::function<void()> before_serve_;
  size_t batch_max_ = SIZE_MAX;
  std::atomic<bool> inside_{false};
  std::atomic<bool> overlapped_{false};
  mutable Mutex mutex_;
  std::deque<uint64_t> waiting_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> served_ ABSL_GUARDED_BY(mutex_);
  std::vector<size_t> batches_ ABSL_GUARDED_BY(mutex_);
};

// Holds whoever waits for it until it is opened.
class Barrier {
 public:
  void Open() {
    {
      MutexLock lock(mutex_);
      open_ = true;
    }
    opened_.NotifyAll();
  }
  void Wait() {
    MutexLock lock(mutex_);
    arrived_ = true;
    opened_.NotifyAll();
    while (!open_) opened_.Wait(mutex_);
  }
  // Until someone waits.
  void AwaitArrival() {
    MutexLock lock(mutex_);
    while (!arrived_) opened_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar opened_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  bool arrived_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace engram::ingest

#endif  // ENGRAM_TESTS_UNIT_ENGINE_INGEST_SCRIPTED_OWNER_H_
