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

// A worker that is idle for this long tidies, then after twice the time, and so
// on: an owner may have to wait for a reader, who takes as long as he likes.
constexpr int64_t kTidyMicrosMin = 2'000;
constexpr int64_t kTidyMicrosMax = 100'000;

// Whether another worker is welcome.
bool IsDeep(const Backlog& backlog, size_t depth_min) {
  return backlog.servers > 0 && backlog.waiting >= depth_min &&
         backlog.owner->CanShare();
}

}  // namespace

WorkerPool::WorkerPool(size_t workers) {
  ENGRAM_CHECK(workers > 0);
  // All of them first: each looks at the others.
  for (size_t i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<Worker>());
  }
  for (const auto& worker : workers_) {
    worker->thread = std::thread([this, &worker] { Run(worker.get()); });
  }
}

WorkerPool::~WorkerPool() {
  // While all are there: one may give back to another what it has taken.
  Drain();
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
  Worker& home = *workers_[backlog->home];
  bool wake = false;
  bool invite = false;
  {
    MutexLock lock(home.mutex);
    ENGRAM_CHECK(!home.stopping);
    if (backlog->waiting == 0 && backlog->in_flight == 0) {
      home.unfinished.insert(backlog);
    }
    backlog->waiting += records;
    if (!backlog->scheduled) {
      backlog->scheduled = true;
      home.run_list.push_back(backlog);
      wake = true;
    } else {
      invite = IsDeep(*backlog, kJoinDepth);
    }
  }
  if (wake) home.work.NotifyOne();
  if (invite) Invite(backlog);
}

void WorkerPool::Invite(const std::shared_ptr<Backlog>& backlog) {
  // Relaxed: a worker counts as idle before it looks at this backlog under its
  // home's mutex, which the caller has just released. So either it has seen the
  // depth, or the mutex makes its count visible here.
  if (idle_workers_.load(std::memory_order_relaxed) == 0) return;
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (i == backlog->home) continue;
    Worker& worker = *workers_[i];
    {
      MutexLock lock(worker.mutex);
      if (!worker.idle || worker.invitation != nullptr || worker.stopping) {
        continue;
      }
      worker.invitation = backlog;
    }
    worker.work.NotifyOne();
    return;
  }
}

void WorkerPool::Drain() {
  for (const auto& worker : workers_) {
    MutexLock lock(worker->mutex);
    // For each backlog by itself: a sum over them would also be reached by
    // records that came later, from others.
    std::vector<std::pair<std::shared_ptr<Backlog>, uint64_t>> goals;
    for (const auto& backlog : worker->unfinished) {
      goals.emplace_back(
          backlog, backlog->finished + backlog->in_flight + backlog->waiting);
    }
    for (const auto& [backlog, goal] : goals) {
      while (backlog->finished < goal) worker->progress.Wait(worker->mutex);
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

size_t WorkerPool::ServeBatch(const std::shared_ptr<Backlog>& backlog,
                              Worker* home) {
  ++backlog->servers;
  // The owner may hold more already, which is about to be enqueued.
  const size_t batch =
      std::min(BatchSize(backlog->waiting, backlog->servers), backlog->waiting);
  backlog->waiting -= batch;
  backlog->in_flight += batch;
  const bool invite = IsDeep(*backlog, kJoinDepth);
  home->mutex.Unlock();
  if (invite) Invite(backlog);
  const Served served = backlog->owner->Serve(batch);
  home->mutex.Lock();
  ENGRAM_CHECK(served.taken > 0 && served.taken <= batch);
  backlog->waiting += batch - served.taken;
  backlog->in_flight -= batch - served.taken;
  ENGRAM_CHECK(served.finished <= backlog->in_flight);
  backlog->in_flight -= served.finished;
  backlog->finished += served.finished;
  --backlog->servers;
  if (served.untidy) {
    home->tidy_after_micros = kTidyMicrosMin;
    if (!backlog->untidy) {
      backlog->untidy = true;
      home->untidy.push_back(backlog);
    }
  }
  if (backlog->waiting > 0 && !backlog->scheduled) {
    // A helper gives back what the home worker took for done.
    backlog->scheduled = true;
    home->run_list.push_back(backlog);
    home->work.NotifyOne();
  }
  if (backlog->waiting == 0 && backlog->in_flight == 0) {
    home->unfinished.erase(backlog);
  }
  home->progress.NotifyAll();
  return served.taken;
}

std::shared_ptr<Backlog> WorkerPool::FindToJoin(const Worker* worker) const {
  for (const auto& other : workers_) {
    if (other.get() == worker) continue;
    MutexLock lock(other->mutex);
    if (other->serving != nullptr && IsDeep(*other->serving, kJoinDepth)) {
      return other->serving;
    }
  }
  return nullptr;
}

void WorkerPool::Help(Worker* worker, const std::shared_ptr<Backlog>& backlog) {
  Worker* const home = workers_[backlog->home].get();
  while (true) {
    size_t taken = 0;
    {
      MutexLock lock(home->mutex);
      if (!IsDeep(*backlog, kJoinDepth / 2)) return;
      taken = ServeBatch(backlog, home);
    }
    MutexLock lock(worker->mutex);
    worker->processed += taken;
    if (!worker->run_list.empty()) return;
  }
}

void WorkerPool::TidyAll(Worker* worker) {
  const size_t count = worker->untidy.size();
  for (size_t i = 0; i < count && worker->run_list.empty(); ++i) {
    const std::shared_ptr<Backlog> backlog = std::move(worker->untidy.front());
    worker->untidy.pop_front();
    backlog->untidy = false;
    worker->mutex.Unlock();
    const bool more = backlog->owner->Tidy();
    worker->mutex.Lock();
    if (more && !backlog->untidy) {
      backlog->untidy = true;
      worker->untidy.push_back(backlog);
    }
  }
  worker->tidy_after_micros =
      std::min(2 * worker->tidy_after_micros, kTidyMicrosMax);
}

void WorkerPool::Run(Worker* worker) {
  LowerPriority();
  MutexLock lock(worker->mutex);
  while (true) {
    if (!worker->run_list.empty()) {
      const std::shared_ptr<Backlog> backlog =
          std::move(worker->run_list.front());
      worker->run_list.pop_front();
      worker->serving = backlog;
      worker->processed += ServeBatch(backlog, worker);
      worker->serving = nullptr;
      if (backlog->waiting > 0) {
        worker->run_list.push_back(backlog);
      } else {
        backlog->scheduled = false;
      }
      continue;
    }
    if (worker->stopping) return;
    // Relaxed: see Invite().
    worker->idle = true;
    idle_workers_.fetch_add(1, std::memory_order_relaxed);
    lock.Unlock();
    std::shared_ptr<Backlog> join = FindToJoin(worker);
    lock.Lock();
    while (join == nullptr && worker->invitation == nullptr &&
           worker->run_list.empty() && !worker->stopping) {
      if (worker->untidy.empty()) {
        worker->work.Wait(worker->mutex);
        continue;
      }
      worker->work.WaitFor(worker->mutex, worker->tidy_after_micros);
      // Woken for nothing now and then, it tidies early.
      if (worker->invitation == nullptr && !worker->stopping) TidyAll(worker);
    }
    if (join == nullptr) join = std::move(worker->invitation);
    worker->invitation = nullptr;
    worker->idle = false;
    idle_workers_.fetch_sub(1, std::memory_order_relaxed);
    if (join == nullptr || !worker->run_list.empty()) continue;
    lock.Unlock();
    Help(worker, join);
    join = nullptr;
    lock.Lock();
  }
}

}  // namespace engram::ingest
