// The threads that turn accepted records into indexed ones.

#ifndef ENGRAM_ENGINE_INGEST_WORKER_POOL_H_
#define ENGRAM_ENGINE_INGEST_WORKER_POOL_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "storage/base/mutex.h"

namespace engram::ingest {

// Who has records waiting: a space. Holds them itself, in the order in which
// they were accepted.
class BacklogOwner {
 public:
  virtual ~BacklogOwner() = default;

  // Processes up to `records_max` of the waiting records, oldest first, and
  // returns how many; at least one. Called by one worker at a time.
  virtual size_t Serve(size_t records_max) = 0;
};

// The pool's side of one owner; made by WorkerPool::Add().
struct Backlog {
  Backlog(std::shared_ptr<BacklogOwner> owner_in, size_t home_in)
      : owner(std::move(owner_in)), home(home_in) {}

  const std::shared_ptr<BacklogOwner> owner;
  const size_t home;  // the worker that serves it

  // Guarded by that worker's mutex.
  size_t depth = 0;
  uint64_t served = 0;     // since it was added
  bool scheduled = false;  // in the run list, or being served
};

// Each owner has a home worker, the same one in every process:
// XXH3(key) mod workers. A worker serves its owners in turn, a batch each.
//
// Thread safety: all methods may be called concurrently.
//
// Invariants:
//  (1) An owner is served by at most one worker at a time, so its records are
//      processed in the order in which they were accepted.
//  (2) A backlog with depth > 0 is scheduled.
class WorkerPool {
 public:
  explicit WorkerPool(size_t workers);

  // Drains and joins.
  ~WorkerPool();

  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // `key` decides the home worker.
  std::shared_ptr<Backlog> Add(uint64_t key,
                               std::shared_ptr<BacklogOwner> owner);

  // Says that `records` more are waiting in the owner.
  void Enqueue(const std::shared_ptr<Backlog>& backlog, size_t records);

  // Waits until nothing that was enqueued before the call is waiting.
  void Drain();

  size_t workers() const { return workers_.size(); }

  // Records that each worker has processed.
  std::vector<uint64_t> processed() const;

 private:
  struct Worker {
    mutable Mutex mutex;
    CondVar work;
    CondVar idle;
    std::deque<std::shared_ptr<Backlog>> run_list ABSL_GUARDED_BY(mutex);
    std::shared_ptr<Backlog> serving ABSL_GUARDED_BY(mutex);
    uint64_t processed ABSL_GUARDED_BY(mutex) = 0;
    bool stopping ABSL_GUARDED_BY(mutex) = false;
    std::thread thread;
  };

  static void Run(Worker* worker);

  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace engram::ingest

#endif  // ENGRAM_ENGINE_INGEST_WORKER_POOL_H_
