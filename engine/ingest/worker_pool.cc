#include "engine/ingest/worker_pool.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

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
    if (backlog->scheduled) return;
    backlog->scheduled = true;
    worker.run_list.push_back(backlog);
  }
  worker.work.NotifyOne();
}

void WorkerPool::Drain() {
  for (const auto& worker : workers_) {
    MutexLock lock(worker->mutex);
    // For each backlog by itself: a sum over them would also be reached by
    // records that came later, from others.
    std::vector<std::pair<std::shared_ptr<Backlog>, uint64_t>> goals;
    const auto add = [&goals](const std::shared_ptr<Backlog>& backlog) {
      goals.emplace_back(backlog, backlog->served + backlog->depth);
    };
    for (const auto& backlog : worker->run_list) add(backlog);
    if (worker->serving != nullptr) add(worker->serving);
    for (const auto& [backlog, goal] : goals) {
      while (backlog->served < goal) worker->idle.Wait(worker->mutex);
    }
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
    std::shared_ptr<Backlog> backlog = std::move(worker->run_list.front());
    worker->run_list.pop_front();
    worker->serving = backlog;
    // The owner may hold more already, which is about to be enqueued.
    const size_t batch = std::min(BatchSize(backlog->depth), backlog->depth);
    lock.Unlock();
    const size_t served = backlog->owner->Serve(batch);
    lock.Lock();
    ENGRAM_CHECK(served > 0 && served <= backlog->depth);
    backlog->depth -= served;
    backlog->served += served;
    worker->processed += served;
    worker->serving = nullptr;
    if (backlog->depth > 0) {
      worker->run_list.push_back(std::move(backlog));
    } else {
      backlog->scheduled = false;
    }
    worker->idle.NotifyAll();
  }
}

}  // namespace engram::ingest
