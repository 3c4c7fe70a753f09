#include "engine/ingest/worker_pool.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/ingest/batch_policy.h"
#include "storage/base/check.h"

namespace engram::ingest {
namespace {

// Below the threads of the application and of the log: an acknowledgement must
// not wait for the processor behind indexing.
constexpr int kWorkerNice = 5;

void LowerPriority() {
  // Linux applies it to the calling thread only. Failing changes nothing but
  // the order in which threads run.
  (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kWorkerNice);
}

}  // namespace

WorkerPool::WorkerPool(size_t workers) {
  ENGRAM_CHECK(workers > 0);
  for (size_t i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    Worker* const worker = workers_.back().get();
    worker->thread = std::thread([worker] { Run(worker); });
  }
}

WorkerPool::~WorkerPool() {
  for (const auto& worker : workers_) {
    {
      MutexLock lock(worker->mutex);
      worker->stopping = true;
    }
    worker->work.NotifyOne();
  }
  for (const auto& worker : workers_) worker->thread.join();
}

std::shared_ptr<Backlog> WorkerPool::Add(uint64_t key,
                                         std::shared_ptr<BacklogOwner> owner) {
  const size_t home = XXH3_64bits(&key, sizeof(key)) % workers_.size();
  return std::make_shared<Backlog>(std::move(owner), home);
}

void WorkerPool::Enqueue(const std::shared_ptr<Backlog>& backlog,
                         size_t records) {
  Worker& worker = *workers_[backlog->home];
  {
    MutexLock lock(worker.mutex);
    ENGRAM_CHECK(!worker.stopping);
    backlog->depth += records;
    worker.enqueued += records;
    if (backlog->scheduled) return;
    backlog->scheduled = true;
    worker.run_list.push_back(backlog);
  }
  worker.work.NotifyOne();
}

void WorkerPool::Drain() {
  for (const auto& worker : workers_) {
    MutexLock lock(worker->mutex);
    const uint64_t goal = worker->enqueued;
    while (worker->processed < goal) worker->idle.Wait(worker->mutex);
  }
}

std::vector<uint64_t> WorkerPool::processed() const {
  std::vector<uint64_t> counts;
  for (const auto& worker : workers_) {
    MutexLock lock(worker->mutex);
    counts.push_back(worker->processed);
  }
  return counts;
}

void WorkerPool::Run(Worker* worker) {
  LowerPriority();
  MutexLock lock(worker->mutex);
  while (true) {
    if (worker->run_list.empty()) {
      if (worker->stopping) return;
      worker->work.Wait(worker->mutex);
      continue;
    }
    const std::shared_ptr<Backlog> backlog = worker->run_list.front();
    worker->run_list.pop_front();
    // The owner may hold more already, which is about to be enqueued.
    const size_t batch =
        std::min(BatchSize(backlog->depth), backlog->depth);
    lock.Unlock();
    const size_t served = backlog->owner->Serve(batch);
    lock.Lock();
    ENGRAM_CHECK(served > 0 && served <= backlog->depth);
    backlog->depth -= served;
    worker->processed += served;
    if (backlog->depth > 0) {
      worker->run_list.push_back(backlog);
    } else {
      backlog->scheduled = false;
    }
    worker->idle.NotifyAll();
  }
}

}  // namespace engram::ingest
