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

#include "storage/base/mutex.h"

namespace engram::ingest {

// What one call of BacklogOwner::Serve() did.
struct Served {
  // Records taken off the front. What was taken is finished by this call, or
  // by another one that is still running when this one returns.
  size_t taken = 0;
  // Records that are finished, taken by this call or an earlier one.
  size_t finished = 0;
  // There is something to Tidy().
  bool untidy = false;
};

// Who has records waiting: a space. Holds them itself, in the order in which
// they were accepted.
class BacklogOwner {
 public:
  virtual ~BacklogOwner() = default;

  // Processes up to `records_max` of the waiting records, oldest first; takes
  // at least one. Called by one worker at a time unless CanShare().
  virtual Served Serve(size_t records_max) = 0;

  // Goes on with work that follows from records that are finished and that
  // nobody waits for; milliseconds of it. Called when its home worker has
  // nothing better to do, beside anything. Returns whether there is more, if
  // only to wait for.
  virtual bool Tidy() { return false; }

  // Whether several workers may serve it at once, from now on and for ever. It
  // is then the owner that keeps the records' order.
  virtual bool CanShare() const { return false; }
};

// The pool's side of one owner; made by WorkerPool::Add().
struct Backlog {
  Backlog(std::shared_ptr<BacklogOwner> owner_in, size_t home_in)
      : owner(std::move(owner_in)), home(home_in) {}

  const std::shared_ptr<BacklogOwner> owner;
  const size_t home;  // the worker that serves it

  // Guarded by that worker's mutex. Each record is waiting, then in flight,
  // then finished.
  size_t waiting = 0;
  size_t in_flight = 0;
  uint64_t finished = 0;   // since it was added
  size_t servers = 0;      // workers that are inside Serve()
  bool scheduled = false;  // in the run list, or being served from it
  bool untidy = false;     // in the list of those
};

// Each owner has a home worker, the same one in every process:
// XXH3(key) mod workers. A worker serves its owners in turn, a batch each. An
// idle one joins in where another one has a long backlog before it.
//
// Thread safety: all methods may be called concurrently.
//
// Invariants:
//  (1) An owner is served by its home worker, one batch at a time. Only while
//  it
//      has kJoinDepth records waiting, and if it CanShare(), idle workers join,
//      until half of that is left. Batches are taken off the front one after
//      the other; the owner finishes them in that order.
//  (2) A backlog with waiting records is scheduled.
//  (3) A backlog with waiting records or records in flight is in its home
//      worker's `unfinished`.
//
// Lock order: no two workers' mutexes at a time.
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

  // Waits until everything that was enqueued before the call is finished.
  void Drain();

  size_t workers() const { return workers_.size(); }

  // Records that each worker has taken.
  std::vector<uint64_t> processed() const;

 private:
  struct Worker {
    mutable Mutex mutex;
    CondVar work;
    CondVar progress;
    std::deque<std::shared_ptr<Backlog>> run_list ABSL_GUARDED_BY(mutex);
    std::shared_ptr<Backlog> serving ABSL_GUARDED_BY(mutex);
    std::set<std::shared_ptr<Backlog>> unfinished ABSL_GUARDED_BY(mutex);
    std::deque<std::shared_ptr<Backlog>> untidy ABSL_GUARDED_BY(mutex);
    // How long it waits before it tidies.
    int64_t tidy_after_micros ABSL_GUARDED_BY(mutex) = 0;
    bool idle ABSL_GUARDED_BY(mutex) = false;
    // Where it should help; set while it is idle.
    std::shared_ptr<Backlog> invitation ABSL_GUARDED_BY(mutex);
    uint64_t processed ABSL_GUARDED_BY(mutex) = 0;
    bool stopping ABSL_GUARDED_BY(mutex) = false;
    std::thread thread;
  };

  void Run(Worker* worker);

  // Serves a batch of `backlog`, whose home's mutex is held but for the time of
  // the work itself. Returns how many records were taken.
  size_t ServeBatch(const std::shared_ptr<Backlog>& backlog, Worker* home)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(home->mutex);

  // Lets each untidy owner go on, unless there are records.
  void TidyAll(Worker* worker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(worker->mutex);

  // Serves beside others for as long as it helps.
  void Help(Worker* worker, const std::shared_ptr<Backlog>& backlog);

  // The backlog that is being served and that an idle worker should join.
  std::shared_ptr<Backlog> FindToJoin(const Worker* worker) const;

  // Wakes an idle worker for `backlog`, if there is one.
  void Invite(const std::shared_ptr<Backlog>& backlog);

  // Before the workers: these look at both from their first moment.
  std::atomic<size_t> idle_workers_{0};
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace engram::ingest

#endif  // ENGRAM_ENGINE_INGEST_WORKER_POOL_H_
