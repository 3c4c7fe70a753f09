#include "engine/space/planning_ring.h"

#include <utility>

#include "storage/base/check.h"

namespace engram::space {

// In this file, turn_ is loaded relaxed where mutex_ is held, under which it is
// written.

PlanningRing::Flight& PlanningRing::FlightOf(uint64_t ticket) {
  const uint64_t turn = turn_.load(std::memory_order_relaxed);
  ENGRAM_CHECK(ticket >= turn && ticket - turn < flights_.size());
  return flights_[ticket - turn];
}

void PlanningRing::Enter(absl::FunctionRef<size_t()> batches_max) {
  MutexLock lock(mutex_);
  while (entered_ + flights_.size() >= batches_max()) changed_.Wait(mutex_);
  ++entered_;
}

void PlanningRing::Leave() {
  {
    MutexLock lock(mutex_);
    --entered_;
  }
  changed_.NotifyAll();
}

uint64_t PlanningRing::TakeTicket() {
  MutexLock lock(mutex_);
  ENGRAM_CHECK(entered_ > 0);
  --entered_;
  flights_.emplace_back();
  return turn_.load(std::memory_order_relaxed) + flights_.size() - 1;
}

void PlanningRing::AnnounceFilled(uint64_t ticket,
                                  absl::Span<const uint32_t> slots) {
  {
    MutexLock lock(mutex_);
    Flight& flight = FlightOf(ticket);
    flight.slots.assign(slots.begin(), slots.end());
    flight.filled = true;
  }
  changed_.NotifyAll();
}

void PlanningRing::ForgetSlots(uint64_t ticket) {
  MutexLock lock(mutex_);
  FlightOf(ticket).slots.clear();
}

void PlanningRing::AwaitFilled(uint64_t ticket) {
  MutexLock lock(mutex_);
  // From the last one down: turns pass while this waits.
  for (uint64_t lower = ticket;
       lower-- > turn_.load(std::memory_order_relaxed);) {
    while (lower >= turn_.load(std::memory_order_relaxed) &&
           !FlightOf(lower).filled) {
      changed_.Wait(mutex_);
    }
  }
}

void PlanningRing::CollectSlots(uint64_t ticket,
                                std::vector<uint32_t>* slots) const {
  slots->clear();
  MutexLock lock(mutex_);
  const uint64_t turn = turn_.load(std::memory_order_relaxed);
  for (uint64_t lower = turn; lower < ticket; ++lower) {
    const Flight& flight = flights_[lower - turn];
    slots->insert(slots->end(), flight.slots.begin(), flight.slots.end());
  }
}

bool PlanningRing::Shorten(uint64_t ticket, absl::Span<const uint32_t> slots) {
  MutexLock lock(mutex_);
  ENGRAM_CHECK(ticket == turn_.load(std::memory_order_relaxed));
  if (flights_.size() > 1) return false;
  flights_.front().slots.assign(slots.begin(), slots.end());
  return true;
}

bool PlanningRing::Park(std::unique_ptr<IndexBatch>* batch) {
  MutexLock lock(mutex_);
  const uint64_t ticket = (*batch)->ticket;
  if (ticket == turn_.load(std::memory_order_relaxed)) return false;
  FlightOf(ticket).parked = std::move(*batch);
  return true;
}

std::unique_ptr<IndexBatch> PlanningRing::PassTurn() {
  std::unique_ptr<IndexBatch> next;
  {
    MutexLock lock(mutex_);
    flights_.erase(flights_.begin());
    // Release: see turn().
    turn_.store(turn_.load(std::memory_order_relaxed) + 1,
                std::memory_order_release);
    if (!flights_.empty()) next = std::move(flights_.front().parked);
  }
  changed_.NotifyAll();
  return next;
}

}  // namespace engram::space
