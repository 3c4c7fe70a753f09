#include "scheduler_simulation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/ingest/batch_policy.h"

namespace engram::ingest {

// --- SimulatedOwner ----------------------------------------------------------

size_t SimulatedOwner::Begin(size_t records_max, int64_t now) {
  const auto in_time =
      static_cast<size_t>(kBatchMicrosMax * 1000 / options_.nanos_per_record);
  const size_t records =
      std::min({records_max, came_.size(), options_.batch_max,
                std::max(in_time, size_t{1})});
  for (size_t i = 0; i < records; ++i) {
    longest_wait_ = std::max(longest_wait_, now - came_.front());
    came_.pop_front();
  }
  tickets_.push_back({records, false});
  ++at_once_;
  return tickets_.size() - 1;
}

Served SimulatedOwner::End(size_t ticket) {
  --at_once_;
  tickets_[ticket].planned = true;
  Served served;
  served.taken = tickets_[ticket].records;
  while (next_ticket_ < tickets_.size() && tickets_[next_ticket_].planned) {
    served.finished += tickets_[next_ticket_++].records;
  }
  finished_ += served.finished;
  return served;
}

// --- Simulation --------------------------------------------------------------

size_t Simulation::Add(uint64_t key, const SimulatedOwner::Options& options) {
  owners_.push_back(std::make_shared<SimulatedOwner>(options));
  backlogs_.push_back(scheduler_.Add(key, owners_.back()));
  numbers_[backlogs_.back().get()] = backlogs_.size() - 1;
  pushed_.push_back(0);
  last_move_.emplace_back(backlogs_.back()->worker, -1);
  return backlogs_.size() - 1;
}

void Simulation::Push(size_t backlog, size_t records, Priority priority) {
  for (size_t i = 0; i < records; ++i) owners_[backlog]->Push(now_);
  pushed_[backlog] += records;
  scheduler_.Enqueue(backlogs_[backlog], records, priority, now_);
  Check();
  WakeIdle();
}

uint64_t Simulation::moves() const {
  uint64_t moves = 0;
  for (size_t i = 0; i < scheduler_.workers(); ++i) {
    moves += scheduler_.counters(i).moves;
  }
  return moves;
}

void Simulation::Complain(const std::string& what) {
  if (violation_.empty()) violation_ = absl::StrCat("at ", now_, ": ", what);
}

void Simulation::WakeIdle() {
  while (const auto worker = scheduler_.TakeIdleWorker(now_)) {
    if (running_[*worker].has_value()) Complain("a busy worker counts as idle");
    Start(*worker);
    if (!running_[*worker].has_value()) {
      Complain("a worker was woken and found nothing");
      return;
    }
  }
}

void Simulation::Start(size_t worker) {
  Turn turn = scheduler_.Next(worker, now_);
  Check();
  if (turn.backlog == nullptr) return;
  SimulatedOwner& owner = *owners_[numbers_.at(turn.backlog.get())];
  if (turn.records == 0 || turn.records > owner.waiting()) {
    Complain(absl::StrCat("a turn of ", turn.records, " of ", owner.waiting()));
    return;
  }
  if (owner.at_once() > 0 && !owner.CanShare()) Complain("two serve one owner");
  Work work;
  work.ticket = owner.Begin(turn.records, now_);
  const int64_t nanos = owner.options().nanos_per_record *
                        static_cast<int64_t>(owner.taken(work.ticket));
  work.start = now_;
  work.end = now_ + std::max<int64_t>(1, nanos / 1000);
  work.turn = std::move(turn);
  running_[worker] = std::move(work);
  WakeIdle();
}

void Simulation::End(size_t worker) {
  const Work work = std::move(*running_[worker]);
  running_[worker].reset();
  SimulatedOwner& owner = *owners_[numbers_.at(work.turn.backlog.get())];
  const Served served = owner.End(work.ticket);
  scheduler_.Done(worker, work.turn, served, work.end - work.start, now_);
  Check();
  WakeIdle();
  if (!running_[worker].has_value()) Start(worker);
}

void Simulation::RunUntil(int64_t micros) {
  while (violation_.empty()) {
    size_t first = running_.size();
    for (size_t i = 0; i < running_.size(); ++i) {
      if (!running_[i].has_value()) continue;
      if (first == running_.size() || running_[i]->end < running_[first]->end) {
        first = i;
      }
    }
    if (first == running_.size() || running_[first]->end > micros) break;
    now_ = running_[first]->end;
    End(first);
  }
  now_ = std::max(now_, micros);
}

void Simulation::Finish() {
  while (violation_.empty() &&
         std::any_of(running_.begin(), running_.end(),
                     [](const auto& work) { return work.has_value(); })) {
    RunUntil(now_ + 1000);
  }
  for (size_t i = 0; i < owners_.size(); ++i) {
    if (owners_[i]->finished() != pushed_[i]) {
      Complain(absl::StrCat("backlog ", i, " finished ", owners_[i]->finished(),
                            " of ", pushed_[i]));
    }
  }
}

// What holds after every call.
void Simulation::Check() {
  for (size_t i = 0; i < backlogs_.size(); ++i) {
    const Backlog& backlog = *backlogs_[i];
    if (backlog.waiting + backlog.in_flight + backlog.finished != pushed_[i]) {
      Complain(absl::StrCat("backlog ", i, " lost count of its records"));
    }
    auto& [worker, when] = last_move_[i];
    if (backlog.worker == worker) continue;
    if (when >= 0 && now_ - when < kMoveMicrosMin) {
      Complain(absl::StrCat("backlog ", i, " moved twice in ", now_ - when));
    }
    worker = backlog.worker;
    when = now_;
  }
}

}  // namespace engram::ingest
