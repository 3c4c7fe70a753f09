#include "engine/ingest/worker_pool.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/thread_priority.h"

namespace engram::ingest {
namespace {

// A worker that is idle for this long tidies, then after twice the time, and so
// on: an owner may have to wait for a reader, who takes as long as he likes.
constexpr int64_t kTidyMicrosMin = 2'000;
constexpr int64_t kTidyMicrosMax = 100'000;

}  // namespace

WorkerPool::WorkerPool(size_t workers) : scheduler_(workers) {
  for (size_t i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<Worker>());
  }
  for (size_t i = 0; i < workers; ++i) {
    workers_[i]->thread = std::thread([this, i] { Run(i); });
  }
}

WorkerPool::~WorkerPool() {
  bool abandoned = false;
  {
    MutexLock lock(mutex_);
    abandoned = stopping_;
  }
  if (abandoned) return;
  Drain();
  Abandon();
}

void WorkerPool::Abandon() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  for (const auto& worker : workers_) worker->work.NotifyOne();
  for (const auto& worker : workers_) worker->thread.join();
}

BacklogPtr WorkerPool::Add(uint64_t key, std::shared_ptr<BacklogOwner> owner) {
  MutexLock lock(mutex_);
  return scheduler_.Add(key, std::move(owner));
}

void WorkerPool::Enqueue(const BacklogPtr& backlog, size_t records,
                         Priority priority) {
  const int64_t now = MonotonicMicros();
  MutexLock lock(mutex_);
  ENGRAM_CHECK(!stopping_);
  if (backlog->waiting == 0 && backlog->in_flight == 0) {
    unfinished_.insert(backlog);
  }
  scheduler_.Enqueue(backlog, records, priority, now);
  WakeOne(now);
}

void WorkerPool::Drain() {
  MutexLock lock(mutex_);
  // For each backlog by itself: a sum over them would also be reached by
  // records that came later, from others.
  std::vector<std::pair<BacklogPtr, uint64_t>> goals;
  for (const BacklogPtr& backlog : unfinished_) {
    goals.emplace_back(
        backlog, backlog->finished + backlog->in_flight + backlog->waiting);
  }
  for (const auto& [backlog, goal] : goals) {
    while (backlog->finished < goal) progress_.Wait(mutex_);
  }
}

std::vector<WorkerCounters> WorkerPool::counters() const {
  MutexLock lock(mutex_);
  std::vector<WorkerCounters> counters;
  for (size_t i = 0; i < workers_.size(); ++i) {
    counters.push_back(scheduler_.counters(i));
    counters.back().cpu_micros = workers_[i]->cpu_micros;
  }
  return counters;
}

std::vector<WorkerLatencies> WorkerPool::latencies() const {
  std::vector<WorkerLatencies> all;
  for (const auto& worker : workers_) {
    MutexLock lock(worker->latency_mutex);
    all.push_back(worker->latencies);
  }
  return all;
}

void WorkerPool::CountLatencies(const Served& served, Worker* worker) {
  MutexLock lock(worker->latency_mutex);
  for (const RecordLatency& latency : served.latencies) {
    worker->latencies.durable_to_indexed.Add(latency.durable_to_indexed_micros);
    worker->latencies.to_indexed.Add(latency.to_indexed_micros);
  }
}

void WorkerPool::WakeOne(int64_t now) {
  const std::optional<size_t> worker = scheduler_.TakeIdleWorker(now);
  NoteIdle();
  if (worker.has_value()) workers_[*worker]->work.NotifyOne();
}

void WorkerPool::NoteDomain(size_t number) {
  if (cache_domains_.empty()) return;
  scheduler_.SetDomain(number, CurrentCacheDomain(cache_domains_));
}

void WorkerPool::NoteIdle() {
  // Relaxed: see IsBusy().
  busy_.store(scheduler_.idle_workers() == 0, std::memory_order_relaxed);
}

void WorkerPool::Run(size_t number) {
  LowerThreadPriority();
  MutexLock lock(mutex_);
  while (!stopping_) {
    const int64_t now = MonotonicMicros();
    NoteDomain(number);
    Turn turn = scheduler_.Next(number, now);
    NoteIdle();
    if (turn.backlog == nullptr) {
      WaitForWork(number);
      continue;
    }
    WakeOne(now);  // there may be enough for another one
    Serve(number, std::move(turn));
  }
}

void WorkerPool::Serve(size_t number, Turn turn) {
  mutex_.Unlock();
  const int64_t start = MonotonicMicros();
  const Served served = turn.backlog->owner->Serve(turn.records);
  CountLatencies(served, workers_[number].get());
  const int64_t end = MonotonicMicros();
  const int64_t cpu_micros = ThreadCpuMicros();
  mutex_.Lock();
  workers_[number]->cpu_micros = cpu_micros;
  scheduler_.Done(number, turn, served, end - start, end);
  if (served.untidy) {
    workers_[turn.backlog->home]->tidy_after_micros = kTidyMicrosMin;
    AddUntidy(turn.backlog);
  }
  if (turn.backlog->waiting == 0 && turn.backlog->in_flight == 0) {
    unfinished_.erase(turn.backlog);
  }
  progress_.NotifyAll();
  WakeOne(end);
}

void WorkerPool::WaitForWork(size_t number) {
  Worker& worker = *workers_[number];
  // Until TakeIdleWorker() has chosen it; woken for nothing now and then, it
  // looks again.
  if (worker.untidy.empty()) {
    worker.work.Wait(mutex_);
    return;
  }
  worker.work.WaitFor(mutex_, worker.tidy_after_micros);
  if (!stopping_ && !scheduler_.HasWork(number)) TidyAll(number);
}

// --- Tidying -----------------------------------------------------------------

void WorkerPool::AddUntidy(const BacklogPtr& backlog) {
  Worker& home = *workers_[backlog->home];
  if (!home.untidy_set.insert(backlog.get()).second) return;
  home.untidy.push_back(backlog);
  home.work.NotifyOne();  // it may wait without a deadline
}

void WorkerPool::TidyAll(size_t number) {
  Worker& worker = *workers_[number];
  const size_t count = worker.untidy.size();
  for (size_t i = 0; i < count && !scheduler_.HasWork(number); ++i) {
    const BacklogPtr backlog = std::move(worker.untidy.front());
    worker.untidy.pop_front();
    worker.untidy_set.erase(backlog.get());
    mutex_.Unlock();
    const bool more = backlog->owner->Tidy();
    mutex_.Lock();
    if (more) AddUntidy(backlog);
  }
  worker.tidy_after_micros =
      std::min(2 * worker.tidy_after_micros, kTidyMicrosMax);
}

}  // namespace engram::ingest
