// A pool of workers on a virtual clock: the scheduler's decisions, and work
// that takes the time that it is said to take. Same seed, same run.

#ifndef ENGRAM_TESTS_UNIT_ENGINE_INGEST_SCHEDULER_SIMULATION_H_
#define ENGRAM_TESTS_UNIT_ENGINE_INGEST_SCHEDULER_SIMULATION_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/ingest/scheduler.h"

namespace engram::ingest {

// The model of an owner: records in the order in which they came, finished in
// that order, whoever plans them.
class SimulatedOwner final : public BacklogOwner {
 public:
  struct Options {
    int64_t nanos_per_record = 50'000;
    bool can_share = false;
    size_t batch_max = SIZE_MAX;  // takes no more at once
  };

  explicit SimulatedOwner(const Options& options) : options_(options) {}

  const Options& options() const { return options_; }
  bool CanShare() const override { return options_.can_share; }
  Served Serve(size_t) override { return {}; }  // see Begin() and End()

  void Push(int64_t now) { came_.push_back(now); }

  // Takes up to `records_max` off the front. Returns its ticket.
  size_t Begin(size_t records_max, int64_t now);
  // The work for a ticket is done. What it finishes, as Serve() would return.
  Served End(size_t ticket);
  size_t taken(size_t ticket) const { return tickets_[ticket].records; }

  size_t waiting() const { return came_.size(); }
  size_t at_once() const { return at_once_; }
  uint64_t finished() const { return finished_; }
  int64_t longest_wait() const { return longest_wait_; }
  // When the record that waits longest came; nothing if none does.
  std::optional<int64_t> oldest() const {
    return came_.empty() ? std::nullopt : std::optional(came_.front());
  }

 private:
  struct Ticket {
    size_t records = 0;
    bool planned = false;
  };

  const Options options_;
  std::deque<int64_t> came_;
  std::vector<Ticket> tickets_;
  size_t next_ticket_ = 0;  // to be finished
  size_t at_once_ = 0;
  uint64_t finished_ = 0;
  int64_t longest_wait_ = 0;  // until a record was taken
};

class Simulation {
 public:
  explicit Simulation(size_t workers, const std::vector<size_t>& domains = {})
      : scheduler_(workers), running_(workers) {
    for (size_t i = 0; i < domains.size(); ++i) {
      scheduler_.SetDomain(i, domains[i]);
    }
    for (size_t i = 0; i < workers; ++i) scheduler_.Next(i, now_);
  }

  // Returns the number of the backlog.
  size_t Add(uint64_t key, const SimulatedOwner::Options& options);

  void Push(size_t backlog, size_t records,
            Priority priority = Priority::kNormal);

  // Lets the workers work until `micros` of the clock.
  void RunUntil(int64_t micros);

  // Until nothing waits.
  void Finish();

  int64_t now() const { return now_; }
  const Scheduler& scheduler() const { return scheduler_; }
  const Backlog& backlog(size_t number) const { return *backlogs_[number]; }
  const SimulatedOwner& owner(size_t number) const { return *owners_[number]; }
  uint64_t moves() const;

  // What has gone against the rules so far, if anything has.
  const std::string& violation() const { return violation_; }

 private:
  struct Work {
    Turn turn;
    size_t ticket = 0;
    int64_t start = 0;
    int64_t end = 0;
  };

  void Complain(const std::string& what);
  void Start(size_t worker);
  void End(size_t worker);
  void WakeIdle();
  void Check();

  int64_t now_ = 1'000'000;
  Scheduler scheduler_;
  std::vector<std::optional<Work>> running_;  // by worker
  std::vector<BacklogPtr> backlogs_;
  std::vector<std::shared_ptr<SimulatedOwner>> owners_;
  std::map<const Backlog*, size_t> numbers_;
  std::vector<uint64_t> pushed_;
  std::vector<std::pair<size_t, int64_t>> last_move_;  // worker, when
  std::string violation_;
};

}  // namespace engram::ingest

#endif  // ENGRAM_TESTS_UNIT_ENGINE_INGEST_SCHEDULER_SIMULATION_H_
