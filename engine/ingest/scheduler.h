// Which worker serves which backlog next: the decisions, without threads and
// without a clock.

#ifndef ENGRAM_ENGINE_INGEST_SCHEDULER_H_
#define ENGRAM_ENGINE_INGEST_SCHEDULER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/ingest/backlog_owner.h"
#include "engine/ingest/priority.h"
#include "engine/ingest/steal_policy.h"

namespace engram::ingest {

// The scheduler's side of one owner; made by Scheduler::Add(). What is not
// constant belongs to the scheduler.
struct Backlog {
  Backlog(std::shared_ptr<BacklogOwner> owner_in, size_t home_in)
      : owner(std::move(owner_in)), home(home_in), worker(home_in) {}

  const std::shared_ptr<BacklogOwner> owner;
  const size_t home;  // the worker that serves it, if nothing speaks against it

  // Each record is waiting, then in flight, then finished.
  size_t waiting = 0;
  size_t in_flight = 0;
  uint64_t finished = 0;  // since it was added

  size_t worker;        // in whose list it is, or would be
  bool listed = false;  // in that list
  size_t servers = 0;   // workers that are inside Serve()

  // What it may still use of the worker's time before others had their turn;
  // negative: what it has used too much.
  int64_t credit_micros = 0;
  int64_t left_micros = 0;    // when it was last without records
  int64_t served_micros = 0;  // when it was last given a turn, or had nothing
  int64_t moved_micros = 0;   // when it last changed its worker

  // How many records had been enqueued when one of each priority came last.
  std::array<uint64_t, kPriorities> priority_end = {};
};

using BacklogPtr = std::shared_ptr<Backlog>;

// What a worker is to do: up to `records` of the backlog, which are in flight
// from now on.
struct Turn {
  BacklogPtr backlog;
  size_t records = 0;
  bool joined = false;  // beside the backlog's own worker
};

// What a worker has done so far.
struct WorkerCounters {
  uint64_t records = 0;        // taken
  uint64_t batches = 0;        // turns
  uint64_t batches_to_10 = 0;  // of these, of so many records at most
  uint64_t batches_to_100 = 0;
  uint64_t batches_to_500 = 0;
  uint64_t records_joined = 0;  // of these, beside another worker
  uint64_t batches_joined = 0;
  uint64_t moves = 0;  // backlogs that it took over from another worker
  int64_t busy_micros = 0;
  // Of the thread, until the end of its last turn. The pool counts it: the
  // scheduler knows no threads.
  int64_t cpu_micros = 0;
};

// Each backlog has a home worker, the same one in every process: XXH3(key) mod
// workers.
//
// A worker gives its backlogs turns of a batch each (BatchSize). One that had
// no records and has used less than its share comes before the others: it waits
// for a batch, however many others there are (the sparse flows of FQ-CoDel, RFC
// 8290). The others take turns by deficit round robin (Shreedhar and Varghese
// 1995) over measured time: its quantum follows from the most urgent record
// that waits, and from how long it has waited.
//
// A worker without records of its own looks for the one with the largest
// surplus (StealDepth()). It takes over whole backlogs that nobody serves,
// about half of the surplus; where there is none, it joins a long backlog that
// several workers may serve, until half of kJoinDepth is left. A backlog
// returns home when it is empty, or when its home has less to do. It changes
// its worker at most once in kMoveMicrosMin.
//
// Times are microseconds of one clock that does not go back.
//
// Thread safety: none; see WorkerPool.
//
// Invariants:
//  (1) A backlog is served by one worker at a time unless its owner CanShare().
//  (2) A backlog with waiting records that its worker does not serve is in that
//      worker's list.
//  (3) A worker whose Next() returned nothing has an empty list; until records
//      come, no other one has a surplus that it may take.
class Scheduler {
 public:
  explicit Scheduler(size_t workers);

  // Which cache the worker shares with others, by any number; 0 before. Workers
  // without work look into their own domain first.
  void SetDomain(size_t worker, size_t domain);

  size_t workers() const { return workers_.size(); }

  // `key` decides the home.
  BacklogPtr Add(uint64_t key, std::shared_ptr<BacklogOwner> owner) const;

  // `records` more are waiting in the owner.
  void Enqueue(const BacklogPtr& backlog, size_t records, Priority priority,
               int64_t now);

  // What `worker` does now. Without a backlog, it is idle until this is called
  // again.
  Turn Next(size_t worker, int64_t now);

  // What came of a turn of `worker` that took `micros`.
  void Done(size_t worker, const Turn& turn, const Served& served,
            int64_t micros, int64_t now);

  // An idle worker that would find something to do, if there is one. It does
  // not count as idle from then on.
  std::optional<size_t> TakeIdleWorker(int64_t now);

  // Workers whose last Next() found nothing, and that were not taken since.
  size_t idle_workers() const { return idle_workers_; }

  // Whether `worker` has records of its own.
  bool HasWork(size_t worker) const { return !IsEmpty(workers_[worker]); }

  const WorkerCounters& counters(size_t worker) const {
    return workers_[worker].counters;
  }

 private:
  struct Worker {
    size_t domain = 0;
    // Backlogs with waiting records that it does not serve right now; those
    // that come first, and the others in turn.
    std::deque<BacklogPtr> sparse;
    std::deque<BacklogPtr> busy;
    size_t waiting = 0;  // records of all its backlogs, the served one included
    int64_t nanos_per_record = 0;  // on average
    size_t steal_depth = StealDepth(0);
    BacklogPtr serving;  // from its own list
    BacklogPtr joined;   // where it helped last, until it goes elsewhere
    bool idle = false;
    WorkerCounters counters;
  };

  static bool IsEmpty(const Worker& worker) {
    return worker.sparse.empty() && worker.busy.empty();
  }
  static int64_t Quantum(const Backlog& backlog, int64_t now);
  static bool CanMove(const Backlog& backlog, int64_t now);
  static bool CanJoin(const Backlog& backlog, size_t depth_min);
  static bool HasMovable(const Worker& victim, int64_t now);
  static bool HasJoinable(const Worker& victim, int64_t now);
  static void Count(Worker* worker, const Turn& turn, const Served& served,
                    int64_t micros);

  // Lists.
  void List(const BacklogPtr& backlog, bool sparse);
  void SetWorker(Backlog* backlog, size_t to, int64_t now);
  static BacklogPtr TakeListed(Worker* worker, int64_t now);

  // Turns.
  Turn Start(const BacklogPtr& backlog, bool joined, int64_t now);
  bool IsServedByOwnWorker(const Backlog& backlog) const;
  bool IsBetterAtHome(const Backlog& backlog, int64_t now) const;

  // Workers without records.
  void SetIdle(Worker* worker, bool idle);
  Worker* FindVictim(size_t thief,
                     bool (*can_help)(const Worker& victim, int64_t now),
                     int64_t now);
  std::optional<size_t> IdleWorkerThatCanHelp(int64_t now);
  bool Steal(size_t thief, int64_t now);
  BacklogPtr FindToJoin(size_t helper, int64_t now);

  std::vector<Worker> workers_;
  size_t idle_workers_ = 0;
};

}  // namespace engram::ingest

#endif  // ENGRAM_ENGINE_INGEST_SCHEDULER_H_
