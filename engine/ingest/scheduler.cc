#include "engine/ingest/scheduler.h"

#include <algorithm>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/ingest/batch_policy.h"
#include "storage/base/check.h"

namespace engram::ingest {
namespace {

// Of the last measurements, each counts 1/8 of what is left.
void Average(int64_t* average, int64_t value) {
  *average = *average == 0 ? value : *average + (value - *average) / 8;
}

// How many backlogs a thief looks at, from the end of a list that may be long.
constexpr size_t kMovablesSeen = 8;

constexpr size_t kUrgent = kPriorities - 1;

}  // namespace

Scheduler::Scheduler(size_t workers) : workers_(workers) {
  ENGRAM_CHECK(workers > 0);
}

void Scheduler::SetDomain(size_t worker, size_t domain) {
  workers_[worker].domain = domain;
}

BacklogPtr Scheduler::Add(uint64_t key,
                          std::shared_ptr<BacklogOwner> owner) const {
  const size_t home = XXH3_64bits(&key, sizeof(key)) % workers_.size();
  auto backlog = std::make_shared<Backlog>(std::move(owner), home);
  backlog->moved_micros = -kMoveMicrosMin;
  backlog->credit_micros = kQuantumMicros[kUrgent];
  return backlog;
}

// --- Lists -------------------------------------------------------------------

void Scheduler::List(const BacklogPtr& backlog, bool sparse) {
  ENGRAM_CHECK(!backlog->listed && backlog->waiting > 0);
  Worker& worker = workers_[backlog->worker];
  (sparse ? worker.sparse : worker.busy).push_back(backlog);
  backlog->listed = true;
}

// For a backlog that is not in a list.
void Scheduler::SetWorker(Backlog* backlog, size_t to, int64_t now) {
  workers_[backlog->worker].waiting -= backlog->waiting;
  workers_[to].waiting += backlog->waiting;
  backlog->worker = to;
  backlog->moved_micros = now;
}

int64_t Scheduler::Quantum(const Backlog& backlog, int64_t now) {
  if (now - backlog.served_micros > kAgeMicros) return kQuantumMicros[kUrgent];
  const uint64_t taken = backlog.finished + backlog.in_flight;
  size_t priority = kUrgent;
  while (priority > 0 && backlog.priority_end[priority] <= taken) --priority;
  return kQuantumMicros[priority];
}

BacklogPtr Scheduler::TakeListed(Worker* worker, int64_t now) {
  const auto take = [](std::deque<BacklogPtr>* list) {
    BacklogPtr backlog = std::move(list->front());
    list->pop_front();
    return backlog;
  };
  BacklogPtr chosen;
  if (!worker->sparse.empty()) chosen = take(&worker->sparse);
  while (chosen == nullptr && !worker->busy.empty()) {
    BacklogPtr backlog = take(&worker->busy);
    // What it did not use last time is not saved.
    backlog->credit_micros =
        std::min<int64_t>(backlog->credit_micros, 0) + Quantum(*backlog, now);
    if (backlog->credit_micros > 0) {
      chosen = std::move(backlog);
    } else {
      worker->busy.push_back(std::move(backlog));
    }
  }
  if (chosen != nullptr) chosen->listed = false;
  return chosen;
}

// --- Turns -------------------------------------------------------------------

void Scheduler::Enqueue(const BacklogPtr& backlog, size_t records,
                        Priority priority, int64_t now) {
  const bool rests = backlog->waiting == 0 && !IsServedByOwnWorker(*backlog);
  if (rests && backlog->worker != backlog->home && CanMove(*backlog, now)) {
    SetWorker(backlog.get(), backlog->home, now);
  }
  Worker& worker = workers_[backlog->worker];
  backlog->waiting += records;
  worker.waiting += records;
  backlog->priority_end[static_cast<size_t>(priority)] =
      backlog->finished + backlog->in_flight + backlog->waiting;
  if (!rests) return;
  // Its share of the time that it did not use.
  const auto others =
      static_cast<int64_t>(worker.sparse.size() + worker.busy.size());
  backlog->credit_micros = std::min(
      Quantum(*backlog, now),
      backlog->credit_micros + (now - backlog->left_micros) / (others + 1));
  backlog->served_micros = now;
  List(backlog, /*sparse=*/backlog->credit_micros > 0);
}

Turn Scheduler::Next(size_t worker, int64_t now) {
  Worker& self = workers_[worker];
  ENGRAM_CHECK(self.serving == nullptr);
  SetIdle(&self, false);
  BacklogPtr backlog = TakeListed(&self, now);
  if (backlog == nullptr && Steal(worker, now)) {
    backlog = TakeListed(&self, now);
  }
  if (backlog != nullptr) {
    self.joined = nullptr;
    self.serving = backlog;
    return Start(backlog, /*joined=*/false, now);
  }
  self.joined = FindToJoin(worker, now);
  if (self.joined != nullptr) return Start(self.joined, /*joined=*/true, now);
  SetIdle(&self, true);
  return {};
}

Turn Scheduler::Start(const BacklogPtr& backlog, bool joined, int64_t now) {
  ++backlog->servers;
  const size_t records =
      std::min(BatchSize(backlog->waiting, backlog->servers), backlog->waiting);
  workers_[backlog->worker].waiting -= records;
  backlog->waiting -= records;
  backlog->in_flight += records;
  backlog->served_micros = now;
  return {backlog, records, joined};
}

void Scheduler::Done(size_t worker, const Turn& turn, const Served& served,
                     int64_t micros, int64_t now) {
  Worker& self = workers_[worker];
  const BacklogPtr& backlog = turn.backlog;
  ENGRAM_CHECK(served.taken > 0 && served.taken <= turn.records);
  // The owner took less than it was offered.
  const size_t returned = turn.records - served.taken;
  workers_[backlog->worker].waiting += returned;
  backlog->waiting += returned;
  backlog->in_flight -= returned;
  ENGRAM_CHECK(served.finished <= backlog->in_flight);
  backlog->in_flight -= served.finished;
  backlog->finished += served.finished;
  --backlog->servers;
  Count(&self, turn, served, micros);
  if (!turn.joined) {
    self.serving = nullptr;
    backlog->credit_micros -= micros;
  }
  if (backlog->listed || IsServedByOwnWorker(*backlog)) return;
  if (backlog->waiting == 0) {
    backlog->left_micros = now;
    return;
  }
  if (IsBetterAtHome(*backlog, now)) {
    SetWorker(backlog.get(), backlog->home, now);
    ++workers_[backlog->home].counters.moves;
  }
  List(backlog, /*sparse=*/false);
}

void Scheduler::Count(Worker* worker, const Turn& turn, const Served& served,
                      int64_t micros) {
  WorkerCounters& counters = worker->counters;
  counters.records += served.taken;
  ++counters.batches;
  if (served.taken <= 10) ++counters.batches_to_10;
  if (served.taken <= 100) ++counters.batches_to_100;
  if (served.taken <= 500) ++counters.batches_to_500;
  if (turn.joined) {
    counters.records_joined += served.taken;
    ++counters.batches_joined;
  }
  counters.busy_micros += micros;
  Average(&worker->nanos_per_record,
          micros * 1000 / static_cast<int64_t>(served.taken));
  worker->steal_depth = StealDepth(worker->nanos_per_record);
}

// --- Workers without records -------------------------------------------------

void Scheduler::SetIdle(Worker* worker, bool idle) {
  if (worker->idle == idle) return;
  worker->idle = idle;
  idle ? ++idle_workers_ : --idle_workers_;
}

std::optional<size_t> Scheduler::TakeIdleWorker(int64_t now) {
  if (idle_workers_ == 0) return std::nullopt;
  std::optional<size_t> chosen;
  for (size_t i = 0; i < workers_.size() && !chosen.has_value(); ++i) {
    if (workers_[i].idle && !IsEmpty(workers_[i])) chosen = i;
  }
  if (!chosen.has_value()) chosen = IdleWorkerThatCanHelp(now);
  if (chosen.has_value()) SetIdle(&workers_[*chosen], false);
  return chosen;
}

std::optional<size_t> Scheduler::IdleWorkerThatCanHelp(int64_t now) {
  std::optional<size_t> chosen;
  const Worker* victim = nullptr;
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (!workers_[i].idle) continue;
    if (!chosen.has_value()) {
      // Whom there is to help is the same for all of them.
      victim = FindVictim(i, HasMovable, now);
      if (victim == nullptr) victim = FindVictim(i, HasJoinable, now);
      if (victim == nullptr) return std::nullopt;
      chosen = i;
    }
    if (workers_[i].domain == victim->domain) return i;
  }
  return chosen;
}

bool Scheduler::IsServedByOwnWorker(const Backlog& backlog) const {
  return workers_[backlog.worker].serving.get() == &backlog;
}

bool Scheduler::CanMove(const Backlog& backlog, int64_t now) {
  return backlog.servers == 0 && now - backlog.moved_micros >= kMoveMicrosMin;
}

bool Scheduler::CanJoin(const Backlog& backlog, size_t depth_min) {
  return backlog.servers > 0 && backlog.waiting >= depth_min &&
         backlog.owner->CanShare();
}

// Whether there is a surplus, and a backlog that can go while another one
// stays.
bool Scheduler::HasMovable(const Worker& victim, int64_t now) {
  if (victim.waiting <= victim.steal_depth) return false;
  const size_t listed = victim.sparse.size() + victim.busy.size();
  if (listed + (victim.serving != nullptr ? 1 : 0) < 2) return false;
  for (const auto* list : {&victim.busy, &victim.sparse}) {
    const size_t seen = std::min(list->size(), kMovablesSeen);
    if (std::any_of(list->rbegin(), list->rbegin() + static_cast<int64_t>(seen),
                    [now](const BacklogPtr& b) { return CanMove(*b, now); })) {
      return true;
    }
  }
  return false;
}

bool Scheduler::HasJoinable(const Worker& victim, int64_t) {
  return victim.serving != nullptr && CanJoin(*victim.serving, kJoinDepth);
}

// The one with the most records of those that `can_help` says something of;
// one of the thief's own cache, if there is one.
Scheduler::Worker* Scheduler::FindVictim(size_t thief,
                                         bool (*can_help)(const Worker& victim,
                                                          int64_t now),
                                         int64_t now) {
  Worker* best = nullptr;
  bool best_near = false;
  for (size_t i = 0; i < workers_.size(); ++i) {
    Worker& victim = workers_[i];
    if (i == thief || !can_help(victim, now)) continue;
    const bool near = victim.domain == workers_[thief].domain;
    const bool better = best == nullptr || (near && !best_near) ||
                        (near == best_near && victim.waiting > best->waiting);
    if (!better) continue;
    best = &victim;
    best_near = near;
  }
  return best;
}

// Takes over about half of what another worker has too much.
bool Scheduler::Steal(size_t thief, int64_t now) {
  Worker* const victim = FindVictim(thief, HasMovable, now);
  if (victim == nullptr) return false;
  const size_t goal = (victim->waiting - victim->steal_depth + 1) / 2;
  size_t taken = 0;
  // From the end: these would have waited longest.
  for (auto* list : {&victim->busy, &victim->sparse}) {
    for (size_t i = 0; i < kMovablesSeen && i < list->size() && taken < goal;
         ++i) {
      const auto place = list->end() - 1 - static_cast<int64_t>(i);
      const BacklogPtr backlog = *place;
      if (!CanMove(*backlog, now)) continue;
      if (taken > 0 && taken + backlog->waiting > goal) continue;
      list->erase(place);
      --i;
      backlog->listed = false;
      taken += backlog->waiting;
      SetWorker(backlog.get(), thief, now);
      ++workers_[thief].counters.moves;
      List(backlog, list == &victim->sparse);
    }
  }
  return taken > 0;
}

BacklogPtr Scheduler::FindToJoin(size_t helper, int64_t now) {
  const BacklogPtr& joined = workers_[helper].joined;
  if (joined != nullptr && CanJoin(*joined, kJoinDepth / 2)) return joined;
  const Worker* const victim = FindVictim(helper, HasJoinable, now);
  return victim == nullptr ? nullptr : victim->serving;
}

// Whether its home would not have more to do with it than this worker has now.
bool Scheduler::IsBetterAtHome(const Backlog& backlog, int64_t now) const {
  return backlog.worker != backlog.home && CanMove(backlog, now) &&
         workers_[backlog.home].waiting + backlog.waiting <=
             workers_[backlog.worker].waiting;
}

}  // namespace engram::ingest
