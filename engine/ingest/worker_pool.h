// The threads that turn accepted records into indexed ones.

#ifndef ENGRAM_ENGINE_INGEST_WORKER_POOL_H_
#define ENGRAM_ENGINE_INGEST_WORKER_POOL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "engine/ingest/backlog_owner.h"
#include "engine/ingest/scheduler.h"
#include "storage/base/cache_domains.h"
#include "storage/base/histogram.h"
#include "storage/base/mutex.h"

namespace engram::ingest {

// Of the records that a worker has finished; see RecordLatency.
struct WorkerLatencies {
  Histogram durable_to_indexed;
  Histogram to_indexed;
};

// Workers that serve backlogs as a Scheduler says, and that tidy where nobody
// waits.
//
// One mutex for all: it is held for some hundred nanoseconds at the beginning
// and at the end of a batch, which takes a millisecond, and for each Enqueue().
//
// Thread safety: all methods may be called concurrently.
//
// Invariant: a backlog with waiting records or records in flight is in
// unfinished_.
class WorkerPool {
 public:
  explicit WorkerPool(size_t workers);

  // Drains and joins, unless Abandon() was called.
  ~WorkerPool();

  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // `key` decides the home worker.
  BacklogPtr Add(uint64_t key, std::shared_ptr<BacklogOwner> owner);

  // Says that `records` more are waiting in the owner.
  void Enqueue(const BacklogPtr& backlog, size_t records,
               Priority priority = Priority::kNormal);

  // Waits until everything that was enqueued before the call is finished.
  void Drain();

  // Ends the workers after the batch that each of them serves; what still waits
  // is never served. After the last Enqueue(), and instead of Drain().
  void Abandon();

  size_t workers() const { return workers_.size(); }

  // Whether no worker is idle. Takes no lock; a hint, out of date at once.
  bool IsBusy() const {
    // Relaxed: nothing is read because of it.
    return busy_.load(std::memory_order_relaxed);
  }

  // What each worker has done.
  std::vector<WorkerCounters> counters() const;
  std::vector<WorkerLatencies> latencies() const;

 private:
  struct Worker {
    CondVar work;
    std::thread thread;
    // Guarded by mutex_, like all of the scheduler.
    std::deque<BacklogPtr> untidy;  // backlogs whose home this is
    std::set<const Backlog*> untidy_set;
    int64_t tidy_after_micros = 0;  // how long it waits before it tidies
    int64_t cpu_micros = 0;         // of the thread, when its last turn ended

    // Not mutex_: adding a batch takes longer than that is held for.
    mutable Mutex latency_mutex;
    WorkerLatencies latencies ABSL_GUARDED_BY(latency_mutex);
  };

  void Run(size_t number);
  // The domain of the worker is that of the processor on which it runs now.
  void NoteDomain(size_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void NoteIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void CountLatencies(const Served& served, Worker* worker);
  void Serve(size_t number, Turn turn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WaitForWork(size_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WakeOne(int64_t now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddUntidy(const BacklogPtr& backlog)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Lets each untidy backlog of the worker go on, unless there are records.
  void TidyAll(size_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::vector<size_t> cache_domains_ = CacheDomains();

  mutable Mutex mutex_;
  CondVar progress_;  // records were finished
  Scheduler scheduler_ ABSL_GUARDED_BY(mutex_);
  std::set<BacklogPtr> unfinished_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<bool> busy_{false};  // see IsBusy(); written under mutex_
  // The vector itself is constant after construction.
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace engram::ingest

#endif  // ENGRAM_ENGINE_INGEST_WORKER_POOL_H_
